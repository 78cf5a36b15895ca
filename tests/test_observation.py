import pytest
import torch

from steering.interventions import Settings
from steering.observation import observe, settle, table
from steering.sites import Site
from steering.steer import Call, Entry, Steering
from steering.vector import SiteVector, SteeringVector

SITE, WIDTH = Site.parse("in4.attn2"), 8
SIGMAS = torch.tensor([5.0, 1.0])


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
    (seen,) = run(Entry(one_direction(), 1.0, Settings("zero", "positive")), Call((5.0, 5.0), (False, True)), output)
    assert (seen.site, seen.sigma, seen.entry) == (SITE, 5.0, 0)
    assert seen.before == pytest.approx(1.0)
    assert seen.after == pytest.approx(-1.0)  # the two tokens above zero are at zero now
    assert seen.touched == pytest.approx(0.5)


def test_where_nothing_acts_nothing_is_seen():
    output = torch.randn(1, 4, WIDTH)
    assert run(Entry(one_direction(), 1.0, Settings("zero", "all")), Call((1.0,), (True,)), output) == []
    assert run(Entry(one_direction(), 0.0, Settings("zero", "all")), Call((5.0,), (True,)), output) == []
    assert run(Entry(one_direction(), 1.0, Settings("zero", "all")), Call((5.0,), (False,)), output) == []


def test_the_table_has_a_line_a_site():
    output = torch.randn(1, 4, WIDTH)
    seen = run(Entry(one_direction(), 1.0, Settings("zero", "all")), Call((5.0,), (True,)), output)
    header, line = table(seen).splitlines()
    assert header.split() == ["site", "calls", "before", "after", "tokens"]
    assert line.split()[0] == "in4.attn2"
    assert line.split()[-1] == "100.0%"
