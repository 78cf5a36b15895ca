"""What every command of ``steering`` shares: its options, and the files that it takes and writes.

An option that several commands have is declared here, once: alone as a type, or with its kin as a dataclass whose
fields become options. What an option means stands in the docstring of the command or of the dataclass, where the
help pages find it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from cyclopts.types import PositiveInt
from cyclopts.validators import Number

from ..errors import SteeringError
from ..evaluate.judge_transport import OPENAI
from ..interventions.presets import Mode

if TYPE_CHECKING:
    from ..interventions.entry import Entry

AtLeastTwo = Annotated[int, Parameter(validator=Number(gte=2))]
Model = Annotated[str, Parameter(help="pocket, a diffusers folder, a hub id, or a .safetensors checkpoint.")]
Json = Annotated[bool, Parameter(name="--json", help="Print one line of JSON as the last line of the output.")]
Preset = Annotated[
    str | None,
    Parameter(help="projection, casteer, precise, selective, lora, affine, conditional; else the file's own."),
]
OneVector = Annotated[str, Parameter(help="FILE or FILE:STRENGTH.")]
OutPicture = Annotated[Path, Parameter(help="Picture to write, .png.")]
Force = Annotated[bool, Parameter(help="Replace what is there, even a file that is none of ours.")]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How pictures are sampled.

    Attributes:
        steps: Sampling steps.
        guidance: Classifier-free guidance; the model's own if not given, 1 halves the cost.
        size: Width and height in pixels; the model's own if not given.
    """

    steps: PositiveInt = 30
    guidance: float | None = None
    size: int | None = None

    def rows(self, pictures: int) -> int:
        """UNet rows that some pictures cost."""
        from ..models.sampling import rows_of

        return rows_of(pictures, self.steps, self.guidance)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class BatchedSampling(Sampling):
    """How pictures are sampled, several at a time.

    Attributes:
        batch: Pictures, or pairs, computed together; the model's usual number.
    """

    batch: PositiveInt | None = None


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Drawing(Sampling):
    """How a few pictures are drawn.

    Attributes:
        negative: Negative prompt.
        seed: Seed of the noise.
    """

    negative: str = ""
    seed: int = 0

    def draw(self, model: Any, prompt: str | list[str], progress: Any) -> Any:
        """Pictures of a prompt, or of several ``[N, H, W, 3]``."""
        return model.generate(
            prompt,
            self.negative,
            seed=self.seed,
            steps=self.steps,
            guidance=self.guidance,
            size=self.size,
            progress=progress,
        )


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class ModeOptions:
    """What steering does with a vector.

    Attributes:
        mode: suppress, replace (with --target) or add.
        target: FILE of the vector that takes the concept's place, for replace.
    """

    mode: Mode = "suppress"
    target: str | None = None

    def entry(self, path: str, strength: float | None, preset: str | None) -> Entry:
        """The vector of a file with this mode; None leaves strength and preset to the file."""
        from ..interventions.entry import make_entry
        from ..vectors.vector import SteeringVector

        target = None if self.target is None else SteeringVector.load(self.target)
        return make_entry(SteeringVector.load(path), strength=strength, preset=preset, mode=self.mode, target=target)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class ClipOptions:
    """The CLIP that scores.

    Attributes:
        clip: CLIP that scores: pocket, an open_clip architecture or a .json file.
        clip_weights: A tag of open_clip, or a file; of ViT-B-32 if no --clip is given.
    """

    clip: str | None = None
    clip_weights: str | None = None


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Amount(BatchedSampling):
    """How much is drawn.

    Attributes:
        prompts: At most so many test prompts of each role.
        seeds: Seeds a prompt; more prompts are worth more.
    """

    prompts: AtLeastTwo | None = None
    seeds: PositiveInt = 1

    def plan(self, base: Any) -> Any:
        """A plan with this sampling and at most so many prompts."""
        from ..study.plan import scaled

        plan = replace(
            base, steps=self.steps, guidance=self.guidance, size=self.size, batch=self.batch, repeats=self.seeds
        )
        return scaled(plan, self.prompts) if self.prompts else plan


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class MeasureOptions(ClipOptions):
    """What measures the pictures.

    Attributes:
        inception: Inception's weights, for FID (extra fid).
        lpips: AlexNet's weights, for LPIPS (extra lpips).
        nudenet: NudeNet (extra nudity); for the concept nudity if there.
        judge: Vision language model that judges (extra judge).
        judge_url: Its server, such as http://localhost:11434/v1 of Ollama; OpenAI if not given.
        judge_consent: Pictures may be sent to another machine.
        judge_limit: Most answers that each process asks for.
        judge_price: Dollars per million tokens, IN,OUT, for --dry-run.
    """

    inception: Path | None = None
    lpips: Path | None = None
    nudenet: Annotated[bool | None, Parameter(negative="--no-nudenet")] = None
    judge: str | None = None
    judge_url: str = OPENAI
    judge_consent: bool = False
    judge_limit: PositiveInt | None = None
    judge_price: str | None = None

    def prices(self) -> tuple[float, float] | None:
        """Dollars per million tokens in and out, where they are given."""
        if self.judge_price is None:
            return None
        try:
            read, written = (float(part) for part in self.judge_price.split(","))
        except ValueError:
            read = written = math.nan
        if not (0 <= read < math.inf and 0 <= written < math.inf):
            raise SteeringError(
                f"--judge-price {self.judge_price!r} must be two numbers from 0, dollars per million tokens in and out"
            )
        return read, written

    def measures(self) -> Any:
        """As the engine takes them."""
        from ..evaluate.judge import JudgeSettings
        from ..evaluate.measures import Measures

        asked = None
        if self.judge:
            asked = JudgeSettings(self.judge, self.judge_url, self.judge_consent, limit=self.judge_limit)
        return Measures(self.clip, self.clip_weights, self.inception, self.lpips, self.nudenet, asked)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class ClusterOptions:
    """Who does the work.

    Attributes:
        workers: Processes that share the work (extra cluster); as many as there is room for if only --ray is given.
        ray: Address of a running Ray, auto or HOST:PORT; without it --workers starts one on this machine.
    """

    workers: PositiveInt | None = None
    ray: str | None = None

    def pool(self, source: str, how: dict[str, Any], measures: Any, concepts: Sequence[str], bench: Any) -> Any:
        """Whoever is to do what ``bench`` would do here, for as long as the block lasts.

        Workers load the model ``source`` with the arguments ``how`` of `load_model`.
        """
        from ..study.pool import ALONE

        if self.workers is None and self.ray is None:
            return nullcontext(ALONE)
        from ..study.cluster import Setup, ray_pool

        return ray_pool(Setup.of(source, how, measures, concepts, bench), self.workers, self.ray)


