"""A real ComfyUI in this process: ``COMFYUI_PATH`` (default ``~/ComfyUI``), on the CPU.

Several paths in it are for ``tools/integration.py``, which runs these tests once with each. Where ComfyUI or one of its
requirements is missing they skip, or fail where ``COMFYUI_REQUIRED`` is set.
"""

import asyncio
import os
import re
import sys
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from steering.activations.capture import capture
from steering.concepts.pairs import load_pairs
from steering.models.loading import load_model
from steering.models.sampling import CaptureSettings
from steering.vectors.build import build
from steering.vectors.calibration import calibrate, with_thresholds

PACK = Path(__file__).parent.parent.parent
COMFYUI = Path(os.environ.get("COMFYUI_PATH", Path.home() / "ComfyUI"))
SIZE, STEPS, GUIDANCE = 64, 4, 3.0


IMPORTED_AS = {"pillow": "PIL", "pyyaml": "yaml"}
NOT_IMPORTED = {"comfyui_workflow_templates", "comfyui_embedded_docs", "torchaudio"}
"""What ComfyUI starts without; 0.33 imports torchaudio, for which an empty module will do."""


def required(comfyui: Path) -> list[str]:
    """The modules that a ComfyUI imports at its start."""
    essential = (comfyui / "requirements.txt").read_text(encoding="utf-8").split("#non essential")[0]
    names = [match.lower().replace("-", "_") for match in re.findall(r"^[\w-]+", essential, re.MULTILINE)]
    return [IMPORTED_AS.get(name, name) for name in names if name not in NOT_IMPORTED]


def why_not() -> str | None:
    """Why the tests of this folder cannot run, None where they can."""
    if os.pathsep in str(COMFYUI):
        return f"COMFYUI_PATH names several, {COMFYUI}; tools/integration.py runs these tests with each"
    if not (COMFYUI / "main.py").is_file():
        return f"no ComfyUI at {COMFYUI}; set COMFYUI_PATH to run the integration tests"
    missing = [name for name in required(COMFYUI) if find_spec(name) is None]
    if missing:
        return f"ComfyUI at {COMFYUI} lacks {', '.join(missing)}; install its requirements in this environment"
    return None


def pytest_collection_modifyitems(items):
    reason = why_not()
    if reason and os.environ.get("COMFYUI_REQUIRED"):
        raise pytest.UsageError(reason)
    if reason:
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def comfy():
    """The node classes of ComfyUI and of the pack, by node id, and ComfyUI's own `nodes` module."""
    # ComfyUI's `nodes.py` must win over the pack's folder of the same name, as it does in a real start.
    sys.path.insert(0, str(COMFYUI))
    import comfy.cli_args

    comfy.cli_args.args.cpu = True
    import nodes

    asyncio.run(nodes.init_builtin_extra_nodes())
    assert asyncio.run(nodes.load_custom_node(str(PACK), module_parent="custom_nodes"))
    return SimpleNamespace(nodes=nodes, **nodes.NODE_CLASS_MAPPINGS)


# Float32 noise of a step (1e-6) and sigmas 5e-5 apart, carried through guidance and steered steps.
SAME = 1e-3


def outputs(node, **inputs):
    """What a node of ComfyUI's gives, written in the older of its forms or in the newer one."""
    return node.execute(**inputs).args if hasattr(node, "execute") else getattr(node(), node.FUNCTION)(**inputs)


def gap(a, b):
    """Root mean square difference, as a share of b's."""
    return float((a - b).square().mean().sqrt() / b.square().mean().sqrt())


def internals(comfy, name="comfy_steering"):
    """A module of the pack's `nodes`, under whatever name ComfyUI gave it."""
    return sys.modules[comfy.SteeringApply.__module__.rsplit(".", 1)[0] + f".{name}"]


class Headless:
    """The same model on the path of the command line."""

    def __init__(self):
        self.model = load_model("pocket", "cpu")

    def sample(self, text="a photo of a dog on the beach", seed=7, cfg=GUIDANCE, batch=1, steps=STEPS):
        """Latents from the noise that ComfyUI draws for a batch (one generator for all), unscaled as it has them."""
        shape = (batch, self.model.unet.config.in_channels, SIZE // 8, SIZE // 8)
        noise = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
        conditional = self.model.encode([text]).expand(batch)
        latents = self.model.denoise(conditional, self.model.encode([""]), noise, steps, cfg)
        return latents / self.model.vae.config.scaling_factor

    def decode(self, latents):
        """Pictures of such latents."""
        return self.model.decode(latents * self.model.vae.config.scaling_factor)


@pytest.fixture(scope="session")
def headless():
    return Headless()


@pytest.fixture(scope="session")
def vector(headless):
    """A small dog vector at all kinds of site, with thresholds."""
    pairs = load_pairs("pocket/dog")[:10]
    settings = CaptureSettings(steps=STEPS, size=SIZE, batch=10)
    activations = capture(headless.model, pairs, settings=settings)
    made = build(activations, top_k=8)
    negatives = [pair.negative for pair in pairs]
    return with_thresholds(made, calibrate(headless.model, made, negatives, settings))


class Graph:
    """The pocket model in ComfyUI, with the few nodes that make a picture of it."""

    def __init__(self, comfy, folder):
        self.comfy, self.folder = comfy, folder
        self.model, self.clip, self.vae = comfy.SteeringLoadPocket.execute().args

    def encode(self, text):
        return self.comfy.CLIPTextEncode().encode(self.clip, text)[0]

    def bring(self, vector):
        """The vector as the pack reads it: ComfyUI imports a copy of the engine of its own, so it goes by a file."""
        vector.save(self.folder / "v.safetensors")
        return internals(self.comfy, "vectors").SteeringVector.load(self.folder / "v.safetensors")

    def apply(self, vector, strength, preset="projection", model=None, start=0.0, end=1.0, mode="suppress", **more):
        arguments = (model or self.model, self.bring(vector), strength, preset, mode, start, end)
        return self.comfy.SteeringApply.execute(*arguments, **more).args[0]

    def sample(
        self, model=None, text="a photo of a dog on the beach", seed=7, cfg=GUIDANCE, batch=1, positive=None, **options
    ):
        """Latents of a stock KSampler set to euler, normal."""
        settings = {"steps": STEPS, "sampler_name": "euler", "scheduler": "normal", **options}
        latent = self.comfy.EmptyLatentImage().generate(SIZE, SIZE, batch)[0]
        with torch.inference_mode():  # as ComfyUI's executor does
            return (
                self.comfy.KSampler()
                .sample(
                    model or self.model,
                    seed,
                    settings.pop("steps"),
                    cfg,
                    settings.pop("sampler_name"),
                    settings.pop("scheduler"),
                    positive or self.encode(text),
                    self.encode(""),
                    latent,
                    **settings,
                )[0]["samples"]
                .clone()
            )


@pytest.fixture(scope="session")
def graph(comfy, tmp_path_factory):
    return Graph(comfy, tmp_path_factory.mktemp("vectors"))
