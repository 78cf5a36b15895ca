"""The embedded model in ComfyUI is the embedded model of the command line."""

import torch


def test_text_embeddings_match(graph, headless):
    text = "a dog and a cat in the snow in the style of Van Gogh"
    ours, theirs = headless.model.encode([text]).context, graph.encode(text)[0][0]
    torch.testing.assert_close(theirs, ours, atol=1e-5, rtol=0)  # float32 noise of three layers
    assert (ours - headless.model.encode(["a key"]).context).abs().max() > 0.1


@torch.inference_mode()
def test_latents_and_pictures_match(graph, headless):
    theirs, ours = graph.sample(batch=2), headless.sample(batch=2)
    # Latents reach 10; float32 noise of four steps and the two paths' sigmas (5e-5 apart) stay below this.
    torch.testing.assert_close(theirs, ours, atol=2e-3, rtol=0)
    picture = graph.comfy.VAEDecode().decode(graph.vae, {"samples": theirs})[0]
    same = torch.from_numpy(headless.decode(ours)).float() / 255
    assert (picture - same).abs().max() < 1.5 / 255  # rounding to bytes, and the noise above
    assert picture.std() > 0.05  # four steps draw a pale picture, but no blank


@torch.inference_mode()
def test_the_vae_is_the_stock_class_and_encodes_what_it_decodes(graph):
    from comfy.ldm.models.autoencoder import AutoencoderKL

    assert type(graph.vae.first_stage_model) is AutoencoderKL
    latents = graph.sample(steps=8)
    picture = graph.vae.decode(latents)
    again = graph.vae.decode(graph.vae.encode(picture))
    assert picture.std() > 0.1  # there is something to lose
    assert (again - picture).abs().mean() < 0.03  # as much as a small autoencoder loses


@torch.inference_mode()
def test_previews_show_the_colours_of_the_picture(graph):
    from comfy.latent_formats import SD15

    latents = graph.sample(steps=8)
    form = graph.model.model.latent_format
    assert type(form) is SD15
    preview = form.process_in(latents)[0].movedim(0, -1) @ torch.tensor(form.latent_rgb_factors)
    preview = (preview + torch.tensor(form.latent_rgb_factors_bias) + 1) / 2
    picture = graph.vae.decode(latents)[0]
    means = picture.unflatten(0, (8, 8)).unflatten(2, (8, 8)).mean((1, 3))
    assert (preview.clamp(0, 1) - means).abs().mean() < 0.08  # a linear map of four numbers
    assert means.std() > 0.08
