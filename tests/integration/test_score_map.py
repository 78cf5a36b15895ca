"""The map of Score Layers: what the node tells it, and in Chromium what a mouse does with it, in both renderers."""

import shutil

import pytest

from steering.activations.capture import capture
from steering.activations.store import Activations
from steering.concepts.pairs import load_pairs
from steering.models.loading import load_model
from steering.models.sampling import CaptureSettings
from steering.scores.levels import read_levels
from steering.scores.navigator import score
from steering.sites import sort_sites

from .browser import CHAIN, RENDERER, page_of
from .conftest import internals

SCORED = [["SteeringLoadActivations", "SteeringScore", "PreviewAny"], "small.safetensors", [0, 3]]
SCORE = "window.app.graph._nodes.find((n) => n.type === 'SteeringScore')"
CHOSEN = f"() => {SCORE}.widgets.find((w) => w.name === 'sites').value"
SAVED = "() => window.app.graph.serialize().nodes.find((n) => n.type === 'SteeringScore').widgets_values"
ZOOM = "() => window.app.canvas.ds.scale"


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """The file of a capture of all sites: twelve pairs, four steps."""
    settings = CaptureSettings(steps=4, guidance=1.0, batch=6)
    path = tmp_path_factory.mktemp("capture") / "small.safetensors"
    capture(load_model("pocket", "cpu"), load_pairs("pocket/dog")[:12], settings=settings).save(path)
    return path


def test_scores_are_shown_without_anything_behind_them(comfy):
    assert comfy.SteeringScore.GET_SCHEMA().is_output_node


def test_the_node_tells_the_map_its_scores_and_says_what_was_chosen(comfy, small):
    node = internals(comfy, "score")  # with a copy of the engine that is the pack's own
    small, sort_sites = node.CapturedActivations.load(small), node.sort_sites
    made = comfy.SteeringScore.execute(small, "cross-fitted", "")
    scores, _, _, chosen = made.args
    (told,) = made.ui["steering_scores"]
    assert told["sites"] == [str(site) for site in sort_sites(scores.sites)]
    for row, site in enumerate(sort_sites(scores.sites)):
        for name in ("discriminability", "consistency"):
            assert told[name][row] == getattr(scores.sites[site], name).tolist()
        assert told["active"][row] == scores.active[site].tolist()
    assert chosen == "per-step"
    assert (
        comfy.SteeringScore.execute(small, "cross-fitted", " out7.attn2, in4.attn2").args[3] == "in4.attn2,out7.attn2"
    )
    high, low = (f"{float(scores.sigmas[i]):.4g}" for i in (1, 2))
    chosen = comfy.SteeringScore.execute(small, "cross-fitted", f"in4.attn2:{high}-{low}").args[3]
    partly = comfy.SteeringBuild.execute(small, 5, chosen, "mean", 1, "per-step", scores).args[0]
    assert [part.active.tolist() for part in partly.sites.values()] == [[False, True, True, False]]
    vector = comfy.SteeringBuild.execute(small, 5, "in4.attn2,out7.attn2", "mean", 1, "per-step", scores).args[0]
    assert [str(site) for site in vector.sites] == ["in4.attn2", "out7.attn2"]
    with pytest.raises(Exception, match=r"'out12\.attn2' is not in this model"):
        comfy.SteeringScore.execute(small, "cross-fitted", "out12.attn2")


@pytest.mark.slow
@pytest.mark.parametrize("vue", [False, True], ids=["classic", "Nodes 2.0"])
def test_a_mouse_reads_and_chooses_sites(small, tmp_path, vue):
    folder = tmp_path / "models" / "steering_activations"
    folder.mkdir(parents=True)
    shutil.copy(small, folder)
    scores = score(Activations.load(small), "cross-fitted")
    with page_of(tmp_path, "SteeringScore", viewport={"width": 1500, "height": 1000}) as page:
        page.evaluate(RENDERER, vue)
        page.wait_for_timeout(1500)
        page.evaluate(CHAIN, SCORED)
        page.wait_for_function(
            "() => document.querySelector('.steering-score-map canvas')?.height > 100", timeout=60_000
        )
        page.wait_for_timeout(1000)
        box = page.locator(".steering-score-map canvas").first.bounding_box()
        rows = sort_sites(scores.sites)

        def at(row, share=0.7):
            return box["x"] + box["width"] * share, box["y"] + box["height"] * (row + 0.5) / len(rows)

        page.mouse.move(*at(10))
        said = page.locator(".steering-score-map > div").nth(1)
        values = scores.sites[rows[10]]
        d, c = (float(part[2]) for part in (values.discriminability, values.consistency))
        assert said.inner_text().startswith(f"{rows[10]}, step 3 of 4 (sigma")
        assert said.inner_text().endswith(f"discriminability {d:.2f}, consistency {c:.2f}")
        before = page.evaluate(ZOOM)
        page.mouse.wheel(0, -100)
        page.wait_for_timeout(300)
        assert page.evaluate(ZOOM) > before
        page.evaluate(f"() => {{ window.app.canvas.ds.scale = {before}; window.app.canvas.ds.offset = [0, 0]; }}")
        page.evaluate("() => window.app.canvas.draw(true, true)")
        page.wait_for_timeout(500)
        box = page.locator(".steering-score-map canvas").first.bounding_box()
        page.mouse.click(*at(10))
        assert page.evaluate(CHOSEN) == str(rows[10])
        page.mouse.move(*at(20))
        page.mouse.down()
        page.mouse.move(*at(23), steps=12)
        page.mouse.up()
        assert page.evaluate(CHOSEN) == ",".join(str(rows[i]) for i in (10, 20, 21, 22, 23))
        page.mouse.click(*at(10))
        assert page.evaluate(CHOSEN) == ",".join(map(str, rows[20:24]))
        page.get_by_text("best 5", exact=True).first.click()
        best = set(list(scores.ranking())[:5])
        assert set(page.evaluate(CHOSEN).split(",")) == best
        assert page.evaluate(SAVED) == ["cross-fitted", page.evaluate(CHOSEN)]  # and nothing of the map
        page.get_by_text("none", exact=True).first.click()
        assert page.evaluate(CHOSEN) == ""

        def across(rows, columns):
            page.mouse.move(*at(rows[0], columns[0]))
            page.mouse.down()
            page.mouse.move(*at(rows[1], columns[1]), steps=12)
            page.mouse.up()
            chosen = read_levels(scores, page.evaluate(CHOSEN)) if page.evaluate(CHOSEN) else {}
            return {site: row.tolist() for site, row in chosen.items()}

        third, last = 0.7, 0.95  # columns 3 and 4 of four, behind the names
        some = across((20, 22), (last, third))
        assert some == {site: [False, False, True, True] for site in rows[20:23]}
        assert said.inner_text().startswith("3 sites, steps 3 to 4 (sigma")
        assert across((21, 21), (third, last)) == {site: some[site] for site in (rows[20], rows[22])}
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] - 40)
        page.wait_for_timeout(200)
        assert said.inner_text() == f"2 of {len(rows)} sites chosen, 2 of them at some noise levels"
        page.get_by_text("none", exact=True).first.click()
        assert page.evaluate(CHOSEN) == ""
        assert not [error for error in page.errors if "score_map" in error]
