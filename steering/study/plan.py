"""What a study draws: its arms, and how many prompts each runs on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from ..capture import STEPS
from ..evaluate.choice import Setting
from ..evaluate.prompts import Prompt
from ..interventions import get_preset
from ..sites import KINDS

Counts = tuple[int, int, int]
"""Numbers of target, sibling and unrelated prompts."""
CONTROLS = ("sign_flip", "isotropic", "other_concept")
THIRDS = {"first": (0.0, 1 / 3), "middle": (1 / 3, 2 / 3), "last": (2 / 3, 1.0)}
"""Windows of the schedule, as shares of it."""
OTHER_SEED = 1000
"""The repetition whose noise is the other seed's."""


@dataclass(frozen=True)
class Recipe:
    """How an arm's vector comes from the capture.

    Attributes:
        k: sites per step.
        direction: a name of `steering.directions.DIRECTIONS`.
        rank: directions a site.
        selection: the rule that picks the k, see `steering.navigator.select`.
        time: one direction ``per-step``, or one ``constant`` in time.
        control: one of `CONTROLS`, or nothing for the vector itself.
    """

    k: int
    direction: str = "mean"
    rank: int = 1
    selection: str = "per-step"
    time: str = "per-step"
    control: str = ""

    @property
    def name(self) -> str:
        """A file's name."""
        usual = {"selection": "per-step", "time": "per-step", "control": ""}
        extra = [str(getattr(self, key)).replace(":", "_").replace(",", "+") for key in usual]
        unusual = [text for text, plain in zip(extra, usual.values(), strict=True) if text != plain]
        return "_".join([f"{self.direction}{self.rank}_k{self.k}", *unusual])


@dataclass(frozen=True)
class Arm:
    """One way of drawing the prompts.

    Attributes:
        name: unique within a concept and split.
        group: the question that it belongs to.
        counts: prompts of each role.
        vector: how its vector is made, or the path of a vector file; None draws unsteered.
        preset: a name of `steering.interventions.PRESETS`.
        strength: λ.
        window: first and last share of the schedule.
        negative: negative prompt.
        repeat: added to every prompt's number of repetition, for another seed.
        split: ``dev`` or ``test``.
    """

    name: str
    group: str
    counts: Counts
    vector: Recipe | str | None = None
    preset: str = "study"
    strength: float = 0.0
    window: tuple[float, float] = (0.0, 1.0)
    negative: str = ""
    repeat: int = 0
    split: str = "test"


@dataclass(frozen=True)
class Plan:
    """How much a study does; the default is all of it.

    Attributes:
        ks: numbers of sites steered per step.
        presets: the presets among which one is chosen, with the strengths tried of each.
        strengths: further strengths of the study preset on its curve.
        ranks: numbers of directions above 1 that are tried where one is not enough.
        dev: dev prompts for all settings.
        finals: dev prompts for the finalists.
        test: test prompts of the main arms.
        kept: test prompts of the arms over k: all targets, and some whose content must stay.
        side: test prompts of the arms that ask about kinds, windows and strengths.
        pairs: pairs to capture.
        repeats: seeds a prompt.
        steps: sampling steps.
        guidance: guidance; None takes the model's usual one.
        size: side of the pictures; None takes the model's own.
        batch: pictures computed together and written together; None takes the model's usual number.
    """

    ks: tuple[int, ...] = (1, 3, 5, 8, 10)
    presets: Mapping[str, tuple[float, ...]] = field(
        default_factory=lambda: MappingProxyType(
            {"study": (2.5,), "casteer": (2.0,), "precise": (1.0,), "selective": (3.0,)}
        )
    )
    strengths: tuple[float, ...] = (0.5, 1.0, 1.5, 4.0)
    ranks: tuple[int, ...] = (2, 3)
    dev: Counts = (20, 16, 16)
    finals: Counts = (50, 50, 50)
    test: Counts = (100, 100, 100)
    kept: Counts = (100, 50, 50)
    side: Counts = (50, 25, 25)
    pairs: int = 50
    repeats: int = 1
    steps: int = STEPS
    guidance: float | None = None
    size: int | None = None
    batch: int | None = None

    def __post_init__(self) -> None:
        if not self.ks or min(self.ks) < 1 or len(set(self.ks)) < len(self.ks):
            raise ValueError(f"k {','.join(map(str, self.ks))} must be different whole numbers from 1, as 1,3,5,8,10")
        object.__setattr__(self, "ks", tuple(sorted(self.ks)))
        for name in self.presets:
            get_preset(name)
        if "study" not in self.presets:
            raise ValueError("the presets must hold study, whose tables a study prints")
        if min(self.pairs, self.repeats, self.steps) < 1:
            raise ValueError(f"pairs {self.pairs}, repeats {self.repeats} and steps {self.steps} must be at least 1")


