import pytest

from steering.evaluate.extras import extra


def test_a_missing_library_is_named_with_its_remedy():
    assert extra("json", "judge").loads("1") == 1
    with pytest.raises(ValueError, match=r"needs no_such_library.*pip install 'activation-steering\[judge\]'"):
        extra("no_such_library.part", "judge")
