"""Capture Activations."""

from __future__ import annotations

import comfy.samplers
from comfy.model_patcher import ModelPatcher
from comfy.sd import CLIP
from comfy_api.latest import io

from ..steering.activations.capture import capture
from ..steering.activations.parts import capture_rows
from ..steering.activations.store import Activations as CapturedActivations
from ..steering.concepts.pairs import pairs_hash
from ..steering.models.sampling import STEPS, CaptureSettings
from ..steering.sites import BLOCKS, TEXT, choose_sites
from ..steering.version import __version__
from .cache import CaptureCache, key_of
from .comfy_capture import DETERMINISTIC, EVALUATIONS, Bar, GraphModel
from .comfy_files import cache_folder
from .comfy_schema import schema
from .sockets import Activations, NamedPairs, Pairs


def captured(
    model: ModelPatcher,
    clip: CLIP,
    named: NamedPairs,
    settings: CaptureSettings | None = None,
    sites: str = BLOCKS,
    sampler: str = "euler",
    scheduler: str = "normal",
    cached: bool = True,
) -> CapturedActivations:
    """A capture of a graph's model, from the cache where it was made before with the same model and prompts."""
    settings, pairs = settings or CaptureSettings(), list(named.pairs)
    graph = GraphModel(model, clip, sampler, scheduler)
    sampling = settings.on(graph)
    bar = Bar(model, capture_rows(len(pairs), sampling) * EVALUATIONS.get(sampler, 1))
    graph.look = bar.look
    if not cached or choose_sites(graph.sites(), sites) == [TEXT]:  # which takes no longer than to look it up
        return capture(graph, pairs, sites=sites, settings=settings, concept=named.concept, progress=bar.advance)
    cache = CaptureCache(cache_folder())
    literals = [__version__, named.concept, pairs_hash(pairs), sites, sampler, scheduler, graph.weights_hash()]
    how = [sampling.steps, sampling.guidance, sampling.seed, sampling.size]
    entry = cache.entry(key_of({"literals": literals, "how": how}), graph.probe(pairs, sampling))
    done, wanted = cache.load(entry), choose_sites(graph.sites(), sites)
    if done is None or list(done.tensors) != wanted:  # what lies there may be another's
        done = capture(
            graph,
            pairs,
            sites=sites,
            settings=settings,
            concept=named.concept,
            parts=entry / "parts",
            progress=bar.advance,
        )
        cache.store(entry, done)
    return done


def summary(activations: CapturedActivations) -> str:
    """One line about a capture."""
    about = activations.metadata
    first = f"{about.get('concept') or 'a concept'}: {activations.pairs} pairs, "
    family = f"{about.get('model', {}).get('family', 'unknown')} model"
    if TEXT in activations.tensors:
        return f"{first}{activations.rows} tokens of the text embedding; {family}"
    return (
        f"{first}{len(activations.tensors)} sites, {len(activations.sigmas)} noise levels; {family}, "
        f"{about.get('sampler')} {about.get('scheduler')}, cfg {about.get('guidance')}, size {about.get('size')}"
    )


class Capture(io.ComfyNode):
    """Runs both sides of every pair and keeps what the UNet does."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """What ComfyUI shows."""
        return schema(
            node_id="SteeringCapture",
            display_name="Capture Activations",
            category="steering",
            description=(
                "Samples both prompts of every pair from the same noise and keeps what each site of the UNet does at "
                "every step. Takes as long as making two pictures a pair; what is finished is kept when you interrupt."
            ),
            inputs=[
                io.Model.Input("model", tooltip="The model to learn the concept in, with its LoRAs if it has any."),
                io.Clip.Input("clip", tooltip="Its text encoder."),
                Pairs.Input("pairs", tooltip="From Load Prompt Pairs or Prompt Pairs from Text."),
                io.String.Input(
                    "sites",
                    default=BLOCKS,
                    tooltip=(
                        "What to record: kinds (attn1, attn2, ff, resnet) or single sites such as in4.attn2, separated "
                        "by commas. attn2 alone is quick and small. text alone takes no sampling."
                    ),
                ),
                io.Int.Input(
                    "steps", default=STEPS, min=1, max=1000, tooltip="Sampling steps; 30 is usual, 10 to 50 are useful."
                ),
                io.Float.Input(
                    "cfg",
                    default=7.5,
                    min=1.0,
                    max=30.0,
                    step=0.1,
                    tooltip="Guidance; 7.5 for SD 1.5, 5 to 7 for SDXL, 3 for the pocket model. 1 takes half the time.",
                ),
                io.Combo.Input(
                    "sampler_name", options=list(DETERMINISTIC), tooltip="Samplers without noise of their own; euler."
                ),
                io.Combo.Input(
                    "scheduler",
                    options=comfy.samplers.SCHEDULER_NAMES,
                    default="normal",
                    tooltip="Noise levels of the steps; normal. A vector fits runs with any other levels as well.",
                ),
                io.Int.Input(
                    "capture_seed",
                    default=0,
                    min=0,
                    max=0xFFFFFFFFFFFF,
                    control_after_generate=False,
                    tooltip="Pair i starts from the noise of this seed + i. Leave it, so that the cache is found.",
                ),
                io.Int.Input("width", default=512, min=64, max=4096, step=8, tooltip="Pixels; 128 for the pocket."),
                io.Int.Input("height", default=512, min=64, max=4096, step=8, tooltip="Pixels, as for width."),
                io.Int.Input(
                    "batch",
                    default=1,
                    min=1,
                    max=64,
                    tooltip="Pairs computed together; 1 needs the memory of 4 pictures. Changes speed only.",
                ),
                io.Boolean.Input(
                    "cache",
                    default=True,
                    tooltip="Keep the capture on disk and take it from there when model and prompts are the same.",
                ),
            ],
            outputs=[
                Activations.Output(display_name="ACTIVATIONS", tooltip="To Score Layers and Build Steering Vector."),
                io.String.Output(display_name="summary", tooltip="What was captured; show it with Preview Any."),
            ],
        )

    @classmethod
    def execute(
        cls,
        model: ModelPatcher,
        clip: CLIP,
        pairs: NamedPairs,
        sites: str,
        steps: int,
        cfg: float,
        sampler_name: str,
        scheduler: str,
        capture_seed: int,
        width: int,
        height: int,
        batch: int,
        cache: bool,
    ) -> io.NodeOutput:
        """Sample, or take it from the cache."""
        settings = CaptureSettings(steps, cfg, capture_seed, width if width == height else (width, height), batch)
        activations = captured(model, clip, pairs, settings, sites, sampler_name, scheduler, cache)
        return io.NodeOutput(activations, summary(activations))
