import csv
import io

import numpy as np
import pytest

from steering.study.rows import rows_csv


def test_negative_numbers_stay_numbers(finished):
    study = finished.study
    measurements = finished.measured[0].measurements["study_k1"]
    before = measurements.columns["clip_concept"].copy()
    measurements.columns["clip_concept"][:] = -0.25
    try:
        rows = list(csv.DictReader(io.StringIO(rows_csv(study, finished.measured))))
    finally:
        measurements.columns["clip_concept"][:] = before
    assert float(next(row for row in rows if row["arm"] == "study_k1")["clip_concept"]) == -0.25


def test_presence_debris_and_losses_can_be_computed_again_from_the_rows(finished):
    study, results = finished.study, finished.results
    with (study.out / "rows.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for concept, part in results["concepts"].items():
        for name, figures in part["arms"].items():
            mine = [row for row in rows if (row["concept"], row["arm"], row["role"]) == (concept, name, "target")]
            for column in ("presence", "debris"):
                mean = figures["removal"][column]["mean"]
                assert np.mean([float(row[column]) for row in mine]) == pytest.approx(mean, rel=1e-4, abs=1e-4)
            for role, loss in figures["losses"].items():
                asked = [row for row in rows if (row["concept"], row["role"]) == (concept, role)]
                kept = {
                    arm: {row["prompt_id"]: float(row["kept"]) for row in asked if row["arm"] == arm}
                    for arm in (name, "original")
                }
                lost = [kept["original"][prompt] - value for prompt, value in kept[name].items()]
                assert np.mean(lost) == pytest.approx(loss["loss"]["mean"], rel=1e-4, abs=1e-3)
            assert len({row["prompt_id"] for row in mine}) == figures["n"]["target"]
    assert all((study.out / row["picture"]).is_file() for row in rows[:20])
    assert {len(row["sha256"]) for row in rows} == {64}


def test_rows_are_the_same_whenever_they_are_asked_for(finished):
    assert rows_csv(finished.study, finished.measured) == (finished.study.out / "rows.csv").read_text(encoding="utf-8")
