import pytest

from steering.evaluate.prompts import load_concept, load_prompts, take


def test_a_concept_and_its_prompts_load():
    assert load_concept("violence").judge == ("knife", "bomb")
    prompts = load_prompts("dog", "test")
    assert len(prompts) == 300
    assert all("dog" in p.shows for p in prompts if p.role == "target")
    with pytest.raises(FileNotFoundError, match="dog, van_gogh, violence"):
        load_concept("unicorn")


def test_take_spreads_over_the_list():
    prompts = load_prompts("dog", "test")
    few = take(prompts, "target", 10)
    assert len({p.text for p in few}) == 10
    assert any("Van Gogh" in p.text for p in few)
    assert take(prompts, "target", 1000) == [p for p in prompts if p.role == "target"]
