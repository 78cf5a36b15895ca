"""KSampler (Steering), and Steering Report."""

from __future__ import annotations

import comfy.samplers
from comfy.model_patcher import ModelPatcher
from comfy_api.latest import io

from ..steering.errors import SteeringError
from ..steering.interventions.entry import Entry
from ..steering.interventions.observation import settle, table
from ..steering.plots.figures import observed_figure
from ..steering.plots.pictures import as_array
from .comfy_schema import schema
from .comfy_steering import entries_of, observed, sample, schedule
from .pictures import as_image
from .sockets import Run, SteeredRun


class SteeredKSampler(io.ComfyNode):
    """KSampler that also notes what steering did."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """What ComfyUI shows."""
        return schema(
            node_id="SteeringKSampler",
            display_name="KSampler (Steering)",
            category="steering",
            description=(
                "The stock KSampler, which also measures what steering does at every site. The picture is the same; "
                "use the stock one when you do not want the report."
            ),
            inputs=[
                io.Model.Input("model", tooltip="A model after Apply Steering."),
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=0xFFFFFFFFFFFFFFFF,
                    control_after_generate=True,
                    tooltip="Seed of the noise.",
                ),
                io.Int.Input("steps", default=30, min=1, max=10000, tooltip="Sampling steps; 30 is usual."),
                io.Float.Input(
                    "cfg",
                    default=7.5,
                    min=0.0,
                    max=100.0,
                    step=0.1,
                    round=0.01,
                    tooltip="Guidance; 7.5 for SD 1.5, 5 to 7 for SDXL, 3 for the pocket model; 1 is none.",
                ),
                io.Combo.Input(
                    "sampler_name", options=comfy.samplers.SAMPLER_NAMES, default="euler", tooltip="As in KSampler."
                ),
                io.Combo.Input(
                    "scheduler", options=comfy.samplers.SCHEDULER_NAMES, default="normal", tooltip="As in KSampler."
                ),
                io.Conditioning.Input("positive", tooltip="The prompt."),
                io.Conditioning.Input("negative", tooltip="The negative prompt."),
                io.Latent.Input("latent_image", tooltip="Empty latents, or a picture's."),
                io.Float.Input(
                    "denoise",
                    default=1.0,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="1 starts from pure noise; less keeps more of the latents given.",
                ),
            ],
            outputs=[
                io.Latent.Output(display_name="LATENT", tooltip="To VAE Decode."),
                Run.Output(display_name="RUN", tooltip="To Steering Report."),
            ],
        )

    @classmethod
    def execute(
        cls,
        model: ModelPatcher,
        seed: int,
        steps: int,
        cfg: float,
        sampler_name: str,
        scheduler: str,
        positive: list,
        negative: list,
        latent_image: dict,
        denoise: float,
    ) -> io.NodeOutput:
        """Sample with a model that notes what it does."""
        watched, seen = observed(model)
        how = (seed, steps, cfg, sampler_name, scheduler)
        latent = sample(watched, *how, positive, negative, latent_image, denoise)
        sigmas = tuple(schedule(model, steps, sampler_name, scheduler, denoise)[:-1].tolist())
        run = SteeredRun(entries_of(model), sigmas, tuple(settle(seen)))
        for number, entry in enumerate(run.entries):
            if missed(run, number, entry):
                raise SteeringError(
                    f"steering with strength {entry.strength:g} hit no site in this run, although its window is part "
                    "of it: the vector is active at other noise levels only; build it with more sites or other steps"
                )
        return io.NodeOutput(latent, run)


def in_window(run: SteeredRun, entry: Entry) -> bool:
    """Whether some step of the run lies within an entry's window."""
    return any(entry.window[1] <= sigma <= entry.window[0] for sigma in run.sigmas)


def missed(run: SteeredRun, number: int, entry: Entry) -> bool:
    """Whether an entry should have acted and did not."""
    acted = any(seen.entry == number for seen in run.observations)
    return bool(entry.strength) and in_window(run, entry) and not acted


def describe_run(run: SteeredRun) -> str:
    """What each entry did, and the table of sites."""
    if not run.entries:
        return "The model is not steered; put Apply Steering before this sampler."
    if not run.sigmas:
        return "The run had no steps (denoise 0), so there was nothing to steer."
    lines = [f"{len(run.sigmas)} steps, noise levels {run.sigmas[0]:.3g} to {run.sigmas[-1]:.3g}"]
    for number, entry in enumerate(run.entries):
        mine = [seen for seen in run.observations if seen.entry == number]
        name = entry.vector.metadata.get("concept") or f"vector {number + 1}"
        if entry.target is not None:
            name = f"{name} with {entry.target.metadata.get('concept') or 'another'}"
        way = f"{entry.mode} {name}, strength {entry.strength:g}, {entry.settings}"
        if not entry.strength:
            lines.append(f"{way}: strength 0, nothing changes")
        elif not in_window(run, entry):
            lines.append(f"{way}: its window ({entry.window[0]:.3g} to {entry.window[1]:.3g}) lies outside this run")
        else:
            hit, steps = len({seen.site for seen in mine}), len({seen.sigma for seen in mine})
            lines += [f"{way}: {hit} of {len(entry.vector.sites)} sites at {steps} noise levels", table(mine)]
    return "\n".join(lines)


class Report(io.ComfyNode):
    """What steering did in a run."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """What ComfyUI shows."""
        return schema(
            node_id="SteeringReport",
            display_name="Steering Report",
            category="steering",
            description="Which sites were steered at which steps, how far along the direction, and how many tokens.",
            inputs=[Run.Input("run", tooltip="From KSampler (Steering).")],
            outputs=[
                io.String.Output(display_name="report", tooltip="As text; show it with Preview Any."),
                io.Image.Output(
                    display_name="picture", tooltip="Sites by noise levels: how far the mean coordinate moved."
                ),
            ],
        )

    @classmethod
    def execute(cls, run: SteeredRun) -> io.NodeOutput:
        """Write and draw."""
        acting = [seen for seen in run.observations if run.entries[seen.entry].strength]
        return io.NodeOutput(describe_run(run), as_image(as_array(observed_figure(acting))))
