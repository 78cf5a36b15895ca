# /// script
# requires-python = ">=3.10"
# dependencies = ["playwright>=1.45", "pillow>=10"]
# ///
"""Make the workflows with the real frontend: ``uv run --script tools/workflows.py --comfyui URL``.

Needs a running ComfyUI with this pack (``--comfyui``, default http://127.0.0.1:8188) and Chromium
(``--chromium``, default the one on the PATH). Each graph below is built in the page, laid out, saved as
``workflows/NAME.json``, loaded again, converted with the page's own ``graphToPrompt`` into
``workflows/api/NAME.json``, and photographed into ``workflows/NAME.jpg``; those that need no download
are run first, so that the photograph shows their pictures (and goes into ``docs/`` as well). The nodes'
schemas, against which the tests check the files, go into ``tests/data/object_info.json``.
"""

import io
import json
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from frontend import frontend, parser
from PIL import Image
from playwright.sync_api import Page

ROOT = Path(__file__).parent.parent
VERSION = (ROOT / "steering" / "version.py").read_text(encoding="utf-8").split('"')[-2]
CHECKPOINT = "v1-5-pruned-emaonly-fp16.safetensors"
CHECKPOINT_URL = f"https://huggingface.co/Comfy-Org/stable-diffusion-v1-5-archive/resolve/main/{CHECKPOINT}"


@dataclass
class Node:
    """A node of a graph: where it stands, its widgets by name, and what its inputs are connected to.

    Those of one ``group`` stand in a frame of that name, and are muted.
    """

    type: str
    at: tuple[int, int]
    size: tuple[int, int] | None = None
    title: str = ""
    widgets: dict[str, Any] = field(default_factory=dict)
    inputs: dict[str, tuple[str, int]] = field(default_factory=dict)
    group: str = ""


Graph = dict[str, Node]


def note(text: str, at: tuple[int, int], size: tuple[int, int]) -> Node:
    return Node("MarkdownNote", at, size, "Read me", {"": text})


def sampler(model: tuple[str, int], at: tuple[int, int], cfg: float, title: str) -> Node:
    widgets = {"seed": 7, "control_after_generate": "fixed", "steps": 30, "cfg": cfg, "denoise": 1.0}
    widgets |= {"sampler_name": "euler", "scheduler": "normal"}
    inputs = {"model": model, "positive": ("positive", 0), "negative": ("negative", 0), "latent_image": ("latent", 0)}
    return Node("KSampler", at, (270, 262), title, widgets, inputs)


def prompts(prompt: str, clip: tuple[str, int], x: int, y: int) -> Graph:
    return {
        "positive": Node("CLIPTextEncode", (x, y), (300, 100), "Prompt", {"text": prompt}, {"clip": clip}),
        "negative": Node("CLIPTextEncode", (x, y + 150), (300, 88), "Negative prompt", {"text": ""}, {"clip": clip}),
    }


def latent(size: int, batch: int, at: tuple[int, int]) -> Node:
    widgets = {"width": size, "height": size, "batch_size": batch}
    return Node("EmptyLatentImage", at, (270, 106), "", widgets)


def shown(name: str, latents: str, vae: tuple[str, int], x: int, y: int, title: str) -> Graph:
    return {
        f"{name}_decode": Node("VAEDecode", (x, y), (200, 46), "", {}, {"samples": (latents, 0), "vae": vae}),
        f"{name}_preview": Node("PreviewImage", (x, y + 90), (320, 340), title, {}, {"images": (f"{name}_decode", 0)}),
    }


