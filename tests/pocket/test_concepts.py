import csv

import pytest

from steering.concepts.pairs import CONCEPTS as FOLDER
from steering.concepts.pairs import load_pairs
from steering.pocket import concepts
from steering.pocket.concepts import CONCEPTS, NEUTRAL, PAIRS_ONLY, SIZES
from steering.pocket.world import BACKGROUNDS


def rows(concept, which):
    with (FOLDER / "pocket" / concept.name / f"{which}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("concept", CONCEPTS, ids=lambda c: c.name)
def test_the_committed_sets_are_what_the_command_writes(concept, tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["concepts", "--out", str(tmp_path)])
    concepts.main()
    for name in ("fit.csv", "dev.csv", "test.csv", "concept.json"):
        written, committed = tmp_path / concept.name / name, FOLDER / "pocket" / concept.name / name
        assert written.read_text(encoding="utf-8") == committed.read_text(encoding="utf-8"), name


def test_what_has_pairs_only_is_what_the_command_writes(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["concepts", "--out", str(tmp_path)])
    concepts.main()
    for concept in PAIRS_ONLY:
        assert [path.name for path in (tmp_path / concept.name).iterdir()] == ["fit.csv"]
        written = (tmp_path / concept.name / "fit.csv").read_text(encoding="utf-8")
        assert written == (FOLDER / "pocket" / concept.name / "fit.csv").read_text(encoding="utf-8")
        for pair in load_pairs(f"pocket/{concept.name}"):
            assert concept.name in pair.positive and concept.name not in pair.negative


def test_neutral_pairs_differ_and_hold_nothing_that_is_steered(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["concepts", "--out", str(tmp_path)])
    concepts.main()
    committed = FOLDER / "pocket" / NEUTRAL / "fit.csv"
    assert (tmp_path / NEUTRAL / "fit.csv").read_text(encoding="utf-8") == committed.read_text(encoding="utf-8")
    pairs = load_pairs(f"pocket/{NEUTRAL}")
    assert len(pairs) == SIZES["fit"]
    held_out = {row["prompt"] for concept in CONCEPTS for which in ("dev", "test") for row in rows(concept, which)}
    for pair in pairs:
        assert pair.positive != pair.negative
        for text in (pair.positive, pair.negative):
            assert not any(word in text for word in ("dog", "cat", "knife", "bomb", "Van Gogh", "sketch"))
            assert text not in held_out


@pytest.mark.parametrize("concept", CONCEPTS, ids=lambda c: c.name)
def test_sets_have_their_sizes_and_share_no_prompt(concept):
    assert len(rows(concept, "fit")) == SIZES["fit"]
    for which in ("dev", "test"):
        roles = [row["role"] for row in rows(concept, which)]
        assert {role: roles.count(role) for role in set(roles)} == dict.fromkeys(
            ("target", "sibling", "unrelated"), SIZES[which]
        )
    fit = {text for row in rows(concept, "fit") for text in row.values()}
    dev, test = ({row["prompt"] for row in rows(concept, which)} for which in ("dev", "test"))
    assert (len(dev), len(test)) == (3 * SIZES["dev"], 3 * SIZES["test"])
    assert not (fit & dev or fit & test or dev & test)


@pytest.mark.parametrize("concept", CONCEPTS, ids=lambda c: c.name)
def test_only_targets_show_the_concept(concept):
    for which in ("dev", "test"):
        for row in rows(concept, which):
            assert bool(set(row["shows"].split()) & set(concept.judge)) == (row["role"] == "target"), row


@pytest.mark.parametrize("concept", CONCEPTS, ids=lambda c: c.name)
def test_pairs_differ_by_the_concept(concept):
    words = {"van_gogh": ("Van Gogh",), "violence": ("knife", "bomb"), "dog": ("dog",)}[concept.name]
    for pair in load_pairs(f"pocket/{concept.name}"):
        assert any(word in pair.positive for word in words), pair
        assert not any(word in pair.negative for word in words), pair


def test_half_of_the_dogs_are_replaced_and_half_are_gone():
    replaced = [pair for pair in load_pairs("pocket/dog") if len(pair.negative.split()) == len(pair.positive.split())]
    gone = [pair for pair in load_pairs("pocket/dog") if "empty scene" in pair.negative or " and " not in pair.negative]
    assert len([p for p in replaced if "empty" not in p.negative]) == 25
    assert len(gone) >= 25


@pytest.mark.parametrize("concept", CONCEPTS, ids=lambda c: c.name)
def test_siblings_at_test_are_of_kinds_that_fit_and_dev_never_show(concept):
    shown = {label for row in rows(concept, "dev") for label in row["shows"].split()}
    words = " ".join(text for row in rows(concept, "fit") for text in row.values())
    assert concept.new_siblings
    assert not shown & set(concept.new_siblings)
    assert not any(name in words for name in concept.new_siblings)
    siblings = [row for row in rows(concept, "test") if row["role"] == "sibling"]
    assert all(set(row["shows"].split()) & set(concept.new_siblings) for row in siblings)


def test_every_prompt_names_its_place_and_its_wording():
    for concept in CONCEPTS:
        for row in rows(concept, "test"):
            assert len(set(row["shows"].split()) & set(BACKGROUNDS)) == 1
            assert row["phrase"]
