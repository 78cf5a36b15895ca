"""Load Prompt Pairs, Prompt Pairs from Text, and Write Prompt Pairs."""

from typing import Any

from comfy_api.latest import io

from ..steering.concepts.kinds import KINDS
from ..steering.concepts.pairs import load_pairs, parse_lines, parse_pairs
from ..steering.concepts.prompts import concept_name
from ..steering.concepts.request import Request
from ..steering.concepts.word_lists import listed
from ..steering.concepts.writing import SIZES, write_set
from .comfy_files import changes, pair_names, pairs_path, problem
from .comfy_schema import schema
from .sockets import NamedPairs, Pairs

EXAMPLE = """a photo of a dog on the beach | a photo of a cat on the beach
a dog sleeping in a room | a room
a happy dog in the snow | a happy fox in the snow"""


def _outputs() -> list:
    return [
        Pairs.Output(display_name="PAIRS", tooltip="To Capture Activations."),
        io.Int.Output(display_name="count", tooltip="Number of pairs; about fifty work well, ten are the least."),
        io.String.Output(display_name="preview", tooltip="The pairs as text; show it with Preview Any."),
    ]


def _answer(named: NamedPairs, **shown: Any) -> io.NodeOutput:
    preview = "\n".join(f"{pair.positive} | {pair.negative}" for pair in named.pairs)
    return io.NodeOutput(named, len(named.pairs), preview, **shown)


def named_pairs(name: str) -> NamedPairs:
    """Built-in pairs, or those of a file, with their concept's name."""
    path = pairs_path(name)
    return NamedPairs(concept_name(path), tuple(load_pairs(path)))


class LoadPairs(io.ComfyNode):
    """Pairs that come with the pack, or from models/steering_pairs."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """What ComfyUI shows."""
        return schema(
            node_id="SteeringLoadPairs",
            display_name="Load Prompt Pairs",
            category="steering",
            description="Prompts with a concept, each beside the same prompt without it: built in, or a file of yours.",
            inputs=[
                io.Combo.Input(
                    "concept",
                    options=pair_names(),
                    default="pocket/dog",
                    tooltip=(
                        "A built-in concept, worded for the pocket model, for SD 1.5 and 2 or for SDXL, or a file of "
                        "models/steering_pairs: .csv with the header positive,negative, or .jsonl."
                    ),
                ),
            ],
            outputs=_outputs(),
        )

    @classmethod
    def validate_inputs(cls, concept: str | None) -> bool | str:
        """True, or a sentence with a remedy, in place of ComfyUI's check against the list."""
        return problem(pairs_path, concept)

    @classmethod
    def fingerprint_inputs(cls, concept: str | None) -> str:
        """Changes with the file."""
        return changes(pairs_path, concept, pair_names)

    @classmethod
    def execute(cls, concept: str) -> io.NodeOutput:
        """Read and check the file."""
        return _answer(named_pairs(concept))


class PairsFromText(io.ComfyNode):
    """Pairs written into the node."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """What ComfyUI shows."""
        return schema(
            node_id="SteeringPairsFromText",
            display_name="Prompt Pairs from Text",
            category="steering",
            description="One pair a line: the prompt with the concept, a bar, the same prompt without it.",
            inputs=[
                io.String.Input(
                    "text",
                    multiline=True,
                    default=EXAMPLE,
                    tooltip="One pair a line: positive, a vertical bar, negative; blank lines and lines with # do not "
                    "count.",
                ),
                io.String.Input("concept", default="my concept", tooltip="A name, kept in the vector's file."),
            ],
            outputs=_outputs(),
        )

    @classmethod
    def execute(cls, text: str, concept: str) -> io.NodeOutput:
        """Split the lines."""
        return _answer(NamedPairs(concept.strip() or "my concept", tuple(parse_lines(text, "text"))))


FAMILIES = {"any model": "sd15", "pocket model": "pocket"}
"""What a set may be written for -> the family whose words it takes."""


class WritePairs(io.ComfyNode):
    """Pairs from a word."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """What ComfyUI shows."""
        return schema(
            node_id="SteeringWritePairs",
            display_name="Write Prompt Pairs",
            category="steering",
            description=(
                "Prompt pairs from a word, by templates: the same scenes with the concept, with things like it, and "
                "with nothing in its place."
            ),
            inputs=[
                io.String.Input(
                    "concept", default="umbrella", tooltip="A word or a few: a thing, style, trait or scene."
                ),
                io.Combo.Input(
                    "words",
                    options=list(FAMILIES),
                    default="any model",
                    tooltip=(
                        "any model: plain English, as SD 1.5 and SDXL take it. pocket model: its own few words, with "
                        "kind auto and no siblings."
                    ),
                ),
                io.Combo.Input(
                    "kind",
                    options=["auto", *KINDS],
                    default="auto",
                    tooltip="What the word stands for; auto guesses. object: a dog. style: Claude Monet. attribute: "
                    "smiling. scene: in thick fog.",
                ),
                io.String.Input(
                    "siblings",
                    default="",
                    tooltip="Things like it that must stay, separated by commas; those known when empty.",
                ),
                io.Int.Input("count", default=SIZES["fit"], min=10, max=SIZES["fit"], tooltip="Number of pairs."),
                io.String.Input(
                    "becomes",
                    default="",
                    tooltip="What is to stand in its place where it goes: a cat for a dog, Monet for Van Gogh. Nothing "
                    "when empty.",
                ),
            ],
            outputs=_outputs(),
        )

    @classmethod
    def execute(
        cls, concept: str, words: str, kind: str, siblings: str, count: int, becomes: str = ""
    ) -> io.NodeOutput:
        """Write the set and keep its pairs."""
        written = write_set(Request(concept, kind, listed(siblings), becomes), FAMILIES[words])
        pairs = tuple(parse_pairs(written.files["fit.csv"])[:count])
        return _answer(NamedPairs(written.name, pairs), ui={"text": ("\n".join(written.remarks),)})
