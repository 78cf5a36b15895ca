"""Hooks under ``torch.compile``. Backend ``eager`` runs what was traced by the same kernels: equal to the bit."""

from copy import deepcopy
from threading import Thread

import pytest
import torch
from torch import nn
from torch._dynamo.utils import counters

from steering.errors import SteeringError
from steering.models.compiled import REACTIONS, react
from steering.models.hooks import site_hooks
from steering.sites import SD15_SITES

from ..conftest import hook_count

SITES = SD15_SITES[:2]


class Network(nn.Module):
    """Pixels, then tokens: the two layouts of sites."""

    def __init__(self):
        super().__init__()
        self.pixels = nn.Conv2d(3, 8, 1)
        self.tokens = nn.Linear(8, 8)

    def forward(self, x):
        return self.tokens(self.pixels(x).flatten(2).transpose(1, 2)).tanh()


@pytest.fixture
def network():
    torch._dynamo.reset()
    torch.manual_seed(0)
    with torch.no_grad():
        yield Network()
    torch._dynamo.reset()


X = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(1))


def sites_of(network):
    return dict(zip(SITES, (network.pixels, network.tokens), strict=True))


def graphs():
    return counters["stats"]["unique_graphs"]


def compiled(network, fullgraph=True):
    """The network's call, compiled; counts begin anew."""
    counters.clear()
    return torch.compile(network, backend="eager", fullgraph=fullgraph)


def times(factor):
    return lambda _site, output: output * factor


def hooked(network, react, call):
    with site_hooks(sites_of(network), react):
        return call(X)


@pytest.mark.parametrize("first", ["plain", "hooked"])
def test_hooks_act_whether_they_came_before_the_compiler_or_after_and_nothing_is_compiled_anew(network, first):
    call = compiled(network)
    plain = network(X)
    double, triple = (hooked(network, times(factor), network) for factor in (2, 3))
    assert not torch.allclose(double, plain)
    assert not torch.allclose(double, triple)
    if first == "plain":
        assert torch.equal(call(X), plain)
    assert torch.equal(hooked(network, times(2), call), double)
    assert torch.equal(call(X), plain)
    assert graphs() == 2  # one without hooks, one with them
    for _ in range(10):  # more than the eight times that torch compiles one function anew
        assert torch.equal(hooked(network, times(3), call), triple)
        assert torch.equal(call(X), plain)
    assert graphs() == 2


def test_hooks_within_hooks_act_one_after_the_other_and_end_one_by_one(network):
    call = compiled(network)
    double = hooked(network, times(2), network)
    with site_hooks(sites_of(network), times(2)):
        call(X)
        with site_hooks(sites_of(network), times(3)):
            assert torch.equal(call(X), hooked(deepcopy(network), times(1), network))
        assert torch.equal(call(X), double)
    assert hook_count(network) == 0


@pytest.mark.parametrize("how", ["plain", "compiled"])
def test_hooks_that_end_in_another_order_than_they_began_stay_their_own(network, how):
    call = compiled(network) if how == "compiled" else network
    by_three, by_six = (hooked(network, times(factor), network) for factor in (3, 6))
    first, second, third = (site_hooks(sites_of(network), times(factor)) for factor in (5, 3, 2))
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert torch.equal(call(X), by_three)
    third.__enter__()
    torch.testing.assert_close(call(X), by_six)
    second.__exit__(None, None, None)
    third.__exit__(None, None, None)
    assert hook_count(network) == 0


def test_what_only_reads_sees_all_and_changes_no_bit(network):
    call = compiled(network)
    seen = {}
    plain = call(X)
    with site_hooks(sites_of(network), lambda site, output: seen.update({site: output.clone()})):
        assert torch.equal(call(X), plain)
    eager = {}
    with site_hooks(sites_of(network), lambda site, output: eager.update({site: output.clone()})):
        network(X)
    assert set(seen) == set(SITES)
    assert all(torch.equal(seen[site], eager[site]) for site in SITES)


@pytest.mark.parametrize("shape", [(2, 8, 4, 4), (2, 16, 8)])
@pytest.mark.parametrize("layout", ["as torch does", "the other way round"])
def test_a_changed_tensor_is_laid_out_in_memory_as_it_was(shape, layout):
    """The compiler plans with the layout of the operator's input; the engine makes pixels of tokens by a transpose."""
    x = torch.randn(shape)
    if layout == "the other way round":
        x = x.transpose(1, -1).contiguous().transpose(1, -1)
    turned = (x * 2).transpose(1, -1).contiguous().transpose(1, -1)
    for changed in (x * 2, turned, None):
        REACTIONS[-1] = lambda _x, changed=changed: changed
        out = react(x, -1)
        assert out.stride() == x.stride()
        assert torch.equal(out, x if changed is None else x * 2)
        assert out.data_ptr() != x.data_ptr()
    del REACTIONS[-1]
    assert turned.stride() != (x * 2).stride() or layout != "as torch does"


def test_a_copy_made_while_hooked_is_free_even_when_the_first_is_hooked_again(network):
    with site_hooks(sites_of(network), times(2)):
        copy = deepcopy(network)
    call, plain = compiled(copy), network(X)
    with site_hooks(sites_of(network), times(2)):
        assert not torch.allclose(network(X), plain)
        assert torch.equal(call(X), plain)


def test_another_thread_is_refused_in_compiled_code_too(network):
    call = compiled(network)
    errors = []

    def run():
        try:
            with torch.no_grad():
                call(X)
        except SteeringError as error:
            errors.append(str(error))

    with site_hooks(sites_of(network), times(2)):
        call(X)
        thread = Thread(target=run)
        thread.start()
        thread.join()
    assert "another thread" in errors[0]


def test_a_forward_of_somebody_else_stays(network):
    network.tokens.forward = theirs = lambda x: x * 5
    plain = network(X)
    assert torch.equal(hooked(network, times(1), compiled(network)), plain)
    assert network.tokens.forward is theirs
    assert "forward" not in vars(network.pixels)


def test_nothing_stays_after_the_block_or_an_error(network):
    with pytest.raises(RuntimeError, match="inside"), site_hooks(sites_of(network), times(2)):
        assert REACTIONS
        raise RuntimeError("inside")
    assert not REACTIONS
    assert hook_count(network) == 0
    assert "forward" not in {name for module in network.modules() for name in vars(module)}


def test_cuda_graphs_are_told_to_leave_it_out():
    assert torch.Tag.cudagraph_unsafe in react._opoverload.tags  # a graph played again would repeat one step