def quickstart() -> Graph:
    text = (
        "## Press Run\n\n"
        "The pocket model comes with the pack, nothing to download. Both samplers use the same prompt and "
        "seed; the lower one draws through **Apply Steering**, which takes the dog out.\n\n"
        "Then try another *strength*: 0 is the original. Or another vector: `pocket_van_gogh.safetensors` at "
        "strength 2.5 with the prompt *a photo of a house in the meadow in the style of Van Gogh*; "
        "`pocket_violence.safetensors` at 3 with *a photo of a knife in a room*.\n\n"
        "It draws dog, cat, frog, fish, knife, bomb, key, umbrella, apple, house, car and tree, on the beach, "
        "in the meadow, in the snow, in the desert, in a room, at night."
    )
    return {
        "note": note(text, (20, 20), (320, 330)),
        "pocket": Node("SteeringLoadPocket", (20, 410), (260, 70)),
        "vector": Node("SteeringLoadVector", (20, 560), (320, 98), "", {"vector_name": "pocket_dog.safetensors"}),
        **prompts("a photo of a dog and a cat in the meadow", ("pocket", 1), 390, 20),
        "latent": latent(128, 4, (390, 310)),
        "apply": Node(
            "SteeringApply",
            (390, 480),
            (300, 220),
            "",
            {"strength": APPLIED, "preset": "recommended"},
            {"model": ("pocket", 0), "vector": ("vector", 0)},
        ),
        "original": sampler(("pocket", 0), (740, 20), 3.0, "KSampler, original"),
        "steered": sampler(("apply", 0), (740, 400), 3.0, "KSampler, steered"),
        **shown("original", "original", ("pocket", 2), 1060, 20, "Original"),
        **shown("steered", "steered", ("pocket", 2), 1420, 20, "Steered"),
    }


def build_pocket() -> Graph:
    text = (
        "## Press Run\n\nMakes a steering vector for *dog* from 50 pairs of prompts and applies it. The capture draws "
        "100 small pictures and takes a few minutes on a CPU the first time; afterwards it comes from the cache.\n\n"
        "**To make your own**: choose another concept, or put *Prompt Pairs from Text* in its place, and give *Save "
        "Steering Vector* another name. The vector lands in `models/steering_vectors`; *Load Steering Vector* lists "
        "it after pressing R.\n\nThe heat map shows where the concept can be steered: sites from top to bottom, "
        "sampling steps from left to right, red is good."
    )
    return {
        "note": note(text, (20, 20), (320, 400)),
        "pocket": Node("SteeringLoadPocket", (20, 480), (260, 70)),
        "pairs": Node("SteeringLoadPairs", (20, 620), (300, 98), "", {"concept": "pocket/dog"}),
        "capture": Node(
            "SteeringCapture",
            (390, 20),
            (320, 380),
            "",
            {"cfg": 3.0, "width": 128, "height": 128, "batch": 10},
            {"model": ("pocket", 0), "clip": ("pocket", 1), "pairs": ("pairs", 0)},
        ),
        "score": Node("SteeringScore", (390, 460), (320, 98), "", {}, {"activations": ("capture", 0)}),
        "heat": Node("PreviewImage", (760, 20), (420, 520), "Where it can be steered", {}, {"images": ("score", 1)}),
        "build": Node(
            "SteeringBuild",
            (390, 620),
            (320, 240),
            "",
            {"top_k": 8},
            {
                "activations": ("capture", 0),
                "scores": ("score", 0),
                "model": ("pocket", 0),
                "clip": ("pocket", 1),
            },
        ),
        "save": Node(
            "SteeringSaveVector",
            (760, 600),
            (320, 98),
            "",
            {"filename_prefix": "my_pocket_dog"},
            {"vector": ("build", 0)},
        ),
        "apply": Node(
            "SteeringApply",
            (760, 760),
            (320, 220),
            "",
            {"strength": 1.0, "preset": "precise"},
            {"model": ("pocket", 0), "vector": ("save", 0)},
        ),
        **prompts("a photo of a dog and a cat in the meadow", ("pocket", 1), 1230, 20),
        "latent": latent(128, 4, (1230, 310)),
        "original": sampler(("pocket", 0), (1230, 470), 3.0, "KSampler, original"),
        "steered": sampler(("apply", 0), (1230, 790), 3.0, "KSampler, steered"),
        **shown("original", "original", ("pocket", 2), 1580, 20, "Original"),
        **shown("steered", "steered", ("pocket", 2), 1580, 540, "Steered"),
    }


