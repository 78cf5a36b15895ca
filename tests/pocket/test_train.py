import json

import pytest
import torch

from steering.pocket import latents, train, train_vae
from steering.pocket.architecture import new_vae
from steering.pocket.backgrounds import PLACES
from steering.pocket.kinds import KINDS
from steering.schedule import NoiseSchedule


def test_the_schedule_is_stable_diffusions():
    alphas = train.alphas_cumulative()
    expected = NoiseSchedule.scaled_linear().sigmas
    # float32 of a product of a thousand factors
    torch.testing.assert_close(((1 - alphas) / alphas).sqrt().double(), expected, rtol=1e-4, atol=0)


def test_every_word_of_every_caption_has_a_trained_embedding():
    words = latents.tokenizer()
    seen = set(train.seen_tokens(words))
    assert set(latents.examples(0, 40)["tokens"].flatten().tolist()) <= seen
    assert len(seen) < 150
    nouns = [noun for kind in KINDS.values() for noun in kind.nouns]
    assert all(set(words(f"{noun} {place}").input_ids) <= seen for noun in nouns for place, _ in PLACES.values())


@pytest.fixture
def vae(tmp_path):
    """A folder of an untrained VAE."""
    torch.manual_seed(0)
    train_vae.save(new_vae(), tmp_path / "vae", scaling_factor=1.0)
    return tmp_path / "vae"


@pytest.fixture
def trainer(tmp_path, vae):
    """A trainer of batches of 16 with one file of random latents whose captions say their numbers."""
    made = train.Trainer(tmp_path, vae, 16, 1e-3, 0, "cpu")
    numbers = torch.arange(64)[:, None, None].expand(64, latents.CAPTIONS, latents.LENGTH)
    made.pool = [(torch.randn(64, 4, 16, 16).half(), numbers.int())]
    return made


def test_v_is_the_target_and_every_batch_sees_all_noise_levels(trainer):
    noisy, timesteps, tokens, v = trainer.batch()
    alpha = trainer.alphas[timesteps].view(-1, 1, 1, 1)
    clean = alpha.sqrt() * noisy - (1 - alpha).sqrt() * v
    known = trainer.pool[0][0].float()
    gaps, which = torch.cdist(clean.flatten(1), known.flatten(1)).min(1)
    # x0 = sqrt(a) x - sqrt(1 - a) v: pictures of the file come back, in float32
    assert gaps.max() < 2e-2
    assert (timesteps // 62.5).long().tolist() == list(range(16))
    captioned = tokens[:, 0] != trainer.empty[0, 0]
    assert torch.equal(tokens[captioned, 0], which[captioned])  # and with each its own caption
    assert captioned.any()


def test_one_caption_in_ten_is_left_out(trainer):
    left_out = [(trainer.batch()[2] == trainer.empty).all(1) for _ in range(60)]
    assert 0.06 < torch.cat(left_out).float().mean() < 0.14  # of 960, three standard deviations


def test_a_file_is_encoded_once_and_shown(tmp_path, vae):
    made = train.Trainer(tmp_path, vae, 2, 1e-3, 0, "cpu")
    part = {name: torch.from_numpy(value) for name, value in latents.examples(0, 3).items()}
    made.add(part)
    assert made.pool[0][0].shape == (3, 4, 16, 16)
    assert made.batch()[2].shape == (2, 77)


@pytest.mark.slow
def test_training_goes_on_where_it_stopped_and_exports_a_loadable_folder(tmp_path, vae, trainer):
    trainer.pool = [(trainer.pool[0][0], trainer.empty.int().expand(64, latents.CAPTIONS, -1))]
    for _ in range(2):
        trainer.step(1e-3)
    trainer.elapsed = 3.0
    trainer.save()
    resumed = train.Trainer(tmp_path, vae, 16, 1e-3, 1, "cpu")
    resumed.resume()
    assert (resumed.done, resumed.elapsed) == (32, 3.0)
    for one, other in zip(trainer.model.parameters(), resumed.model.parameters(), strict=True):
        assert torch.equal(one, other)
    resumed.pool = trainer.pool
    losses = []
    for each in (trainer, resumed):
        torch.manual_seed(9)
        each.rng = type(each.rng)(type(each.rng.bit_generator)(9))
        losses.append(float(each.step(1e-3)))
    # The same moments of the optimiser: the next step is the same; threads may sum it differently.
    torch.testing.assert_close(
        trainer.model.unet.conv_in.weight, resumed.model.unet.conv_in.weight, rtol=1e-4, atol=1e-6
    )
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    resumed.export(tmp_path)
    from steering.models.loading import _load_folder

    model = _load_folder(tmp_path, "x", torch.device("cpu"), torch.float32)
    assert model.generate("a dog", steps=1).shape == (1, 128, 128, 3)
    again = train.Trainer(tmp_path / "again", vae, 16, 1e-3, 1, "cpu")
    again.begin(tmp_path)
    stored = resumed.average.unet.conv_in.weight
    torch.testing.assert_close(again.model.unet.conv_in.weight, stored, atol=1e-3, rtol=1e-3)  # float16 between
    assert json.loads((tmp_path / "unet" / "config.json").read_text())["in_channels"] == 4
