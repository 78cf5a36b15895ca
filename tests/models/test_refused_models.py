"""A narrow SD 1.5 as a diffusers folder, and what becomes of it when its files say something else."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from steering.errors import SteeringError
from steering.models.loading import SD15, load_model
from steering.schedule import NoiseSchedule


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
    from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline
    from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    torch.manual_seed(0)
    text = CLIPTextConfig(
        hidden_size=768,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=8,
        bos_token_id=0,
        eos_token_id=2,
    )
    pipeline = StableDiffusionPipeline(
        vae=AutoencoderKL(
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            block_out_channels=(4,) * 4,
            norm_num_groups=4,
        ),
        text_encoder=CLIPTextModel(text),
        tokenizer=CLIPTokenizer.from_pretrained(SD15 / "tokenizer"),
        unet=UNet2DConditionModel(block_out_channels=(320, 32, 32, 32), cross_attention_dim=768, sample_size=8),
        scheduler=EulerDiscreteScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear"),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    place = tmp_path_factory.mktemp("models") / "narrow"
    pipeline.save_pretrained(place)
    return place


@pytest.fixture
def changed(folder, tmp_path):
    """A copy of the folder with some of its settings changed."""

    def change(part, **settings):
        place = tmp_path / "model"
        shutil.copytree(folder, place)
        path = next((place / part).glob("*config.json"))
        path.write_text(json.dumps({**json.loads(path.read_text()), **settings}))
        return str(place)

    return change


def test_the_folder_draws_as_it_is(folder):
    model = load_model(str(folder), "cpu")
    assert model.generate("a (dog:1.2)", steps=1).shape == (1, 64, 64, 3)
    assert torch.equal(model.schedule.sigmas, NoiseSchedule.scaled_linear().sigmas)


def test_its_own_noise_schedule_is_honoured(changed):
    model = load_model(changed("scheduler", beta_schedule="linear"), "cpu")
    assert torch.equal(model.schedule.sigmas, NoiseSchedule.linear(0.00085, 0.012).sigmas)


def test_trained_betas_are_honoured(changed):
    betas = torch.linspace(0.001, 0.01, 1000).tolist()
    model = load_model(changed("scheduler", trained_betas=betas), "cpu")
    torch.testing.assert_close(model.schedule.sigmas, NoiseSchedule.from_betas(torch.tensor(betas)).sigmas)


@pytest.mark.parametrize(
    ("part", "settings", "words"),
    [
        ("scheduler", {"rescale_betas_zero_snr": True}, "in which there is no noise to predict"),
        ("scheduler", {"beta_schedule": "sigmoid"}, "sigmoid"),
        ("scheduler", {"beta_start": "x"}, "beta_start 'x', which must be a number between 0 and 1"),
        ("scheduler", {"beta_schedule": None}, "has beta_schedule None, which is not one of scaled_linear, linear"),
        ("unet", {"mid_block_type": None}, r"holds .* in its unet, which unet/config.json does not know"),
        ("scheduler", {"beta_end": None}, "beta_end None, which must be a number"),
        ("scheduler", {"num_train_timesteps": 0}, "num_train_timesteps 0, which must be a whole number from 2"),
        ("scheduler", {"trained_betas": ["x"]}, "must be a list of numbers"),
        ("scheduler", {"trained_betas": [0.0, 0.1]}, "must be finite noise levels above 0 that rise"),
        ("scheduler", {"sigma_data": 0.5}, "a noise schedule of EDM's kind"),
        ("scheduler", {"prediction_type": "flow"}, "prediction 'flow' is not one of"),
        ("unet", {"cross_attention_dim": 1024}, "does not load as a model of Stable Diffusion 2"),
        (
            "unet",
            {"cross_attention_dim": 1000},
            r"text width 1000, which is none of Stable Diffusion 1 \(768\), Stable",
        ),
        ("unet", {"in_channels": 9}, "9 channels, as models for inpainting"),
        ("vae", {"latents_mean": [0.1] * 4}, "a VAE with latents_mean"),
        ("vae", {"shift_factor": 0.1}, "a VAE with shift_factor"),
        ("vae", {"scaling_factor": None}, "scaling_factor None, which must be a number above 0"),
        ("unet", {"time_cond_proj_dim": 256}, "has time_cond_proj_dim set to 256, as distilled"),
    ],
)
def test_what_would_be_drawn_wrongly_is_refused(changed, part, settings, words):
    with pytest.raises(SteeringError, match=words):
        load_model(changed(part, **settings), "cpu")


@pytest.mark.parametrize("part", ["unet", "text_encoder", "vae"])
def test_a_cut_file_is_refused_in_one_sentence(folder, tmp_path, part):
    place = tmp_path / "model"
    shutil.copytree(folder, place)
    path = next((place / part).glob("*.safetensors"))
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(SteeringError, match="model does not load as a model of Stable Diffusion 1"):
        load_model(str(place), "cpu")


@pytest.mark.parametrize(
    ("part", "tensor"),
    [
        ("text_encoder", "text_model.encoder.layers.0.mlp.fc1.weight"),
        ("unet", "down_blocks.1.resnets.0.conv1.weight"),
        ("vae", "decoder.conv_in.bias"),
    ],
)
def test_a_part_that_lacks_a_tensor_is_refused_and_not_filled_with_random_numbers(folder, tmp_path, part, tensor):
    place = tmp_path / "model"
    shutil.copytree(folder, place)
    path = next((place / part).glob("*.safetensors"))
    state = load_file(path)
    names = [name for name in state if name.endswith(tensor.removeprefix("text_model."))]
    for name in names:
        state.pop(name)
    assert len(names) == 1
    save_file(state, path, metadata={"format": "pt"})
    with pytest.raises(SteeringError, match=f"model lacks .*{tensor.removeprefix('text_model.')} of its {part}; give"):
        load_model(str(place), "cpu")


def test_a_cut_tokenizer_is_refused(folder, tmp_path):
    cut = {"merges.txt": "cuts words otherwise", "tokenizer_config.json": "says how prompts are padded"}
    for file, words in cut.items():
        place = tmp_path / file
        shutil.copytree(folder, place)
        for path in (place / "tokenizer").glob("tokenizer.json"):  # which would do in its place
            path.unlink()
        path = place / "tokenizer" / file
        if file == "merges.txt":
            vocabulary = json.loads((SD15 / "tokenizer" / "vocab.json").read_text())
            (place / "tokenizer" / "vocab.json").write_text(json.dumps(vocabulary))
            lines = (SD15 / "tokenizer" / "merges.txt").read_text().splitlines()
            path.write_text("\n".join(lines[:100]))
        else:
            path.unlink()
        with pytest.raises(SteeringError, match=words):
            load_model(str(place), "cpu")


def test_a_folder_of_half_precision_files_alone_loads(folder, tmp_path):
    place = tmp_path / "model"
    shutil.copytree(folder, place)
    for path in [*place.glob("*/*.safetensors")]:
        path.rename(path.with_name(path.name.replace(".safetensors", ".fp16.safetensors")))
    assert load_model(str(place), "cpu").weights_hash() == load_model(str(folder), "cpu").weights_hash()


def test_a_vae_of_no_numbers_is_an_error_and_no_black_picture(toy_model):
    weights = toy_model.vae.decoder.conv_in.weight.data
    before = weights.clone()
    weights.fill_(torch.nan)
    try:
        with pytest.raises(SteeringError, match=r"the VAE of .* makes no finite picture"):
            toy_model.generate("a dog", steps=2)
    finally:
        weights.copy_(before)


@pytest.mark.parametrize("dtype", ["float16", torch.int8, torch.float64])
def test_a_precision_is_one_of_three(dtype):
    with pytest.raises(SteeringError, match=r"dtype .* is not one of torch.float16, torch.bfloat16, torch.float32"):
        load_model("pocket", "cpu", dtype)


def test_pickles_are_not_read_even_where_there_is_nothing_else(folder, tmp_path):
    place = tmp_path / "model"
    shutil.copytree(folder, place)
    path = next((place / "unet").glob("*.safetensors"))
    torch.save(load_file(path), place / "unet" / "diffusion_pytorch_model.bin")
    path.unlink()
    with pytest.raises(SteeringError, match="does not load"):
        load_model(str(place), "cpu")
    with pytest.raises(SteeringError, match="pickled code"):
        load_model(str(tmp_path / "evil.CKPT"), "cpu")


def test_a_mistyped_path_is_no_hub_id(tmp_path, monkeypatch):
    (tmp_path / "models").mkdir()
    monkeypatch.chdir(tmp_path)
    for name in ("models/typo", "../x", "a/b/c", "a b/c", "-x/y"):
        with pytest.raises(FileNotFoundError, match="neither 'pocket'"):
            load_model(name)


@pytest.mark.parametrize("device", ["xla", "meta", "cuda:99", "nonsense", ""])
def test_devices_that_are_not_there_are_refused(device):
    with pytest.raises(SteeringError, match="device"):
        load_model("pocket", device)


def test_a_picture_that_is_not_finite_is_an_error_and_not_black(toy_model):
    bias = toy_model.unet.conv_out.bias
    bias.data[0] = torch.nan
    try:
        with pytest.raises(SteeringError, match="the picture is not finite"):
            toy_model.generate("a dog", steps=2)
    finally:
        bias.data[0] = 0.0


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"guidance": float("nan")}, "guidance"),
        ({"guidance": float("inf")}, "guidance"),
        ({"guidance": 1e308}, "guidance"),
        ({"steps": 0}, "steps 0"),
        ({"steps": 10**9}, "steps 1000000000"),
        ({"size": 0}, "size 0 x 0"),
        ({"size": 100_000}, "size 100000 x 100000"),
        ({"size": (64, 64, 64)}, r"size \(64, 64, 64\) must be one whole number, or a width and a height"),
        ({"size": 64.0}, "size 64.0 must be one whole number"),
        ({"batch": 0}, "batch 0 must be at least 1"),
        ({"batch": -1}, "batch -1 must be at least 1"),
        ({"seed": -1}, "seed -1"),
        ({"seed": 2**64}, "seed 18446744073709551616"),
    ],
)
def test_sampling_beyond_reason_is_refused(toy_model, how, words):
    with pytest.raises(SteeringError, match=words):
        toy_model.generate("a dog", **{"steps": 1, **how})
