"""What a single checkpoint says of itself, read before anything is loaded."""

import pytest
import torch
from safetensors.torch import save_file

from steering.errors import SteeringError
from steering.models.checkpoint import foreign
from steering.models.loading import load_model
from steering.vectors.vector import SteeringVector

from ..interventions.conftest import vector_for

pytestmark = pytest.mark.usefixtures("rows")

UNET = "model.diffusion_model."


@pytest.mark.parametrize(
    ("without", "more", "words"),
    [
        ("", {f"{UNET}time_embed.cond_proj.weight": torch.zeros(1)}, "as LCM is; give a plain model of"),
        ("", {"edm_mean": torch.zeros(4)}, "Playground v2.5"),
        ("", {"edm_vpred.sigma_max": torch.zeros(1)}, "CosXL's noise schedule"),
        ("", {f"{UNET}input_blocks.0.0.weight": torch.zeros(32, 9, 3, 3)}, "takes 9 channels, as models for inpaint"),
        ("", {f"{UNET}input_blocks.0.0.weight": torch.zeros(384, 4, 3, 3)}, "has text width 40, which is none of"),
        (f"{UNET}input_blocks.0.0", {}, "its UNet has no cross-attention"),
        (f"{UNET}middle_block.1.transformer_blocks.9", {}, "has 69 transformer layers where .* XL has 70, as the"),
        (f"{UNET}label_emb", {}, "takes other embeddings than prompts"),
        ("first_stage_model.", {}, "holds no VAE; give a whole"),
        ("conditioner.", {}, "holds no text encoder"),
    ],
)
def test_a_checkpoint_that_would_be_drawn_wrongly_is_refused_by_its_header(edited, without, more, words):
    with pytest.raises(SteeringError, match=words):
        load_model(edited(without, **more), "cpu")


def test_the_refiner_is_refused_by_name():
    assert "is the refiner of Stable Diffusion XL" in foreign("m", 384, 1280)


def test_v_prediction_and_zero_terminal_noise_are_read_from_a_checkpoint(edited):
    plain = load_model(edited(), "cpu")
    v = load_model(edited(v_pred=torch.zeros(0)), "cpu")
    both = load_model(edited(v_pred=torch.zeros(0), ztsnr=torch.zeros(0)), "cpu")
    assert [model.prediction for model in (plain, v, both)] == ["epsilon", "v_prediction", "v_prediction"]
    assert torch.equal(plain.schedule.sigmas, v.schedule.sigmas)
    assert both.schedule.sigmas[-1] > 4000 > 20 > plain.schedule.sigmas[-1]
    assert both.generate("a dog", steps=3).std() > 0  # finite, or an error
    with pytest.raises(SteeringError, match="in which there is no noise to predict"):
        load_model(edited(ztsnr=torch.zeros(0)), "cpu")


def test_other_files_in_the_place_of_a_checkpoint_say_what_they_are(toy_model, tmp_path):
    vector: SteeringVector = vector_for(toy_model, ["in4.attn2"])
    vector.save(tmp_path / "vector.safetensors")
    save_file({"lora_unet_x.lora_up.weight": torch.ones(1)}, tmp_path / "lora.safetensors")
    save_file({"something": torch.ones(1)}, tmp_path / "other.safetensors")
    for name, words in (("vector", "is no model"), ("lora", "is a LoRA"), ("other", "no checkpoint of Stable")):
        with pytest.raises(SteeringError, match=words):
            load_model(str(tmp_path / f"{name}.safetensors"), "cpu")