ENDINGS = {"scores": ".json", "picture": ".png"} | dict.fromkeys(("activations", "vector", "lora"), ".safetensors")
"""What a command writes, and how its name ends."""


def new_file(
    path: Path | None, kind: str, *, option: str = "--out", inputs: Iterable[str | Path] = (), force: bool = False
) -> None:
    """Refuse a place that cannot or must not be written, before any work is done.

    Args:
        path: where something is to be written; None where nothing is.
        kind: what, of `ENDINGS`.
        option: that named it.
        inputs: files that are read meanwhile, which it must not be.
        force: whether a file there that is none of ours, of that kind, may be replaced.

    Raises:
        SteeringError: a wrong ending, a folder, an input, or a stranger's file.
    """
    from ..files import is_ours

    if path is None:
        return
    if path.suffix != ENDINGS[kind]:
        raise SteeringError(f"{option} {path} must end in {ENDINGS[kind]}")
    if path.is_dir() or (path.parent.exists() and not path.parent.is_dir()):
        raise SteeringError(f"{option} {path} is not a place for a file")
    if not path.exists():
        return
    if any(Path(one).exists() and path.samefile(one) for one in inputs):
        raise SteeringError(f"{option} {path} is also read by this command; name another file")
    if not force and not is_ours(path, kind):
        raise SteeringError(f"{option} {path} exists and is no {kind} of ours; name another file, or say --force")


def file_and_strength(item: str, option: str = "--vector") -> tuple[str, float | None]:
    """``FILE`` or ``FILE:NUMBER`` in its parts."""
    head, colon, tail = item.rpartition(":")
    if not colon or Path(item).is_file():
        return item, None
    try:
        return head, float(tail)
    except ValueError:
        raise SteeringError(f"{option} {item!r} is neither a file nor FILE:NUMBER with a number") from None
