import numpy as np

from steering.pocket.captions import sentence
from steering.pocket.clip import image_features, text_features
from steering.pocket.world import BACKGROUNDS, OBJECTS, Scene, draw


def test_features_have_unit_length():
    pictures = np.random.default_rng(0).integers(0, 256, (3, 128, 128, 3), dtype=np.uint8)
    for features in (image_features(pictures), text_features(["a dog", "a cat"])):
        np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1, atol=1e-5)  # float32


def test_a_picture_fits_its_own_caption_best():
    rng = np.random.default_rng(5)
    cases = [(name, background) for name in OBJECTS for background in BACKGROUNDS]
    pictures = np.stack([draw(Scene((name,), background), rng) for name, background in cases])
    images = image_features(pictures)
    right = []
    for (name, background), image in zip(cases, images, strict=True):
        texts = text_features([sentence("{what} {where}", (other,), background) for other in OBJECTS])
        right.append(OBJECTS[int((texts @ image).argmax())] == name)
    assert np.mean(right) > 0.95


def test_packing_keeps_the_seen_tokens_and_zeroes_the_rest():
    import torch

    from steering.pocket.clip import EMBEDDING, pack, unpack

    state = {EMBEDDING: torch.randn(49408, 4), "other": torch.ones(2)}
    again = unpack(pack(state, [3, 700]))
    assert torch.equal(again[EMBEDDING][[3, 700]], state[EMBEDDING][[3, 700]])
    assert again[EMBEDDING].count_nonzero() == 8
    assert torch.equal(again["other"], state["other"])