def sd15_remove() -> Graph:
    text = (
        "## Remove a dog from Stable Diffusion 1.5\n\n"
        f"Needs `{CHECKPOINT}` in `models/checkpoints`.\n\n"
        "Press Run. The capture draws both prompts of 50 pairs: about as long as a hundred pictures take on "
        "your machine, once; it can be interrupted and goes on where it stopped. Settings are the study's: 30 "
        "steps, cfg 7.5, scores as published, the five best sites of every step, plain projection at strength "
        "2.5.\n\n"
        "The vector is saved as `sd15_dog` in `models/steering_vectors` for workflow 04; made again, it "
        "becomes `sd15_dog_00002`. Too much damage? Preset *precise* at strength 1."
    )
    checkpoint = Node("CheckpointLoaderSimple", (20, 430), (330, 98), "", {"ckpt_name": CHECKPOINT})
    return {
        "note": note(text, (20, 20), (330, 350)),
        "checkpoint": checkpoint,
        "pairs": Node("SteeringLoadPairs", (20, 590), (300, 98), "", {"concept": "sd15/dog"}),
        "capture": Node(
            "SteeringCapture",
            (400, 20),
            (320, 380),
            "",
            {},
            {"model": ("checkpoint", 0), "clip": ("checkpoint", 1), "pairs": ("pairs", 0)},
        ),
        "score": Node("SteeringScore", (400, 460), (320, 98), "", {"mode": "paper"}, {"activations": ("capture", 0)}),
        "heat": Node("PreviewImage", (770, 20), (420, 520), "Where it can be steered", {}, {"images": ("score", 1)}),
        "build": Node(
            "SteeringBuild",
            (400, 620),
            (320, 240),
            "",
            {"top_k": 5},
            {"activations": ("capture", 0), "scores": ("score", 0)},
        ),
        "save": Node(
            "SteeringSaveVector", (770, 600), (320, 98), "", {"filename_prefix": "sd15_dog"}, {"vector": ("build", 0)}
        ),
        "apply": Node(
            "SteeringApply",
            (770, 760),
            (320, 220),
            "",
            {"strength": 2.5, "preset": "projection"},
            {"model": ("checkpoint", 0), "vector": ("save", 0)},
        ),
        **prompts("a photo of a dog on the beach", ("checkpoint", 1), 1240, 20),
        "latent": latent(512, 1, (1240, 310)),
        "original": sampler(("checkpoint", 0), (1240, 470), 7.5, "KSampler, original"),
        "steered": sampler(("apply", 0), (1240, 790), 7.5, "KSampler, steered"),
        **shown("original", "original", ("checkpoint", 2), 1590, 20, "Original"),
        **shown("steered", "steered", ("checkpoint", 2), 1590, 540, "Steered"),
    }


def sd15_apply() -> Graph:
    text = (
        "## Run workflow 03 first\n\n"
        "It makes `sd15_dog.safetensors`, which this graph loads from `models/steering_vectors` (made twice, "
        f"choose `sd15_dog_00002`); and it needs `{CHECKPOINT}` in `models/checkpoints`.\n\n"
        "Press Run: one picture a strength, same prompt and seed, side by side. Strength 0 is the original, "
        "bit for bit."
    )
    checkpoint = Node("CheckpointLoaderSimple", (20, 290), (330, 98), "", {"ckpt_name": CHECKPOINT})
    return {
        "note": note(text, (20, 20), (330, 210)),
        "checkpoint": checkpoint,
        "vector": Node("SteeringLoadVector", (20, 450), (330, 98), "", {"vector_name": "sd15_dog.safetensors"}),
        "sweep": Node(
            "SteeringSweep",
            (400, 20),
            (300, 130),
            "",
            {"strengths": "0, 1, 1.5, 2, 2.5, 3", "preset": "projection"},
            {"model": ("checkpoint", 0), "vector": ("vector", 0)},
        ),
        **prompts("a photo of a dog on the beach", ("checkpoint", 1), 400, 210),
        "latent": latent(512, 1, (400, 500)),
        "steered": sampler(("sweep", 0), (750, 20), 7.5, "KSampler, one run a strength"),
        "decode": Node(
            "VAEDecode", (1070, 20), (200, 46), "", {}, {"samples": ("steered", 0), "vae": ("checkpoint", 2)}
        ),
        "grid": Node(
            "SteeringLabelledGrid",
            (1070, 120),
            (270, 98),
            "",
            {"columns": 3},
            {"images": ("decode", 0), "labels": ("sweep", 1)},
        ),
        "preview": Node("PreviewImage", (1070, 270), (560, 420), "", {}, {"images": ("grid", 0)}),
    }


