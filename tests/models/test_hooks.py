import pytest
import torch

from steering.models.hooks import as_tokens, like_output, site_hooks


def test_tokens_and_pixels_round_trip():
    pixels, tokens = torch.randn(2, 8, 3, 5), torch.randn(2, 15, 8)
    assert torch.equal(like_output(as_tokens(pixels), pixels), pixels)
    assert as_tokens(pixels).shape == (2, 15, 8)
    assert torch.equal(like_output(as_tokens(tokens), tokens), tokens)
    assert torch.equal(as_tokens(pixels)[1, 7], pixels[1, :, 1, 2])


def test_no_hook_stays_when_installing_fails_half_way(toy_model, hooks_left):
    modules = dict(toy_model.sites())
    modules[list(modules)[40]] = "not a module"
    with pytest.raises(AttributeError), site_hooks(modules, lambda *_: None):
        pass
    assert hooks_left() == 0


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_no_hook_stays_after_an_exception_or_interrupt(toy_model, hooks_left, error):
    with pytest.raises(error), site_hooks(toy_model.sites(), lambda *_: None):
        assert hooks_left() == 70
        raise error
    assert hooks_left() == 0


def test_no_hook_stays_when_a_hook_fails(toy_model, hooks_left):
    def fail(site, output):
        raise RuntimeError("inside")

    with pytest.raises(RuntimeError, match="inside"), site_hooks(toy_model.sites(), fail):
        toy_model.generate("a dog", steps=1)
    assert toy_model.call is None
