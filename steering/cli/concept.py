"""The commands ``steering concept``: sets of prompts of one's own."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Parameter

from ..errors import SteeringError
from ..evaluate.judge_transport import OPENAI
from .options import Force, Json
from .output import answer

if TYPE_CHECKING:
    from ..concepts.checking import Finding
    from ..concepts.material import Material
    from ..concepts.request import Request

concept = App(name="concept", help="Sets of prompts of one's own: written from a word, and checked.")

Family = Annotated[Literal["sd15", "sd2", "sdxl", "pocket"], Parameter(help="Family of models that the words are for.")]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class LlmOptions:
    """Who writes besides the templates.

    Attributes:
        llm: Language model that names things like the word and writes sentences (extra judge).
        llm_url: Its server, such as http://localhost:11434/v1 of Ollama; OpenAI if not given.
        llm_consent: The word may be sent to another machine.
    """

    llm: str | None = None
    llm_url: str = OPENAI
    llm_consent: bool = False

    def material(self, request: Request, folder: Path) -> Material | None:
        """What of its answer can be used; None where nobody is asked."""
        if self.llm is None:
            return None
        if request.becomes:  # said before anybody is asked
            raise SteeringError("--becomes is written by templates alone; leave --llm out")
        from ..concepts.material import accepted
        from ..concepts.request import begins, checked
        from ..concepts.word_lists import EXPLICIT
        from ..evaluate.writer import Writer

        plain = checked(request)
        explicit = begins(plain.word, EXPLICIT)
        said = Writer(self.llm, self.llm_url, self.llm_consent).ask(plain.word, plain.kind, explicit, folder)
        return accepted(said, plain, explicit)


@concept.default
def write(
    word: str,
    /,
    *,
    out: Path,
    kind: Literal["auto", "object", "style", "attribute", "scene"] = "auto",
    siblings: str = "",
    becomes: str = "",
    family: Family = "sd15",
    llm: LlmOptions = LlmOptions(),
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Write a whole set of prompts from a word, and say what is weak in it.

    Fifty pairs to learn from, fifty prompts of each role to choose with and a hundred to report, by templates: read
    them before anything is said of the figures. Every command that takes a concept takes the folder.

    Args:
        word: The concept in a word or a few: umbrella, "Claude Monet", smiling, "in thick fog".
        out: Folder to write.
        kind: What the word stands for; guessed if not given.
        siblings: Things like it that must stay, separated by commas, the first half for fitting and choosing, the
            second for the report; those known if not given.
        becomes: What is to stand in its place where it goes; nothing if not given.
    """
    from ..concepts.pairs import CONCEPTS, parse_pairs
    from ..concepts.request import Request
    from ..concepts.word_lists import listed
    from ..concepts.writing import FILES, write_set
    from ..families import FAMILIES, family_named
    from ..files import write_text

    if not out.is_absolute() and any((CONCEPTS / family.concepts / out).is_dir() for family in FAMILIES):
        raise SteeringError(f"{out} is the name of a built-in concept, which commands would take for it; give another")
    there = [name for name in FILES if (out / name).exists()]
    if there and not force:
        raise SteeringError(f"{out} already holds {', '.join(there)}; give another folder, or --force to replace them")
    request = Request(word, kind, listed(siblings), becomes)
    material = llm.material(request, out)
    written = write_set(request, family, material)
    parse_pairs(written.files["fit.csv"])  # what could not be read again is not written
    for name, content in written.files.items():
        write_text(out / name, content)
    found = _weak(str(out.resolve()), family)
    is_small, said = family_named(family).is_embedded, shlex.quote(str(out))
    model = "pocket" if is_small else "MODEL"
    took = f"of the language model's sentences {len(material.captions)} could be used" if material else ""
    lines = [
        *[took] * bool(took),
        *written.remarks,
        f"at test from {', '.join(written.alike.new)}",
        *(_alike_in_a_small_world(found) if is_small else _lines(found)),
        f"written to {out}; now steering tune {model} {said} --out VECTOR.safetensors, or in seconds: steering capture "
        f"{model} {said} --sites text --out text.safetensors, and steering build text.safetensors --direction kernel "
        "--out VECTOR.safetensors",
    ]
    about = {"folder": str(out), "kind": written.kind, "senses": written.senses, "files": sorted(written.files)}
    answer({**about, "findings": list(map(asdict, found))}, as_json, "\n".join(lines))


@concept.command
def check(name: str, /, *, family: Family = "sd15", as_json: Json = False) -> None:
    """Say what is weak in a concept's prompts, with the rows.

    Args:
        name: A folder with concept.json, fit.csv, dev.csv and test.csv, or a built-in concept.
    """
    found = _weak(name, family)
    text = "\n".join(_lines(found)) or "nothing weak was found"
    answer({"concept": name, "findings": list(map(asdict, found))}, as_json, text)


def _weak(name: str, family: str) -> list[Finding]:
    from ..concepts.checking import check_concept
    from ..models.text import chunks
    from ..pocket.latents import tokenizer

    words = tokenizer()
    return check_concept(name, family, lambda text: len(chunks(text, words)))


def _alike_in_a_small_world(found: Sequence[Finding]) -> list[str]:
    """What is weak in a set for the pocket model, whose few words make prompts alike whatever is written."""
    seen = sum(finding.count for finding in found if finding.what == "seen before")
    lines = [f"{seen} prompts resemble each other, as the pocket model knows few words: harmless here"] * bool(seen)
    return [*lines, *_lines([finding for finding in found if finding.what != "seen before"])]


def _lines(found: Sequence[Finding]) -> list[str]:
    lines = []
    for finding in found:
        lines += [f"{finding.what}: {finding.text}", *(f"    {row}" for row in finding.rows)]
        lines += [f"    and {finding.count - len(finding.rows)} more"] * (finding.count > len(finding.rows))
    return lines
