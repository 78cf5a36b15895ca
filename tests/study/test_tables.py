from steering.study.figures import study_figures
from steering.study.tables import tables_of


def test_the_studys_tables_come_first_and_ours_beside_them(finished):
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
