import json

import pytest

from ..conftest import steering


@pytest.mark.parametrize(
    ("name", "kind"), [("acts.safetensors", "activations"), ("v.safetensors", "vector"), ("scores.json", "scores")]
)
def test_inspect_says_what_a_file_is(made, name, kind):
    assert json.loads(steering("inspect", made / name, "--json").stdout)["kind"] == kind
