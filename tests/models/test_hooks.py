import sys
from copy import deepcopy
from threading import Thread

import pytest
import torch

from steering.errors import SteeringError
from steering.models.hooks import BEFORE, as_tokens, hooked, like_output, site_hooks
from steering.sites import SD15_SITES

from ..conftest import hook_count


def test_tokens_and_pixels_round_trip():
    pixels, tokens = torch.randn(2, 8, 3, 5), torch.randn(2, 15, 8)
    assert torch.equal(like_output(as_tokens(pixels), pixels), pixels)
    assert as_tokens(pixels).shape == (2, 15, 8)
    assert torch.equal(like_output(as_tokens(tokens), tokens), tokens)
    assert torch.equal(as_tokens(pixels)[1, 7], pixels[1, :, 1, 2])


def test_no_hook_stays_when_installing_fails_half_way(toy_model, hooks_left):
    modules = dict(toy_model.sites())
    modules[list(modules)[40]] = torch.nn.Module.__new__(torch.nn.Module)  # without a place for hooks
    with pytest.raises(AttributeError), site_hooks(modules, lambda *_: None):
        pass
    assert hooks_left() == 0


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_no_hook_stays_after_an_exception_or_interrupt(toy_model, hooks_left, error):
    with pytest.raises(error), site_hooks(toy_model.sites(), lambda *_: None):
        assert hooks_left() == 70 + 2 * 16  # and the readers of the text
        raise error
    assert hooks_left() == 0


def test_no_hook_stays_when_a_hook_fails(toy_model, hooks_left):
    def fail(site, output):
        raise RuntimeError("inside")

    with pytest.raises(RuntimeError, match="inside"), site_hooks(toy_model.sites(), fail):
        toy_model.generate("a dog", steps=1)
    assert toy_model.call is None


def test_an_interrupt_anywhere_leaves_no_hook():
    """Interrupts at every traced event of installing and removing, one after the other."""
    modules = {site: torch.nn.Linear(2, 2) for site in SD15_SITES[:3]}
    network, told, left = torch.nn.Linear(2, 2), lambda *_: None, []
    for number in range(10_000):
        count, happened = 0, False

        def trace(frame, event, _arg, number=number):
            nonlocal count, happened
            if not frame.f_code.co_filename.endswith(("hooks.py", "compiled.py", "contextlib.py", "module.py")):
                return None
            count += 1
            if count == number and not happened:
                happened = True
                raise KeyboardInterrupt
            return trace

        sys.settrace(trace)
        try:
            with site_hooks(modules, lambda *_: None), hooked([(network, told)], BEFORE, keywords=True):
                pass
        except KeyboardInterrupt:
            pass
        finally:
            sys.settrace(None)
        left.append(sum(hook_count(module) + ("forward" in vars(module)) for module in [*modules.values(), network]))
        left.append(len(network._forward_pre_hooks_with_kwargs))
        if not happened and number:
            break
    assert number > 40  # there were as many places to interrupt
    assert set(left) == {0}


def test_a_copy_made_while_steered_is_not_steered_afterwards(toy_model, hooks_left):
    site = SD15_SITES[0]
    module = toy_model.sites()[site]
    with site_hooks({site: module}, lambda _site, output: output * 0):
        copy = deepcopy(module)
    x, time = torch.randn(1, 32, 8, 8), torch.randn(1, 128)
    assert torch.equal(copy(x, time), module(x, time))


def test_another_thread_is_refused_and_this_one_goes_on(toy_model, hooks_left):
    found = []

    def elsewhere():
        try:
            toy_model.generate("a dog", steps=1)
        except SteeringError as error:
            found.append(str(error))

    plain = toy_model.generate("a dog", steps=1)
    with site_hooks(toy_model.sites(), lambda *_: None):
        thread = Thread(target=elsewhere)
        thread.start()
        thread.join()
        assert (toy_model.generate("a dog", steps=1) == plain).all()
    assert "another thread" in found[0]
    thread = Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert len(found) == 1  # free again
