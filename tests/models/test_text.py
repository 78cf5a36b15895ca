import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from steering.errors import SteeringError
from steering.models.conditioning import Conditioning
from steering.models.loading import SD15
from steering.models.text import LENGTH, MOST, chunks, encode, weighted


@pytest.fixture(scope="module")
def tokenizer():
    from transformers import CLIPTokenizer

    return CLIPTokenizer.from_pretrained(SD15 / "tokenizer")


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("a dog", [("a dog", 1.0)]),
        ("(dog)", [("dog", 1.1)]),
        ("a (dog:1.4) here", [("a ", 1.0), ("dog", 1.4), (" here", 1.0)]),
        ("((dog))", [("dog", 1.1 * 1.1)]),
        ("(a (dog:2) b:0.5)", [("a ", 0.5), ("dog", 2.0), (" b", 0.5)]),
        (r"\(dog\)", [("(dog)", 1.0)]),
        ("(dog", [("(dog", 1.0)]),
        ("dog)", [("dog)", 1.0)]),
        ("(dog:x)", [("dog:x", 1.1)]),
        ("(:2)", [(":2", 1.1)]),
        ("", []),
    ],
)
def test_parentheses_weigh(prompt, expected):
    found = weighted(prompt)
    assert [text for text, _ in found] == [text for text, _ in expected]
    assert [weight for _, weight in found] == pytest.approx([weight for _, weight in expected])


@pytest.mark.parametrize("prompt", ["(dog:nan)", "(dog:inf)", "a\0b"])
def test_weights_and_letters_that_are_none_are_refused(prompt):
    with pytest.raises(SteeringError, match=r"finite number|NUL"):
        weighted(prompt)


@given(st.text(alphabet=st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_no_text_is_lost_or_breaks(tokenizer, prompt):
    try:
        segments = weighted(prompt)
    except SteeringError:
        return
    assert all(text for text, _ in segments)
    if not set(prompt) & set("()\\"):
        assert "".join(text for text, _ in segments) == prompt
    for chunk in chunks(prompt, tokenizer):
        assert len(chunk.tokens) == len(chunk.weights) == LENGTH
        assert chunk.tokens[0] == tokenizer.bos_token_id
        assert chunk.tokens[-1] == tokenizer.eos_token_id


def test_a_short_prompt_is_tokenised_as_ever(tokenizer):
    prompt = "a photo of a dog on the beach"
    plain = tokenizer(prompt, padding="max_length", max_length=77, truncation=True).input_ids
    (chunk,) = chunks(prompt, tokenizer)
    assert list(chunk.tokens) == plain
    assert set(chunk.weights) == {1.0}


def test_long_prompts_go_on_in_further_chunks(tokenizer):
    words = [f"{word}" for word in ("dog", "cat", "sun", "sea") * 50]
    made = chunks(" ".join(words), tokenizer)
    assert len(made) == 3  # 200 tokens in chunks of 75
    inside = [number for chunk in made for number in chunk.tokens[1:] if number != tokenizer.eos_token_id]
    assert inside == tokenizer(" ".join(words), add_special_tokens=False).input_ids
    with pytest.raises(SteeringError, match="shorten it"):
        chunks("dog " * 75 * (MOST + 1), tokenizer)


def test_a_few_words_of_one_weight_stay_together(tokenizer):
    # 73 tokens leave room for two more; three of another weight begin the next chunk instead of being torn apart.
    first, second = chunks("dog " * 73 + "(red cat nose:1.3)", tokenizer)
    assert first.tokens[74] == tokenizer.eos_token_id
    assert second.weights[1:5] == (1.3, 1.3, 1.3, 1.0)


def test_weights_stretch_the_difference_from_the_empty_prompt(tokenizer):
    table = torch.randn(49408, 8, generator=torch.Generator().manual_seed(0))
    places = torch.randn(LENGTH, 8, generator=torch.Generator().manual_seed(1))

    def encoder(tokens):
        return table[tokens] + places, None

    plain, heavy, empty = encode(["a dog", "a (dog:1.5)", ""], tokenizer, encoder).context
    # "dog" stands at place 2.
    torch.testing.assert_close(heavy[2], empty[2] + 1.5 * (plain[2] - empty[2]))
    others = [i for i in range(LENGTH) if i != 2]
    assert torch.equal(heavy[others], plain[others])


def test_prompts_of_different_lengths_share_a_batch(tokenizer):
    def encoder(tokens):
        return tokens[..., None].float(), None

    short, long = encode(["a dog", "dog " * 100], tokenizer, encoder).context
    assert short.shape == long.shape == (2 * LENGTH, 1)
    assert torch.equal(short[:LENGTH], short[LENGTH:])


def test_repeating_a_context_changes_no_picture(toy_model):
    noise, prompt, empty = toy_model.noise([0], 64), toy_model.encode(["a dog"]), toy_model.encode([""])
    once = toy_model.denoise(prompt, empty, noise, 2, 7.5)
    twice = toy_model.denoise(Conditioning(prompt.context.repeat(1, 2, 1)), empty, noise, 2, 7.5)
    torch.testing.assert_close(once, twice, atol=1e-4, rtol=1e-4)  # softmax over twice as many keys, in float32
    assert not torch.allclose(
        once, toy_model.denoise(toy_model.encode(["a (dog:1.8)"]), empty, noise, 2, 7.5), atol=1e-3
    )


def test_parentheses_within_parentheses_end_somewhere():
    assert weighted("(" * 20 + "x" + ")" * 20)[0][1] == pytest.approx(1.1**20)
    with pytest.raises(SteeringError, match="beyond reason"):
        weighted("(" * 3000 + "x" + ")" * 3000)


def test_padding_is_the_tokenizers_own_or_another_token(tokenizer):
    for padding, filler in ((None, tokenizer.eos_token_id), (0, 0)):
        (chunk,) = chunks("a dog", tokenizer, padding)
        assert chunk.tokens[3] == tokenizer.eos_token_id
        assert set(chunk.tokens[4:]) == {filler}
        (full,) = chunks("dog " * 75, tokenizer, padding)
        assert full.tokens[76] == tokenizer.eos_token_id


def test_the_pooled_embedding_is_that_of_the_first_chunk_and_knows_no_weights(tokenizer):
    def encoder(tokens):
        return tokens[..., None].float(), tokens[:, 1:2].float()

    made = encode(["cat " * 100, "a (dog:1.5)", "dog " + "cat " * 90], tokenizer, encoder)
    cat, a, dog = (float(tokenizer(word, add_special_tokens=False).input_ids[0]) for word in ("cat", "a", "dog"))
    assert made.pooled[:, 0].tolist() == [cat, a, dog]
