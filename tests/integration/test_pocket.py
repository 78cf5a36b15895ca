"""The embedded model in ComfyUI is the embedded model of the command line."""

import torch


def test_text_embeddings_match(graph, headless):
    text = "a dog and a cat in the snow in the style of Van Gogh"
    ours, theirs = headless.model.encode([text]), graph.encode(text)[0][0]
    torch.testing.assert_close(theirs, ours, atol=1e-5, rtol=0)  # float32 noise of three layers
    assert (ours - headless.model.encode(["a key"])).abs().max() > 0.1


def test_latents_and_pictures_match(graph, headless):
    theirs, ours = graph.sample(batch=2), headless.sample(batch=2)
    # Latents reach 10; float32 noise of four steps and the two paths' sigmas (5e-5 apart) stay below this.
    torch.testing.assert_close(theirs, ours, atol=2e-3, rtol=0)
    picture = graph.comfy.VAEDecode().decode(graph.vae, {"samples": theirs})[0]
    same = torch.from_numpy(headless.model.decode(ours)).float() / 255
    assert (picture - same).abs().max() < 1.5 / 255  # rounding to bytes, and the noise above
    assert picture.std() > 0.05  # four steps draw a pale picture, but no blank


def test_the_vae_encodes_what_it_decodes_also_in_tiles(graph):
    latents = graph.sample()
    picture = graph.vae.decode(latents)
    again = graph.vae.decode(graph.vae.encode(picture))
    # Only clipping at black and white is lost.
    assert (again - picture).abs().mean() < 0.02
    tiled = graph.vae.decode_tiled(latents, tile_x=4, tile_y=4, overlap=1)
    torch.testing.assert_close(tiled, picture, atol=1e-4, rtol=0)  # patches do not overlap, so tiles change nothing


def test_previews_show_the_colours_of_the_picture(graph):
    latents = graph.sample()
    form = graph.model.model.latent_format
    preview = latents[0].movedim(0, -1) @ torch.tensor(form.latent_rgb_factors)
    preview = (preview + torch.tensor(form.latent_rgb_factors_bias) + 1) / 2
    picture = graph.vae.decode(latents)[0]
    means = picture.unflatten(0, (8, 8)).unflatten(2, (8, 8)).mean((1, 3))
    assert (preview.clamp(0, 1) - means).abs().mean() < 0.03  # clipping inside a patch moves its mean a little
