import pytest
from jinja2 import UndefinedError

from steering.study.page import write_report


def test_prompts_are_escaped_and_a_missing_value_is_an_error(tmp_path):
    template = tmp_path / "t.html.jinja"
    template.write_text("<p>{{ prompt }}</p>", encoding="utf-8")
    write_report(tmp_path / "r.html", template, prompt="<script>alert(1)</script>")
    assert (tmp_path / "r.html").read_text(encoding="utf-8") == "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>"
    with pytest.raises(UndefinedError):
        write_report(tmp_path / "r.html", template)