def two_vectors() -> Graph:
    text = (
        "## Press Run\n\n"
        "Two *Apply Steering* in a row: one takes out the dog, the other the style of Van Gogh. Each keeps the "
        "preset and strength that its file recommends; with the same preset they would be made orthogonal to each "
        "other first.\n\n"
        "**Combine Vectors** shows how alike the two are (1: the same direction, 0: nothing in common), and makes one "
        "vector of them: *gram-schmidt* holds both, *add* is their sum, *orthogonalise* is the first without what "
        "the second says. Connect it to an Apply node to try."
    )
    return {
        "note": note(text, (20, 20), (320, 330)),
        "pocket": Node("SteeringLoadPocket", (20, 410), (260, 70)),
        "dog": Node("SteeringLoadVector", (20, 540), (320, 98), "Dog", {"vector_name": "pocket_dog.safetensors"}),
        "style": Node(
            "SteeringLoadVector", (20, 700), (320, 98), "Van Gogh", {"vector_name": "pocket_van_gogh.safetensors"}
        ),
        "first": Node(
            "SteeringApply",
            (390, 20),
            (300, 260),
            "Take out the dog",
            {"strength": APPLIED, "preset": "recommended"},
            {"model": ("pocket", 0), "vector": ("dog", 0)},
        ),
        "second": Node(
            "SteeringApply",
            (390, 330),
            (300, 260),
            "And the style of Van Gogh",
            {"strength": 2.5, "preset": "recommended"},
            {"model": ("first", 0), "vector": ("style", 0)},
        ),
        "combine": Node(
            "SteeringCombine",
            (390, 640),
            (300, 210),
            "",
            {"how": "gram-schmidt"},
            {"vector_a": ("dog", 0), "vector_b": ("style", 0)},
        ),
        "cosines": Node("PreviewImage", (740, 640), (320, 300), "How alike they are", {}, {"images": ("combine", 2)}),
        **prompts("a picture of a dog in the meadow in the style of Van Gogh", ("pocket", 1), 740, 20),
        "latent": latent(128, 4, (740, 310)),
        "original": sampler(("pocket", 0), (1110, 20), 3.0, "KSampler, original"),
        "steered": sampler(("second", 0), (1110, 400), 3.0, "KSampler, both taken out"),
        **shown("original", "original", ("pocket", 2), 1430, 20, "Original"),
        **shown("steered", "steered", ("pocket", 2), 1790, 20, "Steered"),
    }


