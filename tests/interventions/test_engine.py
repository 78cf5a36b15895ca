from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from steering.interventions.engine import Steering
from steering.interventions.entry import Entry
from steering.interventions.presets import EditSettings
from steering.models.call import Call
from steering.sites import TEXT, Site
from steering.vectors.site import SiteVector
from steering.vectors.vector import SteeringVector

from .conftest import BOTH, SIGMAS, edited, even, vector_for


def test_the_unconditional_half_is_untouched(toy_model):
    vector = vector_for(toy_model, ["in4.attn2"])
    entry = Entry(vector, 2.5, EditSettings("zero", "all", False, "cond"))
    output = torch.randn(4, 16, 64)
    result = Steering([entry]).edit(Site.parse("in4.attn2"), output, Call((5.0,) * 4, (False, True, False, True)))
    assert torch.equal(result[[0, 2]], output[[0, 2]])
    assert not torch.equal(result[[1, 3]], output[[1, 3]])
    nobody = Steering([entry]).edit(Site.parse("in4.attn2"), output, Call((5.0,) * 4, (False,) * 4))
    assert nobody is None


@given(
    flags=st.lists(st.booleans(), min_size=1, max_size=5),
    layout=st.sampled_from(["tokens", "pixels", "channels last"]),
    dtype=st.sampled_from([torch.float32, torch.float16]),
    seed=st.integers(0, 1000),
)
def test_rows_are_steered_as_alone_wherever_they_stand_and_others_keep_every_bit(flags, layout, dtype, seed):
    site, sigmas = Site.parse("in4.attn2"), torch.tensor([5.0])
    generator = torch.Generator().manual_seed(seed)
    row = torch.nn.functional.normalize(torch.randn(1, 2, 8, generator=generator), dim=-1)
    row = torch.linalg.qr(row[0].mT)[0].mT[None]
    part = SiteVector(row, torch.randn(1, 8, generator=generator), row[:, 0], torch.tensor([True]))
    entry = Entry(SteeringVector({site: part}, sigmas, sigmas), 1.5, EditSettings("negative", "all", False, "cond"))
    shape = (len(flags), 6, 8) if layout == "tokens" else (len(flags), 8, 2, 3)
    output = torch.randn(shape, generator=generator).to(dtype)
    output.flatten()[::5] = -0.0  # the sign of nothing counts as a bit
    if layout == "channels last":
        output = output.contiguous(memory_format=torch.channels_last)
    made = Steering([entry]).edit(site, output, Call((5.0,) * len(flags), tuple(flags)))
    if not any(flags):
        assert made is None
        return
    assert made.shape == output.shape
    assert made.dtype == dtype
    for i, steered in enumerate(flags):
        if steered:
            alone = Steering([entry]).edit(site, output[i : i + 1], Call((5.0,), (True,)))
            # Batched products round elsewhere; one unit in the last place of half precision is 1e-3.
            torch.testing.assert_close(made[i : i + 1], alone, atol=1e-5 if dtype == torch.float32 else 4e-3, rtol=1e-3)
            assert not torch.equal(made[i], output[i])
        else:
            bits = torch.int32 if dtype == torch.float32 else torch.int16
            assert torch.equal(made[i].contiguous().view(bits), output[i].contiguous().view(bits))


def test_a_threshold_moves_along_with_a_row_that_is_turned():
    """A token at the negative mean lies below the threshold of either vector, alone and together."""
    site, sigmas = Site.parse("in4.attn2"), torch.tensor([5.0])
    mean = torch.tensor([[-10.0, 5.0, 0.0]])

    def vector(direction, threshold):
        row = torch.nn.functional.normalize(torch.tensor([[direction]]), dim=-1)
        part = SiteVector(row, mean, row[:, 0], torch.tensor([True]), torch.tensor([[threshold]]))
        return SteeringVector({site: part}, sigmas, sigmas)

    settings = EditSettings("negative", "threshold", False, "both")
    first, second = (Entry(vector(*v), 1.0, settings) for v in (((1.0, 0.0, 0.0), -9.0), ((1.0, 1.0, 0.0), -3.0)))
    call = Call((5.0,), (True,))
    output = mean[None].clone()
    for entries in ([first], [second], [first, second], [second, first]):
        assert torch.equal(Steering(entries).edit(site, output, call), output)
    above = output + torch.tensor([0.0, 3.0, 0.0])  # the second vector's concept
    assert not torch.equal(Steering([first, second]).edit(site, above, call), above)


