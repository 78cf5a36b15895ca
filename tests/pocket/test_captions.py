import numpy as np

from steering.pocket import captions, kinds, world
from steering.pocket.world import Scene


def test_captions_name_everything_and_sets_share_no_sentence():
    scene = Scene(("apple", "dog"), "night", "van_gogh")
    texts = {world.caption(scene, np.random.default_rng(i)) for i in range(100)}
    assert all("an apple" in t and "at night" in t and "Van Gogh" in t for t in texts)
    assert all(any(f"a {noun}" in t for noun in kinds.KINDS["dog"].nouns) for t in texts)
    assert any("puppy" in t for t in texts)
    for sets in captions.CAPTIONS.values():
        every = [text for texts in sets.values() for text in texts]
        assert len(every) == len(set(every))


def test_no_training_caption_has_an_unseen_form():
    unseen = [text for sets in captions.CAPTIONS.values() for text in sets["unseen"]]
    rng = np.random.default_rng(0)
    for _ in range(2000):
        scene = world.sample(rng)
        text = world.caption(scene, rng)
        where = world.PLACES[scene.background][0]
        assert not any(
            text.startswith(form.split("{what}")[0].format(where=where)) for form in unseen if form[:6] != "{what}"
        )


def test_every_word_of_a_caption_is_in_the_list_of_words():
    words = {word for text in captions.caption_words() for word in text.replace(",", " ").split()}
    rng = np.random.default_rng(0)
    for _ in range(2000):
        assert set(world.caption(world.sample(rng), rng).replace(",", " ").split()) <= words


def test_a_small_thing_is_small_and_called_so():
    scene = Scene(("key",), "room", small=True)
    assert "a small key" in world.caption(scene, np.random.default_rng(0))
    sizes = [
        world.places(Scene(("key",), "room", small=small), np.random.default_rng(0))[0].side for small in (True, False)
    ]
    assert sizes[0] < 0.75 * sizes[1]