def replace_pocket() -> Graph:
    text = (
        "## Press Run\n\n"
        "Mode *replace*: what the model holds of a dog becomes as much of a cat. Both vectors are built at all "
        "cross-attentions, so that the cat can go everywhere the dog was.\n\n"
        "The upper row is watched at strength 0, where nothing moves: that is the original, bit for bit, and "
        "**Steering Map** shows where the model holds the dog, at which sites and steps. Its MASK can go to *Apply "
        "Steering*, which then acts only there.\n\n"
        "Make your own: *Load Pairs* `pocket/cat` in workflow 02, with *select* `attn2` and *time* `constant`."
    )
    return {
        "note": note(text, (20, 20), (320, 330)),
        "pocket": Node("SteeringLoadPocket", (20, 410), (260, 70)),
        "dog": Node("SteeringLoadVector", (20, 540), (320, 98), "Dog", {"vector_name": "pocket_dog_attn2.safetensors"}),
        "cat": Node("SteeringLoadVector", (20, 700), (320, 98), "Cat", {"vector_name": "pocket_cat_attn2.safetensors"}),
        "best": Node(
            "SteeringLoadVector",
            (20, 860),
            (320, 98),
            "Dog, at the sites that show it best",
            {"vector_name": "pocket_dog_lora.safetensors"},
        ),
        "apply": Node(
            "SteeringApply",
            (390, 20),
            (300, 280),
            "Replace the dog with a cat",
            {"strength": 1.0, "preset": "recommended", "mode": "replace"},
            {"model": ("pocket", 0), "vector": ("dog", 0), "replace_with": ("cat", 0)},
        ),
        **prompts("a photo of a dog and a tree on the beach", ("pocket", 1), 390, 350),
        "latent": latent(128, 4, (390, 640)),
        "watch": Node(
            "SteeringApply",
            (390, 800),
            (300, 260),
            "Watch only: strength 0",
            {"strength": 0.0, "preset": "recommended"},
            {"model": ("pocket", 0), "vector": ("best", 0)},
        ),
        "original": Node(
            "SteeringKSampler",
            (740, 20),
            (270, 282),
            "KSampler (Steering), original",
            {"seed": 7, "control_after_generate": "fixed", "steps": 30, "cfg": 3.0},
            {
                "model": ("watch", 0),
                "positive": ("positive", 0),
                "negative": ("negative", 0),
                "latent_image": ("latent", 0),
            },
        ),
        "steered": sampler(("apply", 0), (740, 360), 3.0, "KSampler, replaced"),
        **shown("original", "original", ("pocket", 2), 1060, 20, "Original"),
        **shown("steered", "steered", ("pocket", 2), 1060, 500, "Steered"),
        "map": Node(
            "SteeringMap",
            (740, 690),
            (270, 210),
            "",
            {"show": "held", "columns": 4, "rows": 4},
            {"run": ("original", 1), "image": ("original_decode", 0)},
        ),
        "map_preview": Node("PreviewImage", (1430, 20), (620, 720), "Where the dog is", {}, {"images": ("map", 0)}),
    }