def test_a_mask_confines_the_edit_to_its_tokens_and_follows_the_batch(toy_model):
    vector, site = vector_for(toy_model, ["in4.attn2"]), Site.parse("in4.attn2")
    mask = torch.zeros(2, 8, 8)
    mask[0, :, :4] = 1  # the left half of the first picture, nothing of the second
    output, call = torch.randn(4, 16, 64), Call((5.0,) * 4, (False, False, True, True), (8, 8))
    result = Steering([Entry(vector, 2.5, BOTH, mask=mask)]).edit(site, output, call).reshape(4, 4, 4, 64)
    before = output.reshape(4, 4, 4, 64)
    for row in (0, 2):
        assert not torch.equal(result[row, :, :2], before[row, :, :2])
        assert torch.equal(result[row, :, 2:], before[row, :, 2:])
    assert torch.equal(result[[1, 3]], before[[1, 3]])
    # Which mask a picture gets does not depend on how many chunks run together.
    alone = Steering([Entry(vector, 2.5, BOTH, mask=mask)]).edit(site, output[:1], Call((5.0,), (True,), (8, 8)))
    batched = Call((5.0,) * 2, (False, True), (8, 8), batch=1)
    again = Steering([Entry(vector, 2.5, BOTH, mask=mask)]).edit(site, output[:1].repeat(2, 1, 1), batched)
    torch.testing.assert_close(again[1:], alone, atol=1e-6, rtol=0)  # batched matmul rounding
    with pytest.raises(ValueError, match="size of the latents"):
        Steering([Entry(vector, 2.5, BOTH, mask=mask)]).edit(site, output, Call((5.0,) * 4, (True,) * 4))
    with pytest.raises(ValueError, match=r"\[M, H, W\]"):
        Entry(vector, 2.5, BOTH, mask=mask[0])


def test_rows_of_other_noise_levels_get_their_own_direction(toy_model):
    vector, site = vector_for(toy_model, ["in4.attn2"]), Site.parse("in4.attn2")
    steering = Steering([Entry(vector, 1.0, BOTH)])
    output = torch.randn(2, 16, 64)
    levels = (float(SIGMAS[0]), float(SIGMAS[2]))
    together = steering.edit(site, output, Call(levels, (True, True)))
    for row, level in enumerate(levels):
        alone = steering.edit(site, output[row : row + 1], Call((level,), (True,)))
        torch.testing.assert_close(together[row : row + 1], alone, atol=1e-6, rtol=0)  # batched matmul rounding


def test_a_zero_entry_takes_no_part(toy_model):
    site = Site.parse("in4.attn2")
    a, b = vector_for(toy_model, ["in4.attn2"], 1), vector_for(toy_model, ["in4.attn2"], 2)
    output, call = torch.randn(1, 16, 64), Call((5.0,), (True,))
    alone = Steering([Entry(b, 1.0, BOTH)]).edit(site, output, call)
    assert torch.equal(alone, Steering([Entry(a, 0.0, BOTH), Entry(b, 1.0, BOTH)]).edit(site, output, call))


def test_suppression_comes_first_then_replacement_then_addition(toy_model):
    a, b, c = (vector_for(toy_model, ["in4.attn2"], seed) for seed in (1, 2, 3))
    output = torch.randn(1, 16, 64)
    entries = [
        Entry(c, 1.0, BOTH, mode="add"),
        Entry(b, 1.0, BOTH, mode="replace", target=c),
        Entry(a, 1.0, BOTH),
    ]
    in_turn = output
    for entry in reversed(entries):
        in_turn = edited([entry], in_turn)
    for order in (entries, entries[::-1]):
        torch.testing.assert_close(edited(order, output), in_turn, atol=1e-5, rtol=0)
    other = edited([entries[2]], edited([entries[0]], output))  # the order matters
    assert not torch.allclose(other, edited([entries[0]], edited([entries[2]], output)), atol=1e-3)


def test_vectors_with_readouts_of_their_own_act_one_after_the_other():
    site, sigmas, call = Site.parse("in4.attn2"), torch.tensor([5.0]), Call((5.0,), (True,))

    def entry(seed):
        generator = torch.Generator().manual_seed(seed)
        row = torch.nn.functional.normalize(torch.randn(1, 1, 8, generator=generator), dim=-1)
        read, mean, gap = (torch.randn(1, *shape, generator=generator) for shape in ((1, 8), (8,), (8,)))
        part = SiteVector(row, mean, gap, torch.tensor([True]), readout=read)
        return Entry(SteeringVector({site: part}, sigmas, sigmas), 1.0, EditSettings("negative", "all", False, "both"))

    first, second, x = entry(1), entry(2), torch.randn(1, 4, 8)
    after = Steering([first]).edit(site, x, call)
    both = Steering([first, second]).edit(site, x, call)
    assert torch.equal(both, Steering([second]).edit(site, after, call))
    assert not torch.equal(both, Steering([second, first]).edit(site, x, call))


class Passes(TorchDispatchMode):
    """Names of the operators that read or write tensors; views cost nothing."""

    def __init__(self):
        super().__init__()
        self.names = []

    def __torch_dispatch__(self, operator, types, args=(), kwargs=None):
        name = operator.__name__.split(".")[0]
        if not operator.is_view and name != "_unsafe_view":
            self.names.append(name)
        return operator(*args, **(kwargs or {}))


