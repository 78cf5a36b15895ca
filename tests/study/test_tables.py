from steering.study.tables import tables_of


def test_the_studys_tables_come_first_and_ours_beside_them(finished):
    study, results = finished.study, finished.results
    tables = tables_of({name: part["arms"] for name, part in results["concepts"].items()}, results["presence"])
    titles = [table.title for table in tables]
    assert [title.split(":")[0] for title in titles] == ["The source study's form", "Ours beside it"] * 2
    assert "FD-CLIP" in titles[0]
    assert "FID" not in titles[0]
    for table in tables:
        assert {len(row) for row in table.rows} == {len(table.header)}
    assert len(tables[0].rows) == 2 * 2 * len(study.plan.ks)
