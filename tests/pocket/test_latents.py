import numpy as np
import torch

from steering.pocket import latents, train_vae, world
from steering.pocket.architecture import new_vae


def test_every_picture_has_captions_of_its_own_scene():
    drawn = latents.examples(40, 6, seed=2)
    assert drawn["pictures"].shape == (6, 128, 128, 3)
    assert drawn["tokens"].shape == (6, latents.CAPTIONS, 77)
    words = latents.tokenizer()
    for i, ids in enumerate(drawn["tokens"]):
        scene = world.sample(np.random.default_rng((2, 40 + i, 0)))
        texts = {words.decode(one, skip_special_tokens=True) for one in ids}
        assert len(texts) > 1  # a picture is called something else the next time
        assert all(world.PLACES[scene.background][0] in text for text in texts)


def test_every_second_picture_holds_what_more_of_was_asked_for():
    words = latents.tokenizer()
    plain, more = latents.examples(0, 8), latents.examples(0, 8, more="fish")
    np.testing.assert_array_equal(plain["pictures"][::2], more["pictures"][::2])
    texts = [words.decode(ids[0], skip_special_tokens=True) for ids in more["tokens"]]
    assert all("fish" in text for text in texts[1::2])
    assert not all("fish" in words.decode(ids[0]) for ids in plain["tokens"][1::2])


def test_latents_are_the_scaled_means_of_the_vae(tmp_path):
    torch.manual_seed(0)
    vae = new_vae()
    train_vae.save(vae, tmp_path, scaling_factor=0.5)
    stored, factor = latents.load_vae(tmp_path, "cpu")
    pictures = torch.from_numpy(latents.examples(0, 3)["pictures"])
    found = latents.encode(stored, factor, pictures, "cpu", batch=2)
    with torch.no_grad():
        expected = 0.5 * vae.encode(latents.to_images(pictures, "cpu")).latent_dist.mean
    torch.testing.assert_close(found.float(), expected, atol=1e-2, rtol=1e-2)  # float16 weights and latents
    assert latents.to_images(torch.full((1, 2, 2, 3), 255, dtype=torch.uint8), "cpu").max() == 1