FULL = Plan()
QUICK = Plan(
    ks=(1, 5),
    presets=MappingProxyType({"study": (2.5,), "selective": (3.0,)}),
    strengths=(1.0,),
    ranks=(),
    dev=(3, 2, 2),
    finals=(3, 2, 2),
    test=(6, 4, 4),
    kept=(6, 4, 4),
    side=(3, 2, 2),
    pairs=12,
)


def scaled(plan: Plan, prompts: int) -> Plan:
    """The plan with at most ``prompts`` test prompts of each role, and half as many in the side arms."""

    def at_most(counts: Counts, limit: int) -> Counts:
        target, sibling, unrelated = (min(count, limit) for count in counts)
        return target, sibling, unrelated

    half = max(2, prompts // 2)
    return replace(
        plan, test=at_most(plan.test, prompts), kept=at_most(plan.kept, prompts), side=at_most(plan.side, half)
    )


def all_targets(plan: Plan, prompts: Sequence[Sequence[Prompt]]) -> Plan:
    """The plan with as many target prompts in its main arms as the longest list holds."""
    most = max(sum(prompt.role == "target" for prompt in some) for some in prompts)
    return replace(plan, test=(most, *plan.test[1:]), kept=(most, *plan.kept[1:]))


def tried(plan: Plan) -> list[Setting]:
    """Every setting of one direction that is compared on dev."""
    return [(preset, strength, k, 1) for preset, some in plan.presets.items() for strength in some for k in plan.ks]


def tried_further(plan: Plan) -> list[Setting]:
    """The settings of several directions, compared where one is not enough."""
    if "selective" not in plan.presets:
        return []
    return [("selective", plan.presets["selective"][0], k, rank) for rank in plan.ranks for k in plan.ks]


def of_setting(setting: Setting) -> Recipe:
    """The recipe of a setting's vector."""
    _, _, k, rank = setting
    return Recipe(k, "mean" if rank == 1 else "pca", rank)


def setting_name(setting: Setting) -> str:
    """A setting as an arm's name."""
    preset, strength, k, rank = setting
    return f"{preset}_{strength:g}_k{k}" + (f"_rank{rank}" if rank > 1 else "")


def dev_arms(settings: Sequence[Setting], counts: Counts) -> list[Arm]:
    """The arms that compare settings on dev; the first is the original."""
    steered = [
        Arm(setting_name(s), "dev", counts, of_setting(s), preset=s[0], strength=s[1], split="dev") for s in settings
    ]
    return [Arm("original", "dev", counts, split="dev"), *steered]


def reported_arms(
    plan: Plan, text: str, chosen: Setting, study_k: int, controls: Sequence[str] = CONTROLS, guided: bool = True
) -> list[Arm]:
    """Every arm that is reported.

    Args:
        plan: how much.
        text: the concept in words, for the negative prompt.
        chosen: the setting that dev prompts chose.
        study_k: the k that dev prompts chose for the study's preset; the side arms have it.
        controls: the control vectors that can be made.
        guided: whether there is classifier-free guidance, without which a negative prompt does nothing.
    """
    strength = plan.presets["study"][0]
    strengths = sorted({*plan.strengths, strength})
    targets = (plan.test[0], 0, 0)
    best = Arm("chosen", "chosen", plan.test, of_setting(chosen), preset=chosen[0], strength=chosen[1])
    study = [Arm(f"study_k{k}", "study", plan.kept, Recipe(k), strength=strength) for k in plan.ks]
    cpca = [Arm(f"cpca_k{k}", "cpca", plan.kept, Recipe(k, "cpca"), strength=strength) for k in plan.ks]
    side = Arm("", "", plan.side, Recipe(study_k), strength=strength)
    return [
        Arm("original", "original", plan.test),
        *study,
        *cpca,
        best,
        *(replace(best, name=c, group="control", counts=targets, vector=_control(best, c)) for c in controls),
        # All targets, so that pictures are computed in the same company as the originals: to the last bit, a
        # picture depends on how many others share its batch.
        replace(best, name="strength_0", group="zero", counts=targets, strength=0.0),
        *([Arm("negative_prompt", "negative", plan.kept, negative=text)] if guided else []),
        Arm("other_seed", "floor", plan.kept, repeat=OTHER_SEED),
        *(
            replace(side, name=f"only_{kind}", group="kind", vector=Recipe(study_k, selection=f"per-step:{kind}"))
            for kind in KINDS
        ),
        *(replace(side, name=f"{third}_third", group="window", window=window) for third, window in THIRDS.items()),
        *(replace(side, name=f"study_{value:g}", group="strength", strength=value) for value in strengths),
    ]


def _control(arm: Arm, control: str) -> Recipe:
    assert isinstance(arm.vector, Recipe)
    return replace(arm.vector, control=control)
