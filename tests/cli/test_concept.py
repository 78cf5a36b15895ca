import json

from ..conftest import steering


def test_a_check_says_what_is_weak_with_rows():
    found = json.loads(steering("concept", "check", "van_gogh", "--family", "pocket", "--json").stdout)
    assert found["concept"] == "van_gogh"
    assert {"one opposite", "seen before"} <= {finding["what"] for finding in found["findings"]}
    text = steering("concept", "check", "van_gogh", "--family", "pocket").stdout
    assert "    'sketch': 0 of 50 positives, 25 negatives" in text.splitlines()
    assert "    and 29 more" in text.splitlines()


def test_a_folder_that_is_none_is_refused():
    refused = steering("concept", "check", "nowhere", check=False)
    assert refused.returncode == 2
    assert "'nowhere' is not one of dog, nudity, van_gogh, violence of sd15" in " ".join(refused.stderr.split())
