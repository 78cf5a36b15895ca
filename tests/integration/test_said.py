"""What nodes say of their run, below their widgets, in both renderers."""

import pytest

from .browser import CHAIN, RENDERER, page_of

SAVED = [["SteeringLoadVector", "SteeringSaveVector"], "pocket_dog.safetensors", [0]]
SAID = "() => document.querySelector('.steering-said')?.textContent"


@pytest.mark.slow
def test_a_saved_vector_says_where_it_is(tmp_path):
    with page_of(tmp_path, "SteeringSaveVector") as page:
        for vue in (False, True):  # the second time ComfyUI has the answer still
            page.evaluate(RENDERER, vue)
            page.evaluate(CHAIN, SAVED)
            page.wait_for_function(f"() => ({SAID})() === 'saved as my_concept.safetensors'", timeout=60_000)
            assert page.locator(".steering-said").bounding_box()["height"] >= 15
        assert (tmp_path / "models" / "steering_vectors" / "my_concept.safetensors").is_file()
