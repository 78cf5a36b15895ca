"""What diffusers' configurations say of a model."""

import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from steering.activations.capture import capture
from steering.concepts.pairs import Pair
from steering.errors import SteeringError
from steering.families import family_named
from steering.models.configurations import check_unet, schedule_of, size_of
from steering.models.loading import load_model
from steering.models.sampling import CaptureSettings, weights_digest

PAIRS = [Pair("a dog in the snow", "a cat in the snow"), Pair("a dog on a hill", "a fox on a hill")]


@pytest.mark.parametrize("key", ["class_embed_type", "addition_embed_type", "time_cond_proj_dim"])
def test_conditions_that_nobody_gives_are_refused(key):
    config = {"block_out_channels": [320], "cross_attention_dim": 768, "in_channels": 4}
    check_unet(config, "m")
    with pytest.raises(SteeringError, match=f"m has {key} set to 'x', as distilled"):
        check_unet({**config, key: "x"}, "m")
    with pytest.raises(SteeringError, match="9 channels, as models for inpainting"):
        check_unet({**config, "in_channels": 9}, "m")


def test_a_folder_of_zero_terminal_noise_loads(copied):
    model = load_model(copied("scheduler", prediction_type="v_prediction", rescale_betas_zero_snr=True), "cpu")
    assert model.schedule.sigmas[-1] > 4000
    assert model.scheduler == "normal"


def test_a_distilled_model_is_drawn_with_its_own_spacing(copied):
    folder = copied("scheduler", timestep_spacing="trailing")
    model = load_model(folder, "cpu")
    assert model.scheduler == "sgm_uniform"
    assert torch.equal(model.sigmas(4), model.schedule.sgm_uniform(4)[:-1])
    assert capture(model, PAIRS, settings=CaptureSettings(steps=2)).metadata["scheduler"] == "sgm_uniform"
    assert load_model(folder, "cpu", scheduler="normal").scheduler == "normal"
    with pytest.raises(SteeringError, match="scheduler 'karras' is not one of normal, sgm_uniform"):
        load_model(folder, "cpu", scheduler="karras")


def test_a_vae_that_leaves_the_range_of_float16_runs_in_float32(copied, rows):
    model = load_model(copied("unet"), "cpu", dtype=torch.float16)
    assert model.dtype == torch.float16
    assert next(model.vae.parameters()).dtype == torch.float32
    assert load_model(str(rows / "sdxl" / "folder"), "cpu", dtype=torch.bfloat16).vae.dtype == torch.bfloat16


def test_a_scheduler_that_lacks_a_number_is_refused():
    for config in ({}, {"beta_start": 0.1}, {"beta_schedule": "sigmoid"}):
        with pytest.raises(
            SteeringError, match=r"beta_start None, which|beta_end None, which|not one of scaled_linear"
        ):
            schedule_of(config, "m")


@pytest.mark.parametrize("channels", [None, [], 320, "x"])
def test_a_configuration_that_says_no_widths_is_of_no_family(channels):
    with pytest.raises(SteeringError, match="m has text width 768, which is none of"):
        check_unet({"block_out_channels": channels, "cross_attention_dim": 768}, "m")
    with pytest.raises(SteeringError, match="m is the refiner of Stable Diffusion XL"):
        check_unet({"block_out_channels": [384], "cross_attention_dim": 1280}, "m")


def test_a_size_is_a_whole_number_of_latents():
    row = family_named("sdxl")
    assert size_of(128, row, "m") == size_of([128, 128], row, "m") == 1024
    assert size_of(None, row, "m") == size_of([64, 96], row, "m") == row.size
    for wrong in ("8", 8.0, 0, -8, [], True):
        with pytest.raises(SteeringError, match="m has sample_size"):
            size_of(wrong, row, "m")


@pytest.mark.parametrize("missing", ["tokenizer", "tokenizer_2"])
def test_a_folder_without_its_tokenizer_is_refused(copied, missing, tmp_path):
    """transformers makes one of two words up, to which every prompt is the same."""
    folder = copied("unet")
    shutil.rmtree(tmp_path / "copy" / missing)
    with pytest.raises(SteeringError, match=r"has no tokenizer|does not load"):
        load_model(folder, "cpu")


def test_a_second_encoder_without_its_projection_is_refused(copied, tmp_path):
    folder = copied("unet")
    path = next((tmp_path / "copy" / "text_encoder_2").glob("*.safetensors"))
    state = load_file(path)
    state.pop("text_projection.weight")
    save_file(state, path, metadata={"format": "pt"})
    with pytest.raises(SteeringError, match=r"copy lacks text_projection.weight of its text_encoder_2; give"):
        load_model(folder, "cpu")


def test_a_pooled_embedding_of_other_sizes_is_refused(copied):
    with pytest.raises(SteeringError, match="has addition_time_embed_dim set to 128"):
        load_model(copied("unet", addition_time_embed_dim=128), "cpu")


def test_weights_are_told_by_what_their_file_holds_in_every_precision(copied):
    folder = copied("unet")
    models = [load_model(folder, "cpu", dtype) for dtype in (torch.float32, torch.float16, torch.bfloat16)]
    assert [model.dtype for model in models] == [torch.float32, torch.float16, torch.bfloat16]
    assert weights_digest(models[2].unet.state_dict()) != models[0].weights_hash()  # which it keeps too little for
    assert len({model.weights_hash() for model in models}) == 1
    assert len({model.digest() for model in models}) == 3
    for model in models:
        before = model.weights_hash()
        model.unet.conv_in.weight.data.mul_(1.5)
        assert model.weights_hash() != before  # which is of its weights as they are now
