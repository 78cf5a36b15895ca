import torch

from steering.pocket import latents, train_vae, world
from steering.pocket.architecture import new_vae


def test_a_file_holds_its_pictures_and_is_made_once(tmp_path, monkeypatch):
    monkeypatch.setattr(latents, "CHUNK", 32)
    torch.manual_seed(0)
    vae = new_vae()
    train_vae.save(vae, tmp_path / "vae", scaling_factor=1.0)
    path = latents.encode_chunk(tmp_path / "vae", tmp_path, 5, 1)
    found = latents.load_file(path)["latents"]
    assert found.shape == (32, 4, 16, 16)
    picture = train_vae.to_tensor(world.training_example(5, 32)[0][None]) * 2 - 1  # file 1 begins with picture 32
    with torch.no_grad():
        expected = vae.encode(picture).latent_dist.mean[0]
    torch.testing.assert_close(found[0].float(), expected, atol=2e-2, rtol=2e-2)  # float16 weights and latents
    before = path.stat().st_mtime_ns
    assert latents.encode_chunk(tmp_path / "vae", tmp_path, 5, 1).stat().st_mtime_ns == before
    assert {p.name for p in tmp_path.glob("latents*")} == {"latents-5-0001.safetensors"}


def test_a_picture_is_called_something_else_the_next_time():
    scene = world.training_example(0, 3)[2]
    texts = {latents.caption_of(0, 3, turn) for turn in range(12)}
    assert len(texts) > 3
    assert all(world.PLACES[scene.background][0] in text for text in texts)
    assert latents.caption_of(0, 3, 1) == latents.caption_of(0, 3, 1)
