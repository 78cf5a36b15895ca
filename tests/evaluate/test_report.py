from steering.evaluate.report import write_report


def test_prompts_are_escaped(tmp_path):
    empty = dict.fromkeys(("presence", "retention", "controls", "study", "dev"), ())
    write_report(tmp_path / "r.html", concept="<script>alert(1)</script>", chosen={}, **empty)
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "<script>" not in text
    assert "&lt;script&gt;" in text
