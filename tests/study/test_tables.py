from steering.study.figures import study_figures
from steering.study.table import interval
from steering.study.tables import our_clip, our_presence, removals, source_clip, source_presence, tables_of


def test_the_removal_comes_first_then_the_source_studys_tables_and_ours_beside_them(finished):
    study = finished.study
    tables = tables_of(study_figures(finished.measured), "the embedded judge")
    titles = [table.title for table in tables]
    assert titles[0].startswith("Clean removal")
    beside = ["The source study's form", "Ours beside it"] * 2
    assert [title.split(":")[0] for title in titles[1:]] == [*beside, "What appeared in the concept's place"]
    assert "FD-CLIP" in titles[1]
    assert "FID" not in titles[1]
    for table in tables:
        assert {len(row) for row in table.rows} == {len(table.header)}
    assert len(tables[1].rows) == 2 * 2 * len(study.plan.ks)


def cells(table, concept, arm):
    """A row of a table by its heads."""
    (row,) = [row for row in table.rows if row[:2] == (concept, arm)]
    return dict(zip(table.header, row, strict=True))


def test_every_cell_stands_below_its_own_head(finished):
    """The figures themselves are tested elsewhere."""
    figures = study_figures(finished.measured)
    arm, original, study = (figures["dog"][name] for name in ("chosen", "original", "study_k1"))
    parts = arm.removal
    assert cells(removals(figures), "dog", "chosen") | {
        "n": str(arm.n["target"]),
        "clean, %": interval(parts.clean),
        "presence": interval(parts.presence),
        "debris": interval(parts.debris),
        "kept": interval(parts.kept),
    } == cells(removals(figures), "dog", "chosen")
    made = cells(our_presence(figures), "dog", "chosen")
    assert (made["presence"], made["points lost"]) == (interval(arm.presence), interval(arm.drop))
    for role, name in (("sibling", "siblings"), ("unrelated", "unrelated")):
        assert made[f"{name} gain"] == f"{arm.losses[role].gains_concept.mean:.1f}"
        assert f"{arm.losses[role].bound:.1f}" in made[f"{name} lose (≤)"]
    made = cells(source_presence(figures, "the judge"), "dog", "study_k1")
    assert (made["original"], made["steered"]) == (f"{original.presence.mean:.1f}", f"{study.presence.mean:.1f}")
    made, clip = cells(source_clip(figures), "dog", "study_k1"), study.clip["clip_prompt"]
    told = [f"{value:+.2f}" for value in (clip.weakest, clip.mean.mean, clip.strongest)]
    assert [made[head] for head in ("weakest", "mean", "strongest")] == told
    assert made["FD-CLIP"] == f"{study.distance['FD-CLIP'].same_seed:.4f}"
    made = cells(our_clip(figures), "dog", "study_k1")
    assert made["CLIP, full prompt, %"] == interval(clip.mean, 2)
    assert made["CLIP, prompt without the concept, %"] == interval(study.clip["clip_rest"].mean, 2)
    assert made["floor"] == f"{study.distance['FD-CLIP'].floor:.4f}"
