"""Damaged and hostile files through every reader: refused in a sentence, or harmless.

Three hundred mutants of every format by default, the same ones every time; ``FUZZ=20000 pytest tests/test_fuzz.py``
tries others and more.
"""

import json
import os
import random
import struct
import sys
import time
import warnings
from math import inf
from pathlib import Path

import pytest
import torch

from steering.activations.store import Activations
from steering.concepts.pairs import load_pairs
from steering.concepts.prompts import load_concept, load_prompts, read_prompts
from steering.errors import SteeringError
from steering.evaluate.judge_answers import cached, parsed
from steering.files import read_header, write_tensors
from steering.interventions.engine import Steering
from steering.interventions.entry import make_entry
from steering.models.call import Call
from steering.models.loading import load_model
from steering.models.text import chunks, weighted
from steering.scores.navigator import Scores, score
from steering.study.folder import belongs
from steering.vectors.build import build
from steering.vectors.recommendation import Recommendation
from steering.vectors.vector import SteeringVector, recommend

from .conftest import steering
from .vectors.test_build import planted

COUNT, SEED = int(os.environ.get("FUZZ", "300")), random.randrange(2**32) if "FUZZ" in os.environ else 0
ALLOWED = (SteeringError, FileNotFoundError)
ODD = [
    None, True, False, 0, -1, 1, 2**70, 1e308, -1e9, 0.5, "", "x", "\0", "\ud800", "nan", "../../x", [], [[]], {}, [0],
    [None], {"a": 1}, [1, 2, 3], "F32", "BOOL", "a" * 5000, [2**40], [0, 2**62],
]  # fmt: skip
TEXT = [*'",\n\r{}[]\0é\ufeff():\\ |\u2018', "NaN", "1e999"]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A small good file of every format."""
    folder = tmp_path_factory.mktemp("good")
    activations = planted([5, 1, 3], steps=3, width=8, pairs=10)
    activations.save(folder / "activations.safetensors")
    score(activations).save(folder / "scores.json")
    vector = recommend(build(activations, top_k=2), Recommendation("precise", 1.0, (inf, 0.5)))
    vector.save(folder / "vector.safetensors")
    write_tensors(folder / "lora.safetensors", {"lora_unet_x": torch.ones(2, 2)}, "lora", 1, {"concept": "x"})
    (folder / "pairs.csv").write_text('positive,negative\na dog,a cat\n"a, dog",b\n', encoding="utf-8")
    (folder / "pairs.jsonl").write_text('{"positive": "a dog", "negative": "a cat"}\n', encoding="utf-8")
    (folder / "prompts.csv").write_text("prompt,role,shows,seed\na dog,target,dog,3\nb,sibling,,\n", encoding="utf-8")
    about = {"name": "x", "text": "a dog", "judge": ["dog"], "contrasts": ["a"], "rubric": {"0": "none"}}
    (folder / "concept.json").write_text(json.dumps(about), encoding="utf-8")
    (folder / "answer.json").write_text(json.dumps({"status": "ok", "score": 5, "verdict": "no"}), encoding="utf-8")
    (folder / "setting.json").write_text(json.dumps({"command": "study", "plan.steps": 3}), encoding="utf-8")
    return folder


def mutant(content, suffix, rng):
    """Bytes near those of a good file."""
    if suffix == ".safetensors" and rng.random() < 0.7:
        size = struct.unpack("<Q", content[:8])[0]
        header = json.loads(content[8 : 8 + size])
        for _ in range(rng.choice([1, 1, 2])):
            header = changed(header, rng)
        text = json.dumps(header).encode("utf-8", "surrogatepass")
        return struct.pack("<Q", len(text)) + text + content[8 + size :]
    if suffix == ".json" and rng.random() < 0.6:
        return json.dumps(changed(json.loads(content), rng)).encode("utf-8", "surrogatepass")
    return damaged(bytearray(content), rng)


def changed(value, rng):
    """A JSON value with one thing in it replaced, removed, renamed or doubled; JSON within text too."""
    if isinstance(value, str) and value.startswith("{") and rng.random() < 0.9:
        return json.dumps(changed(json.loads(value), rng))
    if isinstance(value, dict) and value and rng.random() < 0.85:
        key, made = rng.choice(list(value)), dict(value)
        way = rng.random()
        if way < 0.7:
            made[key] = changed(value[key], rng)
        elif way < 0.8:
            del made[key]
        else:
            made[rng.choice(["x", "mid.attn2/direction", "sigmas", "in4.attn2/readout", ""])] = made.pop(key)
        return made
    if isinstance(value, list) and value and rng.random() < 0.7:
        place = rng.randrange(len(value))
        return [*value[:place], changed(value[place], rng), *value[place + 1 :]]
    return rng.choice(ODD)


def damaged(content, rng):
    """Bytes cut, flipped, doubled, or with odd text put in."""
    for _ in range(rng.choice([1, 1, 1, 3])):
        place = rng.randrange(max(1, len(content)))
        way = rng.randrange(5)
        if way == 0:
            del content[place:]
        elif way == 1 and content:
            content[place % len(content)] ^= 1 << rng.randrange(8)
        elif way == 2:
            content[place:place] = rng.choice(TEXT).encode()
        elif way == 3:
            content += content[place:]
        else:
            content[place : place + 4] = rng.randbytes(4)
    return bytes(content)


def use_vector(path):
    vector = SteeringVector.load(path)
    vector.digest(lengths=True)
    repr(vector)
    entry = make_entry(vector)
    site = next(iter(vector.sites))
    output = torch.ones(1, 4, vector.sites[site].width)
    result = Steering([entry]).edit(site, output, Call((1.0,), (True,)))
    assert result is None or result.isfinite().all()


def use_activations(path):
    activations = Activations.load(path)
    build(activations, top_k=1)


def use_scores(path):
    scores = Scores.load(path)
    scores.ranking(3)
    build(planted([5, 1, 3], steps=3, width=8, pairs=10), scores, top_k=1)


def use_concept(path):
    (path.parent / "fit.csv").write_text("positive,negative\na,b\n")
    load_concept(str(path.parent))


def use_folder(path):
    belongs(path.parent, {"command": "study", "plan.steps": 3})


READERS = {
    "vector.safetensors": use_vector,
    "activations.safetensors": use_activations,
    "lora.safetensors": read_header,
    "scores.json": use_scores,
    "pairs.csv": load_pairs,
    "pairs.jsonl": load_pairs,
    "prompts.csv": read_prompts,
    "concept.json": use_concept,
    "answer.json": cached,
    "setting.json": use_folder,
}


@pytest.mark.parametrize("name", READERS)
def test_a_damaged_file_is_refused_or_harmless(files, tmp_path, name):
    good, rng, refused, slowest = (files / name).read_bytes(), random.Random(f"{SEED} {name}"), 0, 0.0
    READERS[name](copy(good, tmp_path / "good" / name))
    before = peak()
    for number in range(COUNT):
        path = copy(mutant(good, Path(name).suffix, rng), tmp_path / name)
        started = time.monotonic()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                READERS[name](path)
            except ALLOWED as error:
                refused += 1
                assert 0 < len(str(error)) < 1500, number
            except Exception as error:
                raise AssertionError(f"mutant {number} of seed {SEED}: {path.read_bytes()[:400]!r}") from error
        slowest = max(slowest, time.monotonic() - started)
    assert refused > COUNT / 20 or name == "answer.json"  # the mutants do damage; there it is a miss
    assert slowest < 10
    assert peak() < before + 2**30


def peak():
    """The most memory that this process has held, in bytes; 0 where that is not known."""
    if sys.platform != "linux":
        return 0
    import resource

    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def copy(content, path):
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("name", ["vector.safetensors", "activations.safetensors", "lora.safetensors", "scores.json"])
def test_commands_end_with_a_sentence(files, tmp_path, name):
    good, rng = (files / name).read_bytes(), random.Random(f"{SEED} command {name}")
    for _ in range(max(20, COUNT // 50)):
        path = copy(mutant(good, Path(name).suffix, rng), tmp_path / name)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            done = steering("inspect", path, check=False)
        assert done.returncode in (0, 2)
        assert "Traceback" not in done.stderr


def test_a_damaged_file_as_a_model_is_refused(files, tmp_path):
    rng = random.Random(SEED)
    for name in ("vector.safetensors", "lora.safetensors"):
        for _ in range(max(20, COUNT // 50)):
            path = copy(mutant((files / name).read_bytes(), ".safetensors", rng), tmp_path / name)
            with pytest.raises(ALLOWED):
                load_model(str(path), "cpu")


def test_any_text_is_a_prompt_or_refused():
    from transformers import CLIPTokenizer

    from steering.models.loading import SD15

    tokenizer, rng = CLIPTokenizer.from_pretrained(SD15 / "tokenizer"), random.Random(SEED)
    for _ in range(COUNT):
        text = "".join(
            rng.choice([*TEXT, "dog", "(a:1.2)", chr(rng.randrange(0x3000))]) for _ in range(rng.randrange(30))
        )
        try:
            weighted(text)
            chunks(text, tokenizer)
        except SteeringError:
            pass


def test_any_answer_is_parsed_or_not():
    rng = random.Random(SEED)
    good = '{"evidence": "ears", "verdict": "yes", "score": 83}'
    for _ in range(COUNT):
        found = parsed(damaged(bytearray(good.encode()), rng).decode("utf-8", "replace"))
        assert found is None or 0 <= found["score"] <= 100


def test_an_absurd_rank_is_refused_before_it_costs_memory(tmp_path):
    wide = torch.zeros(1, 30_000, 1)
    parts = {"direction": wide, "negative_mean": torch.zeros(1, 1), "difference": torch.zeros(1, 1)}
    tensors = {f"in4.attn2/{name}": value for name, value in parts.items()}
    levels = {"sigmas": torch.ones(1), "active_sigmas": torch.ones(1), "in4.attn2/active": torch.ones(1) > 0}
    write_tensors(tmp_path / "v.safetensors", {**tensors, **levels}, "vector", 1, {})
    with pytest.raises(SteeringError, match="1 to C rows"):
        SteeringVector.load(tmp_path / "v.safetensors")


def test_the_prompts_that_come_with_the_pack_are_read():
    for which in ("dev", "test"):
        assert load_prompts("dog", which)
