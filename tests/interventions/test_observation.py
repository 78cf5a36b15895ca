import pytest
import torch

from steering.interventions.engine import Steering
from steering.interventions.entry import Entry, make_entry
from steering.interventions.observation import observe, settle, steer_and_observe, table
from steering.interventions.presets import EditSettings
from steering.interventions.steer import steer
from steering.models.call import Call
from steering.sites import Site
from steering.vectors.site import SiteVector
from steering.vectors.vector import SteeringVector

SIGMAS = torch.tensor([5.0, 1.0])


SITE, WIDTH = Site.parse("in4.attn2"), 8


def one_direction(active=(True, False)):
    row = torch.zeros(2, 1, WIDTH)
    row[..., 0] = 1
    part = SiteVector(row, torch.zeros(2, WIDTH), row[:, 0], torch.tensor(active))
    return SteeringVector({SITE: part}, SIGMAS, SIGMAS)


def run(entry, call, output):
    after = Steering([entry]).edit(SITE, output, call)
    return settle(observe([entry], SITE, output, output if after is None else after, call))


def test_the_figures_are_those_of_the_acting_rows():
    output = torch.zeros(2, 4, WIDTH)
    output[1, :, 0] = torch.tensor([4.0, 4.0, -4.0, 0.0])  # the prompt's row
    output[0] = 100  # the negative prompt's, which is not steered
    (seen,) = run(
        Entry(one_direction(), 1.0, EditSettings("zero", "positive")), Call((5.0, 5.0), (False, True)), output
    )
    assert (seen.site, seen.sigma, seen.entry) == (SITE, 5.0, 0)
    assert seen.before == pytest.approx(1.0)
    assert seen.after == pytest.approx(-1.0)  # the two tokens above zero are at zero now
    assert seen.touched == pytest.approx(0.5)


def test_where_nothing_acts_nothing_is_seen():
    output = torch.randn(1, 4, WIDTH)
    assert run(Entry(one_direction(), 1.0, EditSettings("zero", "all")), Call((1.0,), (True,)), output) == []
    assert run(Entry(one_direction(), 1.0, EditSettings("zero", "all")), Call((5.0,), (False,)), output) == []


def test_strength_zero_is_seen_and_moves_nothing():
    output = torch.randn(1, 4, WIDTH)
    (seen,) = run(Entry(one_direction(), 0.0, EditSettings("zero", "all")), Call((5.0,), (True,)), output)
    assert (seen.before, seen.touched) == (seen.after, 0.0)
    assert seen.before == pytest.approx(float(output[0, :, 0].mean()))


def test_every_token_keeps_its_place_and_picture():
    output = torch.randn(4, 4, WIDTH)
    call = Call((5.0,) * 4, (False, False, True, True), (2, 2), batch=2)
    (seen,) = run(Entry(one_direction(), 1.0, EditSettings("zero", "all")), call, output)
    assert (seen.pictures, seen.latent) == ((0, 1), (2, 2))
    torch.testing.assert_close(seen.tokens[0], output[2:, :, 0].half(), atol=0, rtol=0)
    assert seen.tokens[1].abs().max() < 1e-6  # strength 1 and reference zero: nothing is left but float32 rounding


def test_tokens_are_those_of_the_prompts_whichever_rows_come_first():
    output = torch.randn(4, 4, WIDTH)
    for conditional in ((False, False, True, True), (True, True, False, False)):
        call = Call((5.0,) * 4, conditional, (2, 2), batch=2)
        (both,) = run(Entry(one_direction(), 1.0, EditSettings("zero", "all", False, "both")), call, output)
        (cond,) = run(Entry(one_direction(), 1.0, EditSettings("zero", "all", False, "cond")), call, output)
        assert torch.equal(both.tokens, cond.tokens)
        assert both.pictures == cond.pictures == (0, 1)
        assert both.before == pytest.approx(float(output[..., 0].mean()), abs=1e-6)  # of all rows that are moved
    (negative,) = run(
        Entry(one_direction(), 1.0, EditSettings("zero", "all", False, "both")), Call((5.0,), (False,)), output[:1]
    )
    assert negative.pictures == ()
    assert negative.tokens.shape[1] == 0


def test_observing_changes_no_bit_of_the_picture(toy_model, hooks_left):
    site = Site.parse("in4.attn2")
    row = torch.nn.functional.normalize(torch.randn(2, 1, 64), dim=-1)
    part = SiteVector(row, torch.zeros(2, 64), row[:, 0], torch.tensor([True, True]))
    entry = make_entry(SteeringVector({site: part}, SIGMAS, SIGMAS), strength=1.5, preset="projection")

    def picture():
        return toy_model.generate("a dog", steps=3)

    plain = picture()
    with steer(toy_model, [entry]):
        steered = picture()
    with steer_and_observe(toy_model, [entry]) as seen:
        assert (picture() == steered).all()
    assert not (plain == steered).all()
    assert {(one.site, one.touched) for one in settle(seen)} == {(site, 1.0)}
    with steer_and_observe(toy_model, [make_entry(entry.vector, strength=0.0, preset="projection")]) as seen:
        assert (picture() == plain).all()
    assert len(seen) == 3


def test_the_table_has_a_line_a_site():
    output = torch.randn(1, 4, WIDTH)
    seen = run(Entry(one_direction(), 1.0, EditSettings("zero", "all")), Call((5.0,), (True,)), output)
    header, line = table(seen).splitlines()
    assert header.split() == ["site", "levels", "before", "after", "tokens"]
    assert line.split()[0] == "in4.attn2"
    assert line.split()[-1] == "100.0%"