def lora_pocket() -> Graph:
    text = (
        "## Press Run\n\n"
        "**Export LoRA** writes steering as a LoRA (`models/loras/pocket_dog_lora.safetensors`), which any sampler "
        "uses at no cost. The three rows are the same prompt and seed: the original, *Apply Steering*, and the LoRA "
        "through *Load LoRA Model*; the last two are the same picture.\n\n"
        "Exact because the vector was built with *time* `constant` at attn2 and ff sites, and preset *lora* moves "
        "every token in both halves of guidance. Anything else is refused with the reason, or approximated.\n\n"
        "The muted group loads the **file**: after the first run press R, unmute it (Ctrl+M), and Run. Made again, "
        "the file becomes `pocket_dog_lora_00002`."
    )
    group = "The file: unmute after Run"
    inputs = {"positive": ("positive", 0), "negative": ("negative", 0), "latent_image": ("latent", 0)}
    from_file: Graph = {
        "file": Node(
            "LoraLoaderModelOnly",
            (1470, 60),
            (320, 82),
            "",
            {"lora_name": "pocket_dog_lora.safetensors", "strength_model": 1.0},
            {"model": ("pocket", 0)},
        ),
        "filed": Node(
            "KSampler", (1470, 200), (270, 262), "KSampler, LoRA file", sampler(("file", 0), (0, 0), 3.0, "").widgets,
            {"model": ("file", 0), **inputs},
        ),
        **shown("filed", "filed", ("pocket", 2), 1470, 520, "LoRA from the file"),
    }  # fmt: skip
    for node in from_file.values():
        node.group = group
    return {
        "note": note(text, (20, 20), (330, 430)),
        "pocket": Node("SteeringLoadPocket", (20, 510), (260, 70)),
        "vector": Node("SteeringLoadVector", (20, 640), (330, 98), "", {"vector_name": "pocket_dog_lora.safetensors"}),
        "export": Node(
            "SteeringExportLora",
            (390, 20),
            (330, 300),
            "",
            {"strength": 1.5, "filename_prefix": "pocket_dog_lora"},
            {"model": ("pocket", 0), "vector": ("vector", 0)},
        ),
        "report": Node("PreviewAny", (390, 380), (330, 80), "What it is", {}, {"source": ("export", 2)}),
        "load": Node(
            "LoraModelLoader",
            (390, 520),
            (330, 82),
            "",
            {"strength_model": 1.0},
            {"model": ("pocket", 0), "lora": ("export", 0)},
        ),
        "apply": Node(
            "SteeringApply",
            (390, 660),
            (330, 280),
            "",
            {"strength": 1.5, "preset": "lora"},
            {"model": ("pocket", 0), "vector": ("vector", 0)},
        ),
        **prompts("a photo of a dog and a cat in the meadow", ("pocket", 1), 20, 790),
        "latent": latent(128, 2, (20, 1080)),
        "original": sampler(("pocket", 0), (770, 20), 3.0, "KSampler, original"),
        "steered": sampler(("apply", 0), (770, 340), 3.0, "KSampler, Apply Steering"),
        "baked": sampler(("load", 0), (770, 660), 3.0, "KSampler, LoRA"),
        **shown("original", "original", ("pocket", 2), 1080, 20, "Original"),
        **shown("steered", "steered", ("pocket", 2), 1080, 480, "Steered"),
        **shown("baked", "baked", ("pocket", 2), 1080, 940, "LoRA"),
        **from_file,
    }


def sweep_pocket() -> Graph:
    text = (
        "## Press Run\n\n"
        "One picture a strength, same prompt and seed. Under each: how much of a dog the embedded judge sees (0 to "
        "100), and how far the picture drifted from the original (root mean square in grey levels).\n\n"
        "Take the least strength that does it: from there on only the drift grows. On Stable Diffusion there is no "
        "judge in the graph; the drift is written all the same."
    )
    return {
        "note": note(text, (20, 20), (330, 240)),
        "pocket": Node("SteeringLoadPocket", (20, 320), (260, 70)),
        "vector": Node("SteeringLoadVector", (20, 450), (330, 98), "", {"vector_name": "pocket_dog_lora.safetensors"}),
        "sweep": Node(
            "SteeringSweep",
            (400, 20),
            (300, 130),
            "",
            {"strengths": "0, 0.5, 1, 1.5, 2, 2.5", "preset": "recommended"},
            {"model": ("pocket", 0), "vector": ("vector", 0)},
        ),
        **prompts("a photo of a dog and a cat in the meadow", ("pocket", 1), 400, 210),
        "latent": latent(128, 1, (400, 500)),
        "steered": sampler(("sweep", 0), (750, 20), 3.0, "KSampler, one run a strength"),
        "decode": Node("VAEDecode", (750, 340), (200, 46), "", {}, {"samples": ("steered", 0), "vae": ("pocket", 2)}),
        "grid": Node(
            "SteeringLabelledGrid",
            (750, 440),
            (270, 118),
            "",
            {"columns": 6},
            {"images": ("decode", 0), "labels": ("sweep", 1), "vector": ("vector", 0)},
        ),
        "preview": Node("PreviewImage", (1070, 20), (860, 300), "", {}, {"images": ("grid", 0)}),
    }


APPLIED = 1.0
"""Strength of the quick start: what the shipped vector recommends."""
WORKFLOWS = {
    "01_quickstart_pocket": (quickstart, True),
    "02_build_a_vector_pocket": (build_pocket, True),
    "03_sd15_remove_dog": (sd15_remove, False),
    "04_sd15_apply_vector": (sd15_apply, False),
    "05_two_vectors_pocket": (two_vectors, True),
    "06_replace_dog_with_cat_pocket": (replace_pocket, True),
    "07_export_lora_pocket": (lora_pocket, True),
    "08_strength_sweep_pocket": (sweep_pocket, True),
}
"""Name -> (graph, whether it runs without a download)."""

