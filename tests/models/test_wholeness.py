"""Parts of a model that are not whole, or do not belong together."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from steering.errors import SteeringError
from steering.families import family_named
from steering.models.encoders import TextEncoder
from steering.models.wholeness import check_lacking, check_tokenizer, check_widths

FAMILY = replace(family_named("sdxl"), text_width=40, pooled_width=24)


class Words:
    """A tokenizer that gives every letter a number."""

    def __init__(self, size=30, cuts=1):
        self.size, self.cuts = size, cuts

    def __len__(self):
        return self.size

    def __call__(self, text):
        return SimpleNamespace(input_ids=[ord(letter) for letter in text[:: self.cuts]])


def encoder(width=16, projection=0, words=None):
    config = SimpleNamespace(vocab_size=30, hidden_size=width, projection_dim=projection)
    return TextEncoder(words or Words(), SimpleNamespace(config=config))


def test_missing_tensors_are_named_and_counted():
    check_lacking([], "unet", "m")
    with pytest.raises(SteeringError, match=r"m lacks a.weight of its unet; give a whole model"):
        check_lacking(["a.weight"], "unet", "m")
    with pytest.raises(SteeringError, match=r"m lacks a.weight and 2 more of its vae"):
        check_lacking(["a.weight", "b", "c"], "vae", "m")


def test_a_tokenizer_knows_the_encoders_words_and_cuts_them_as_clip_does():
    check_tokenizer(encoder(), Words(), "m")
    check_tokenizer(encoder(words=Words(31)), Words(), "m")  # words of its own besides
    with pytest.raises(SteeringError, match=r"m has a tokenizer of 29 words and a text encoder of 30"):
        check_tokenizer(encoder(words=Words(29)), Words(), "m")
    with pytest.raises(SteeringError, match=r"m has a tokenizer that cuts words otherwise than CLIP's"):
        check_tokenizer(encoder(words=Words(cuts=2)), Words(), "m")


def test_encoders_are_as_wide_together_as_what_the_unet_reads():
    check_widths((encoder(16), encoder(24, 24)), FAMILY, "m")
    with pytest.raises(SteeringError, match=r"m has text encoders of width 41 and 24, where .* has 40 and 24"):
        check_widths((encoder(17), encoder(24, 24)), FAMILY, "m")
    with pytest.raises(SteeringError, match=r"m has text encoders of width 40 and 12, where"):
        check_widths((encoder(16), encoder(24, 12)), FAMILY, "m")
    check_widths((encoder(1024, 512),), replace(FAMILY, text_width=1024, pooled_width=0), "m")
