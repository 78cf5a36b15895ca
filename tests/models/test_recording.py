import torch

from steering.models.hooks import as_tokens
from steering.models.recording import on_cpu, record
from steering.sites import SD15_SITES, TEXT


def run(model):
    x, context = torch.randn(3, 4, 8, 8), torch.randn(3, 77, 64)
    with torch.no_grad():
        return lambda: model.unet(x, 500, context, return_dict=False)[0]


def test_the_output_is_bit_identical_with_hooks_on(toy_model, hooks_left):
    call = run(toy_model)
    with torch.no_grad():
        plain = call()
        with record(toy_model.sites()) as recording:
            watched = call()
    assert torch.equal(plain, watched)
    assert set(recording.latest) == {TEXT, *SD15_SITES}


def test_what_is_recorded_is_the_token_mean(toy_model, hooks_left):
    call, seen = run(toy_model), {}
    modules = toy_model.sites()
    handles = [m.register_forward_hook(lambda *a, s=s: seen.update({s: a[2]})) for s, m in modules.items()]
    with torch.no_grad(), record(modules) as recording:
        call()
    for handle in handles:
        handle.remove()
    taken = recording.take(slice(0, 2))
    for site, output in seen.items():
        assert torch.equal(taken[site], as_tokens(output).float().mean(1)[:2])
    assert recording.latest == {}


def test_values_of_many_shapes_come_to_the_cpu_as_they_are():
    values = {site: torch.randn(3, *shape) for site, shape in zip(SD15_SITES, [(5,), (2, 4), (7, 1)], strict=False)}
    made = on_cpu(values)
    assert list(made) == list(values)
    assert len({value.shape for value in values.values()}) > 1
    assert all(torch.equal(made[site], value) for site, value in values.items())
    assert on_cpu({}) == {}