BUILD = """async (nodes) => {
  const graph = window.app.graph; graph.clear();
  const made = {};
  for (const [key, spec] of Object.entries(nodes)) {
    const node = LiteGraph.createNode(spec.type);
    if (!node) throw new Error('no node ' + spec.type);
    graph.add(node);
    node.pos = spec.at;
    if (spec.title) node.title = spec.title;
    for (const [name, value] of Object.entries(spec.widgets)) {
      const widget = name ? node.widgets.find((w) => w.name === name) : node.widgets[0];
      if (!widget) throw new Error(spec.type + ' has no widget ' + name);
      widget.value = value;
    }
    const [width, height] = node.computeSize();
    if (spec.size) node.setSize([Math.max(spec.size[0], width), Math.max(spec.size[1], height)]);
    if (spec.group) node.mode = 2;
    made[key] = node;
  }
  for (const title of new Set(Object.values(nodes).map((spec) => spec.group).filter(Boolean))) {
    const members = Object.entries(nodes).filter(([, spec]) => spec.group === title).map(([key]) => made[key]);
    const left = Math.min(...members.map((n) => n.pos[0])), top = Math.min(...members.map((n) => n.pos[1]));
    const right = Math.max(...members.map((n) => n.pos[0] + n.size[0]));
    const bottom = Math.max(...members.map((n) => n.pos[1] + n.size[1]));
    const group = new LiteGraph.LGraphGroup(title);
    group.pos = [left - 20, top - 80];
    group.size = [right - left + 40, bottom - top + 100];
    graph.add(group);
  }
  for (const [key, spec] of Object.entries(nodes))
    for (const [name, [from, slot]] of Object.entries(spec.inputs)) {
      const index = made[key].inputs.findIndex((i) => i.name === name);
      if (index < 0) throw new Error(spec.type + ' has no input ' + name);
      if (!made[from].connect(slot, made[key], index)) throw new Error('cannot connect ' + from + ' to ' + key);
    }
  return JSON.stringify(graph.serialize());  // as text: null and undefined are not the same to the frontend
}"""

LOAD = """async (workflow) => {
  await window.app.loadGraphData(workflow, true, true);
  return (await window.app.graphToPrompt()).output;
}"""

FIT = """(margin) => {
  const canvas = window.app.canvas, nodes = [...window.app.graph._nodes, ...window.app.graph._groups];
  const left = Math.min(...nodes.map((n) => n.pos[0])), top = Math.min(...nodes.map((n) => n.pos[1] - 30));
  const right = Math.max(...nodes.map((n) => n.pos[0] + n.size[0]));
  const bottom = Math.max(...nodes.map((n) => n.pos[1] + n.size[1]));
  const box = canvas.canvas.getBoundingClientRect();
  const scale = Math.min((box.width - 2 * margin) / (right - left), (box.height - 2 * margin) / (bottom - top));
  canvas.ds.scale = scale;
  canvas.ds.offset = [margin / scale - left, margin / scale - top];
  canvas.draw(true, true);
  return [Math.ceil((right - left) * scale + 2 * margin), Math.ceil((bottom - top) * scale + 2 * margin)];
}"""


def described(graph: Graph) -> dict[str, Any]:
    return {key: vars(node) for key, node in graph.items()}


def signed(workflow: dict[str, Any], host: str) -> dict[str, Any]:
    """The workflow with what lets ComfyUI-Manager name the packs and the frontend name the model."""
    for node in workflow["nodes"]:
        properties = node.setdefault("properties", {})
        if node["type"].startswith("Steering"):
            properties |= {"cnr_id": "activation-steering", "ver": VERSION}
        elif node["type"] not in ("MarkdownNote", "Note"):
            properties |= {"cnr_id": "comfy-core", "ver": host}
        if node["type"] == "CheckpointLoaderSimple":
            properties["models"] = [{"name": CHECKPOINT, "url": CHECKPOINT_URL, "directory": "checkpoints"}]
    workflow["extra"] = {key: value for key, value in workflow.get("extra", {}).items() if key == "ds"}
    return workflow


