import json
from dataclasses import replace

import pytest
import torch

from steering.evaluate.clip_score import PocketClip
from steering.evaluate.metrics import ClipScore, PixelChange, PocketJudge
from steering.interventions.entry import make_entry
from steering.interventions.steer import steer
from steering.lora.bake import obstacles
from steering.models.loading import load_model
from steering.study.choice import Outcome, choose, pareto
from steering.study.plan import Plan
from steering.study.results import Prepared
from steering.study.run import Study
from steering.study.subject import load_subject
from steering.tune.search import DEFAULT, Budget, planned_rows, search_of, write_table
from steering.tune.space import first_trials

TINY = Budget(trials=11, glance=(1, 1, 1), few=(2, 1, 1), steps=2, finals=2, all=(3, 2, 2))
PLAN = Plan(pairs=4, steps=3, size=64, batch=8)


def new_search(out, **options):
    model = load_model("pocket", "cpu")
    metrics = [PocketJudge(), ClipScore(PocketClip()), PixelChange()]
    return search_of(model, load_subject("dog", "pocket", PLAN), out, metrics, TINY, PLAN, **options)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """A finished search, what it took, what it told and the UNet rows that it announced."""
    told, rows = [], []
    search = new_search(
        tmp_path_factory.mktemp("tune"), tell=lambda name, some: told.append((name, len(some))), progress=rows.append
    )
    return search, search.run(), told, sum(rows)


def test_the_best_of_all_dev_prompts_is_taken_from_what_the_trials_found(found):
    search, made, told, rows = found
    assert [name for name, _ in told] == ["trial 10 of 11", "all dev prompts"]
    assert len(made.tried) + len(made.given_up) > len(first_trials())  # and one that was proposed
    assert TINY.finals <= len(made.finals) <= TINY.finals + 2  # the source study's and the default come besides
    assert ("projection", 2.5) in {(one.setting.preset, one.setting.strength) for one in made.finals}
    assert made.taken == choose(made.finals)
    assert max(made.finals, key=lambda one: one.worth) in pareto(made.finals)
    assert {one.setting for one in made.finals} <= set(made.tried)
    assert 0 < rows <= planned_rows(search)
    assert len({round(one.presence, 6) for one in made.tried.values()}) > 3  # settings do make a difference


def test_the_default_is_compared_on_all_prompts_however_it_did_on_few(found):
    """A few prompts are a rough judge, and what needs no search is what a search has to beat."""
    search, made, _, _ = found
    one = next(iter(made.tried.values()))
    tried = {setting: replace(one, setting=setting, clean=100.0) for setting in made.tried}
    tried[DEFAULT] = replace(one, setting=DEFAULT, clean=0.0, presence=100.0)
    finalists = search._finalists(tried)
    assert finalists[-1] == DEFAULT
    assert DEFAULT not in search._finalists({setting: tried[setting] for setting in tried if setting != DEFAULT})


def test_the_vector_steers_as_the_search_did_when_nothing_is_said(found):
    search, made, _, _ = found
    vector, taken = search.vector(made), made.taken
    entry = vector.entry()
    assert entry.strength == taken.setting.strength
    model = search.study.model
    start, end = taken.setting.window
    assert entry.window == (model.schedule.percent_to_sigma(start), model.schedule.percent_to_sigma(end))
    pictures = []
    for how in ({}, {"strength": taken.setting.strength, "preset": taken.setting.preset, "start": start, "end": end}):
        with steer(model, vector, **how):
            pictures.append(model.generate(["a dog on the beach"], steps=3, size=64))
    assert (pictures[0] == pictures[1]).all()
    assert (pictures[0] != model.generate(["a dog on the beach"], steps=3, size=64)).any()
    assert vector.metadata["recommended"]["tuned"]["dev"] == [3, 2, 2]


def test_a_window_is_written_as_noise_levels(found):
    search, made, _, _ = found
    taken = made.taken
    for window in ((0.33, 1.0), (0.0, 0.67)):
        other = replace(taken, setting=replace(taken.setting, window=window))
        written = search.vector(made, other)
        expected = tuple(search.study.model.schedule.percent_to_sigma(share) for share in window)
        assert written.recommended.window == expected


def test_the_same_search_goes_on_where_it_was(found, monkeypatch):
    search, made, _, _ = found
    again = new_search(search.study.out)
    monkeypatch.setattr(torch.nn.Module, "__call__", _refuse_the_unet(again.study.model.unet))
    repeated = again.run()
    assert repeated.taken == made.taken
    assert repeated.tried == made.tried
    assert repeated.given_up == made.given_up


def _refuse_the_unet(unet):
    ordinary = torch.nn.Module.__call__

    def call(module, *args, **kwargs):
        assert module is not unet, "drawn again"
        return ordinary(module, *args, **kwargs)

    return call


def test_everything_tried_is_in_the_table(found, tmp_path):
    search, made, _, _ = found
    write_table(tmp_path / "t.json", search, made)
    table = json.loads((tmp_path / "t.json").read_text())
    assert table["taken"]["setting"] == made.taken.setting.name
    assert len(table["trials"]) == len(made.tried)
    assert table["given_up"] == [setting.name for setting in made.given_up]
    assert set(table["front"]) <= {row["setting"] for row in table["finals"]}


def test_a_trial_far_behind_the_best_is_given_up_at_a_glance(tmp_path, monkeypatch):
    """And the source study's own never is, beside which what is taken must stand."""
    search = new_search(tmp_path)
    compared = []

    def compare(self, prepared, settings, counts):
        (setting,) = settings
        compared.append((setting, counts))
        clean = {"conditional": 100.0, "precise": 60.0, "projection": 0.0}.get(setting.preset, 20.0)
        return [Outcome(setting, 0.0, 0.0, 100.0, clean, 0.5, 0.0, 0.0, 0.0, 1.0)]

    monkeypatch.setattr(Study, "compare", compare)
    prepared = Prepared(search.subject, None)
    tried, given_up = search._try(prepared)
    looked, further = ({one for one, counts in compared if counts == some} for some in (TINY.glance, TINY.few))
    assert looked == set(tried) | set(given_up)
    assert further == set(tried)
    assert {one.preset for one in tried} <= {"conditional", "precise", "projection"}
    assert {"casteer", "selective"} <= {one.preset for one in given_up}


def test_an_exportable_search_finds_what_a_lora_holds(tmp_path):
    search = new_search(tmp_path, exportable=True)
    search = replace(search, budget=replace(TINY, trials=3))
    assert not obstacles(make_entry(search.vector(search.run())))