@pytest.mark.parametrize(
    ("shape", "read"), [((2, 6, 8), ["addmm"]), ((2, 8, 2, 3), ["mm", "add"])], ids=["tokens", "pixels"]
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_how_often_a_site_s_output_is_passed_over(shape, read, dtype):
    """On a GPU each pass is a kernel, and the number of kernels is what steering costs there."""
    site = Site.parse("in4.attn2")
    steering = Steering([Entry(even(site), 1.0, EditSettings("negative", "positive"))])
    output, call = torch.randn(shape).to(dtype), Call((5.0, 5.0), (True, False))
    steering.edit(site, output, call)  # lays out what later calls use
    with Passes() as passes:
        made = steering.edit(site, output, call)
    assert made.dtype == dtype
    convert = [] if dtype == torch.float32 else ["_to_copy"]
    assert passes.names == [*convert, *read, "relu", "baddbmm", "clone", "copy_"]


def test_rows_are_laid_out_once_a_level_of_the_vector_whatever_the_levels_of_the_run(toy_model, monkeypatch):
    vector, made, rows = vector_for(toy_model, ["in4.attn2"]), [], Entry.rows
    monkeypatch.setattr(Entry, "rows", lambda self, site, sigma: made.append(sigma) or rows(self, site, sigma))
    steering, output = Steering([Entry(vector, 1.0, BOTH)]), torch.randn(1, 3, 64)
    levels = torch.linspace(float(SIGMAS[0]), float(SIGMAS[-1]), 40).tolist()
    edits = [steering.edit(Site.parse("in4.attn2"), output, Call((level,), (True,))) for level in levels]
    assert len(made) == len({vector.knot(level) for level in levels}) == len(SIGMAS)
    for level, edit in zip(levels, edits, strict=True):
        assert torch.equal(edit, edited([Entry(vector, 1.0, BOTH)], output, level))


CALLS = st.tuples(st.sampled_from([9.0, 5.0, 1.0]), st.sampled_from([(True, False), (False, True), (True, True)]))


@given(
    calls=st.lists(st.tuples(CALLS, st.integers(0, 1), st.booleans()), min_size=2, max_size=6),
    dtype=st.sampled_from([torch.float32, torch.float16]),
)
def test_a_text_that_comes_again_becomes_what_it_would_alone(calls, dtype):
    """Whatever was steered before it: other texts, the same one changed in place, other rows, other noise levels."""
    entry = Entry(even(TEXT), 1.0, EditSettings("zero", "all"), window=(6.0, 0.0))
    steering = Steering([entry])
    texts = [torch.randn(2, 3, 8, generator=torch.Generator().manual_seed(seed)).to(dtype) for seed in (0, 1)]
    for (level, prompts), which, change in calls:
        if change:
            texts[which][0, 0] += 1
        call = Call((level, level), prompts)
        made = steering.edit(TEXT, texts[which], call)
        alone = Steering([entry]).edit(TEXT, texts[which], call)
        assert (made is None) == (alone is None) == (level == 9.0)
        assert made is None or torch.equal(made, alone)
        assert steering.edit(TEXT, texts[which], call) is made  # as every block of the call reads it


def test_a_text_is_steered_once_for_all_steps():
    steering = Steering([Entry(even(TEXT), 1.0, BOTH)])
    text, first = torch.randn(1, 3, 8), Call((5.0,), (True,))
    made = steering.edit(TEXT, text, first)
    assert not torch.equal(made, text)
    assert steering.edit(TEXT, text.clone(), replace(first, sigmas=(1.0,))) is made
    assert steering.edit(TEXT, text + 1, first) is not made


def test_what_stands_behind_the_words_keeps_every_bit():
    """Tokens of a style or a picture, which other nodes append to the text."""
    words, more = torch.randn(2, 77, 8), torch.randn(2, 8, 8)
    steering = Steering([Entry(even(TEXT), 1.0, BOTH)])
    call = Call((5.0, 5.0), (True, True))
    alone, both = steering.edit(TEXT, words, call), steering.edit(TEXT, torch.cat([words, more], 1), call)
    assert not torch.equal(alone, words)
    torch.testing.assert_close(both[:, :77], alone, atol=1e-6, rtol=0)  # sums over another layout round otherwise
    assert torch.equal(both[:, 77:], more)


def test_two_threads_are_each_given_their_own_text(monkeypatch):
    """As where a node of ComfyUI's runs the two halves of guidance on two devices."""
    steering = Steering([Entry(even(TEXT), 1.0, EditSettings("zero", "all", False, "cond"))])
    prompt, empty, call = torch.randn(1, 3, 8), torch.randn(1, 3, 8), Call((5.0,), (False,))
    edited_words = Steering._edited_words

    def interrupted(self, output, *more):
        made = edited_words(self, output, *more)
        if output is prompt:  # the other thread comes between
            assert steering.edit(TEXT, empty, call) is None
        return made

    monkeypatch.setattr(Steering, "_edited_words", interrupted)
    made = steering.edit(TEXT, prompt, Call((5.0,), (True,)))
    assert made is not None and not torch.equal(made, prompt)
    assert steering.edit(TEXT, empty, call) is None