def run(page: Page, url: str, seconds: int) -> None:
    """Press Run and wait until the queue is empty."""
    page.evaluate("async () => { await window.app.queuePrompt(0, 1) }")
    for _ in range(seconds):
        page.wait_for_timeout(1000)
        with urllib.request.urlopen(f"{url}/queue") as answer:
            queue = json.load(answer)
        if not queue["queue_running"] and not queue["queue_pending"]:
            break
    else:
        raise TimeoutError(f"not done after {seconds} seconds")
    with urllib.request.urlopen(f"{url}/history?max_items=1") as answer:
        (last,) = json.load(answer).values()
    if last["status"]["status_str"] != "success":
        raise RuntimeError(json.dumps(last["status"], indent=1)[-3000:])
    page.wait_for_timeout(1500)  # previews load and are drawn


def photograph(page: Page) -> Image.Image:
    width, height = page.evaluate(FIT, 20)
    page.wait_for_timeout(800)
    canvas = page.locator("#graph-canvas").bounding_box()
    assert canvas is not None
    clip = {"x": canvas["x"], "y": canvas["y"], "width": width, "height": height}
    return Image.open(io.BytesIO(page.screenshot(clip=clip))).convert("RGB")  # type: ignore[arg-type]


def schemas(url: str, workflows: list[dict[str, Any]]) -> dict[str, Any]:
    """What ComfyUI says of the nodes that the workflows use, and of all of the pack's."""
    with urllib.request.urlopen(f"{url}/object_info") as answer:
        known = json.load(answer)
    used = {node["type"] for workflow in workflows for node in workflow["nodes"]} & set(known)
    keep = ("input", "input_order", "output", "output_name", "output_is_list", "output_node")
    names = sorted(used | {name for name in known if name.startswith("Steering")})
    return {name: {key: known[name][key] for key in keep if key in known[name]} for name in names}


def main() -> None:
    known = parser(__doc__)
    known.add_argument("--only", default="", help="make only workflows whose name starts so")
    options = known.parse_args()
    made = []
    with urllib.request.urlopen(f"{options.comfyui}/system_stats") as answer:
        host = json.load(answer)["system"]["comfyui_version"]
    with frontend(options, 2000, 1300) as page:
        page.evaluate("() => window.app.extensionManager.setting.set('Comfy.Minimap.Visible', false)")
        for name, (graph, runs) in WORKFLOWS.items():
            workflow = signed(json.loads(page.evaluate(BUILD, described(graph()))), host)
            made.append(workflow)
            if not name.startswith(options.only):
                continue
            (ROOT / "workflows" / f"{name}.json").write_text(json.dumps(workflow, indent=1) + "\n", encoding="utf-8")
            api = page.evaluate(LOAD, workflow)
            page.keyboard.press("Escape")  # the dialog about models that are not here
            alerts = page.locator(".p-toast-message").all_inner_texts()
            if alerts:
                raise RuntimeError(f"the frontend complains of {name}: {alerts}")
            path = ROOT / "workflows" / "api" / f"{name}.json"
            path.write_text(json.dumps(api, indent=1) + "\n", encoding="utf-8")
            if runs:
                run(page, options.comfyui, 1200)
            picture = photograph(page)
            if runs:
                picture.save(ROOT / "docs" / f"{name}.png", optimize=True)
            picture.thumbnail((800, 800))
            picture.save(ROOT / "workflows" / f"{name}.jpg", quality=85)
            print(name, picture.size, flush=True)
    path = ROOT / "tests" / "data" / "object_info.json"
    path.write_text(json.dumps(schemas(options.comfyui, made), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
