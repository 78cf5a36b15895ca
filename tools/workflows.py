# /// script
# requires-python = ">=3.10"
# dependencies = ["playwright>=1.45", "pillow>=10"]
# ///
"""Make the workflows with the real frontend: ``uv run --script tools/workflows.py --comfyui URL``.

Needs a running ComfyUI with this pack (``--comfyui``, default http://127.0.0.1:8188) and Chromium
(``--chromium``, default the one on the PATH). Each graph below is built in the page, laid out, saved as
``workflows/NAME.json``, loaded again, converted with the page's own ``graphToPrompt`` into
``workflows/api/NAME.json``, and photographed into ``workflows/NAME.jpg``; those that need no download
are run first, so that the photograph shows their pictures (and goes into ``docs/`` as well). The frontend frames nodes
in red whose files are missing; empty ones of those names will do for the other two. The nodes'
schemas, against which the tests check the files, go into ``tests/data/object_info.json``, and what the nodes say in
English into ``locales/en``, which the other languages follow.
"""

import io
import json
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from frontend import frontend, parser, renew
from PIL import Image
from playwright.sync_api import Page

ROOT = Path(__file__).parent.parent
VERSION = (ROOT / "steering" / "version.py").read_text(encoding="utf-8").split('"')[-2]
CHECKPOINT = "v1-5-pruned-emaonly-fp16.safetensors"
CHECKPOINT_XL = "sd_xl_base_1.0.safetensors"
CHECKPOINTS = {
    CHECKPOINT: f"https://huggingface.co/Comfy-Org/stable-diffusion-v1-5-archive/resolve/main/{CHECKPOINT}",
    CHECKPOINT_XL: f"https://huggingface.co/stabilityai/stable-diffusion-xl-base-1.0/resolve/main/{CHECKPOINT_XL}",
}
"""Names of checkpoints -> where they are."""


@dataclass
class Node:
    """A node of a graph: in which column it stands, below those that are named before it, its widgets by name, and what
    its inputs are connected to.

    Those of one ``group`` stand in a frame of that name, and are muted.
    """

    type: str
    column: int
    size: tuple[int, int] | None = None
    title: str = ""
    widgets: dict[str, Any] = field(default_factory=dict)
    inputs: dict[str, tuple[str, int]] = field(default_factory=dict)
    group: str = ""


Graph = dict[str, Node]


def note(text: str, size: tuple[int, int]) -> Node:
    return Node("MarkdownNote", 0, size, "Read me", {"": text})


def sampler(model: tuple[str, int], column: int, cfg: float, title: str, kind: str = "KSampler") -> Node:
    widgets = {"seed": 7, "control_after_generate": "fixed", "steps": 30, "cfg": cfg}
    widgets |= {"sampler_name": "euler", "scheduler": "normal", "denoise": 1.0} if kind == "KSampler" else {}
    inputs = {"model": model, "positive": ("positive", 0), "negative": ("negative", 0), "latent_image": ("latent", 0)}
    return Node(kind, column, (270, 262), title, widgets, inputs)


def prompts(prompt: str, clip: tuple[str, int], column: int) -> Graph:
    return {
        "positive": Node("CLIPTextEncode", column, (300, 100), "Prompt", {"text": prompt}, {"clip": clip}),
        "negative": Node("CLIPTextEncode", column, (300, 88), "Negative prompt", {"text": ""}, {"clip": clip}),
    }


def latent(size: int, batch: int, column: int) -> Node:
    widgets = {"width": size, "height": size, "batch_size": batch}
    return Node("EmptyLatentImage", column, (300, 106), "", widgets)


def shown(name: str, latents: str, vae: tuple[str, int], column: int, title: str) -> Graph:
    return {
        f"{name}_decode": Node("VAEDecode", column, (200, 46), "", {}, {"samples": (latents, 0), "vae": vae}),
        f"{name}_preview": Node("PreviewImage", column, (320, 330), title, {}, {"images": (f"{name}_decode", 0)}),
    }


def loaded(title: str, file: str, column: int = 0) -> Node:
    return Node("SteeringLoadVector", column, (320, 98), title, {"vector_name": f"{file}.safetensors"})


def applied(
    column: int, title: str, vector: str, strength: float, preset: str = "recommended", model: str = "pocket"
) -> Node:
    widgets = {"strength": strength, "preset": preset}
    return Node("SteeringApply", column, (310, 260), title, widgets, {"model": (model, 0), "vector": (vector, 0)})


COMPANY = "a photo of a dog and a cat in the meadow"
STYLE = 1.25
"""Strength of the style's LoRA: what its vector recommends."""


def quickstart() -> Graph:
    text = (
        "## Press Run\n\n"
        "The pocket model comes with the pack, nothing to download. Both samplers use the same prompt and "
        "seed; the lower one draws through **Apply Steering**, which takes the dog out.\n\n"
        "Then try another *strength*: 0 is the original, bit for bit. Or another vector: *pocket_van_gogh* with the "
        "prompt *a painting of a house in the meadow in the style of Van Gogh*, *pocket_violence* with *a photo of a "
        "knife in a room*.\n\n"
        "It draws one to three of dog, cat, rabbit, horse, frog, fish, knife, bomb, key, umbrella, apple, house, car "
        "and tree, in the meadow, on the beach, in the snow, at night, in the desert, in a room; plain, in the style "
        "of Van Gogh, as a pencil sketch, as a watercolour."
    )
    return {
        "note": note(text, (320, 260)),
        "pocket": Node("SteeringLoadPocket", 0, (260, 70)),
        "vector": loaded("", "pocket_dog"),
        **prompts(COMPANY, ("pocket", 1), 1),
        "latent": latent(128, 4, 1),
        "apply": applied(1, "", "vector", 1.0),
        "original": sampler(("pocket", 0), 2, 3.0, "KSampler, original"),
        "steered": sampler(("apply", 0), 2, 3.0, "KSampler, steered"),
        **shown("original", "original", ("pocket", 2), 3, "Original"),
        **shown("steered", "steered", ("pocket", 2), 4, "Steered"),
    }


def build_pocket() -> Graph:
    text = (
        "## Press Run\n\nMakes a steering vector for *dog* from 50 pairs of prompts, with and without it, and applies "
        "it: seconds, since *sites* is *text* and only the prompts are read. What is built is a map that takes prompts "
        "with a dog to the same prompts without it, and tells from a prompt whether there is a dog in it at all.\n\n"
        "**To make your own**: choose another concept, or put *Prompt Pairs from Text* in its place, and give *Save "
        "Steering Vector* another name. The vector lands in *models/steering_vectors*; *Load Steering Vector* lists "
        "it after pressing R.\n\nThe muted group (select it, Ctrl+M) records the UNet itself while it draws the pairs, "
        "a minute or more on a CPU the first time, and shows **where it holds the concept**: sites from top to bottom, "
        "steps from left to right, red is much. On the map of *Score Layers* a click chooses sites, a drag across "
        "noise levels of them; those are steered, or the five best of every step. Of a thing that leaves traces, which "
        "the map of the text does not."
    )
    inside: Graph = {
        "record": Node(
            "SteeringCapture",
            5,
            (320, 380),
            "Record the UNet",
            {"cfg": 3.0, "width": 128, "height": 128, "batch": 10},
            {"model": ("pocket", 0), "clip": ("pocket", 1), "pairs": ("pairs", 0)},
        ),
        "score": Node("SteeringScore", 5, (320, 98), "", {}, {"activations": ("record", 0)}),
        "heat": Node("PreviewImage", 6, (460, 560), "Where the UNet holds it", {}, {"images": ("score", 1)}),
        "chosen": Node(
            "SteeringBuild",
            6,
            (320, 240),
            "Build, of the sites chosen on the map",
            {"top_k": 5},
            {"activations": ("record", 0), "scores": ("score", 0), "select": ("score", 3)},
        ),
        "inside": applied(7, "", "chosen", 2.5, "projection"),
        "sampled": sampler(("inside", 0), 7, 3.0, "KSampler, steered inside the UNet"),
        **shown("sampled", "sampled", ("pocket", 2), 7, "Steered inside the UNet"),
    }
    for node in inside.values():
        node.group = "Where in the UNet: minutes"
    return {
        "note": note(text, (330, 340)),
        "pocket": Node("SteeringLoadPocket", 0, (260, 70)),
        "pairs": Node("SteeringLoadPairs", 0, (300, 98), "", {"concept": "pocket/dog"}),
        "capture": Node(
            "SteeringCapture",
            1,
            (320, 380),
            "",
            {"sites": "text", "cfg": 3.0, "width": 128, "height": 128, "batch": 10},
            {"model": ("pocket", 0), "clip": ("pocket", 1), "pairs": ("pairs", 0)},
        ),
        "build": Node(
            "SteeringBuild",
            1,
            (320, 240),
            "",
            {"top_k": 1, "select": "text", "direction": "kernel", "time": "constant"},
            {"activations": ("capture", 0)},
        ),
        "save": Node(
            "SteeringSaveVector", 2, (320, 98), "", {"filename_prefix": "my_pocket_dog"}, {"vector": ("build", 0)}
        ),
        "apply": applied(2, "", "save", 1.0),
        **prompts(COMPANY, ("pocket", 1), 2),
        "latent": latent(128, 4, 2),
        "original": sampler(("pocket", 0), 3, 3.0, "KSampler, original"),
        "steered": sampler(("apply", 0), 3, 3.0, "KSampler, steered"),
        **shown("original", "original", ("pocket", 2), 4, "Original"),
        **shown("steered", "steered", ("pocket", 2), 4, "Steered"),
        **inside,
    }


def sd15_remove() -> Graph:
    text = (
        "## Remove a dog from Stable Diffusion 1.5\n\n"
        f"Needs *{CHECKPOINT}* in *models/checkpoints*.\n\n"
        "Press Run. The capture draws both prompts of 50 pairs: about as long as a hundred pictures take on "
        "your machine, once; it can be interrupted and goes on where it stopped. Settings are the source study's: 30 "
        "steps, cfg 7.5, scores as published, the five best sites of every step, plain projection at strength "
        "2.5. On the map of *Score Layers* a click chooses a site, and those chosen are steered in place of the best."
        "\n\n"
        "The vector is saved as *sd15_dog* in *models/steering_vectors* for workflow 04; made again, it "
        "becomes *sd15_dog_00002*. Too much damage? Preset *precise* at strength 1. Or *sites* and *select* set to "
        "*text*, *direction* to *kernel* and *time* to *constant*, as in workflow 02, with strength 1 and preset "
        "*recommended*."
    )
    checkpoint = Node("CheckpointLoaderSimple", 0, (330, 98), "", {"ckpt_name": CHECKPOINT})
    return {
        "note": note(text, (330, 320)),
        "checkpoint": checkpoint,
        "pairs": Node("SteeringLoadPairs", 0, (300, 98), "", {"concept": "sd15/dog"}),
        "capture": Node(
            "SteeringCapture",
            1,
            (320, 380),
            "",
            {},
            {"model": ("checkpoint", 0), "clip": ("checkpoint", 1), "pairs": ("pairs", 0)},
        ),
        "score": Node("SteeringScore", 1, (320, 98), "", {"mode": "paper"}, {"activations": ("capture", 0)}),
        "build": Node(
            "SteeringBuild",
            2,
            (320, 240),
            "",
            {"top_k": 5},
            {"activations": ("capture", 0), "scores": ("score", 0), "select": ("score", 3)},
        ),
        "save": Node("SteeringSaveVector", 2, (320, 98), "", {"filename_prefix": "sd15_dog"}, {"vector": ("build", 0)}),
        "apply": applied(3, "", "save", 2.5, "projection", "checkpoint"),
        **prompts("a photo of a dog on the beach", ("checkpoint", 1), 3),
        "latent": latent(512, 1, 3),
        "original": sampler(("checkpoint", 0), 4, 7.5, "KSampler, original"),
        "steered": sampler(("apply", 0), 4, 7.5, "KSampler, steered"),
        **shown("original", "original", ("checkpoint", 2), 5, "Original"),
        **shown("steered", "steered", ("checkpoint", 2), 5, "Steered"),
        "heat": Node("PreviewImage", 6, (460, 560), "Where it can be steered", {}, {"images": ("score", 1)}),
    }


def sd15_apply() -> Graph:
    text = (
        "## Run workflow 03 first\n\n"
        "It makes *sd15_dog.safetensors*, which this graph loads from *models/steering_vectors* (made twice, "
        f"choose *sd15_dog_00002*); and it needs *{CHECKPOINT}* in *models/checkpoints*.\n\n"
        "Press Run: one picture a strength, same prompt and seed, side by side. Strength 0 is the original, "
        "bit for bit."
    )
    checkpoint = Node("CheckpointLoaderSimple", 0, (330, 98), "", {"ckpt_name": CHECKPOINT})
    return {
        "note": note(text, (330, 230)),
        "checkpoint": checkpoint,
        "vector": loaded("", "sd15_dog"),
        "sweep": Node(
            "SteeringSweep",
            1,
            (300, 130),
            "",
            {"strengths": "0, 1, 1.5, 2, 2.5, 3", "preset": "projection"},
            {"model": ("checkpoint", 0), "vector": ("vector", 0)},
        ),
        **prompts("a photo of a dog on the beach", ("checkpoint", 1), 1),
        "latent": latent(512, 1, 1),
        "steered": sampler(("sweep", 0), 2, 7.5, "KSampler, one run a strength"),
        "decode": Node("VAEDecode", 2, (200, 46), "", {}, {"samples": ("steered", 0), "vae": ("checkpoint", 2)}),
        "grid": Node(
            "SteeringLabelledGrid",
            2,
            (270, 98),
            "",
            {"columns": 3},
            {"images": ("decode", 0), "labels": ("sweep", 1)},
        ),
        "preview": Node("PreviewImage", 3, (560, 420), "", {}, {"images": ("grid", 0)}),
    }


def two_vectors() -> Graph:
    text = (
        "## Press Run\n\n"
        "Two *Apply Steering* in a row: one takes out the dog, the other the style of Van Gogh. Each keeps the "
        "preset that its file recommends.\n\n"
        "**Combine Vectors** shows how alike two vectors are (1: the same direction, 0: nothing in common), here those "
        "of dog and cat at the cross-attentions, and makes one vector of them: *gram-schmidt* holds both, *add* is "
        "their sum, *orthogonalise* is the first without what the second says. Connect it to an Apply node to try."
    )
    return {
        "note": note(text, (330, 310)),
        "pocket": Node("SteeringLoadPocket", 0, (260, 70)),
        "dog": loaded("Dog", "pocket_dog"),
        "style": loaded("Van Gogh", "pocket_van_gogh"),
        "first": applied(1, "Take out the dog", "dog", 1.0),
        "second": applied(1, "And the style of Van Gogh", "style", 1.0, model="first"),
        **prompts("a painting of a dog and a house in the meadow in the style of Van Gogh", ("pocket", 1), 2),
        "latent": latent(128, 4, 2),
        "original": sampler(("pocket", 0), 3, 3.0, "KSampler, original"),
        "steered": sampler(("second", 0), 3, 3.0, "KSampler, both taken out"),
        **shown("original", "original", ("pocket", 2), 4, "Original"),
        **shown("steered", "steered", ("pocket", 2), 4, "Steered"),
        "dog_inside": loaded("Dog, at the cross-attentions", "pocket_dog_attn2", 5),
        "cat_inside": loaded("Cat, at the cross-attentions", "pocket_cat_attn2", 5),
        "combine": Node(
            "SteeringCombine",
            5,
            (320, 210),
            "",
            {"how": "gram-schmidt"},
            {"vector_a": ("dog_inside", 0), "vector_b": ("cat_inside", 0)},
        ),
        "cosines": Node("PreviewImage", 6, (400, 400), "How alike they are", {}, {"images": ("combine", 2)}),
    }


def replace_pocket() -> Graph:
    text = (
        "## Press Run\n\n"
        "Mode *replace*: what the model holds of a dog becomes as much of a cat. Both vectors are built at all "
        "cross-attentions, so that the cat can go everywhere the dog was.\n\n"
        "The original is watched at strength 0, where nothing moves, and **Steering Map** shows where the model "
        "holds the dog, at which sites and steps. Its MASK can go to *Apply Steering*, which then acts only there.\n\n"
        "Make your own: *Load Prompt Pairs* set to *pocket/cat*, *Capture Activations* with *sites* attn2, *Build "
        "Steering Vector* with *select* attn2 and *time* constant."
    )
    watch = applied(1, "Watch only: strength 0", "best", 0.0)
    return {
        "note": note(text, (330, 330)),
        "pocket": Node("SteeringLoadPocket", 0, (260, 70)),
        "dog": loaded("Dog", "pocket_dog_attn2"),
        "cat": loaded("Cat", "pocket_cat_attn2"),
        "best": loaded("Dog, at the sites that show it best", "pocket_dog_lora"),
        "apply": Node(
            "SteeringApply",
            1,
            (310, 280),
            "Replace the dog with a cat",
            {"strength": 1.0, "preset": "recommended", "mode": "replace"},
            {"model": ("pocket", 0), "vector": ("dog", 0), "replace_with": ("cat", 0)},
        ),
        "watch": watch,
        **prompts("a photo of a dog and a tree on the beach", ("pocket", 1), 2),
        "latent": latent(128, 4, 2),
        "original": sampler(("watch", 0), 3, 3.0, "KSampler (Steering), original", "SteeringKSampler"),
        "steered": sampler(("apply", 0), 3, 3.0, "KSampler, replaced"),
        **shown("original", "original", ("pocket", 2), 4, "Original"),
        **shown("steered", "steered", ("pocket", 2), 4, "Steered"),
        "map": Node(
            "SteeringMap",
            5,
            (300, 210),
            "",
            {"show": "held", "columns": 4, "rows": 4},
            {"run": ("original", 1), "image": ("original_decode", 0)},
        ),
        "map_preview": Node("PreviewImage", 5, (760, 880), "Where the dog is", {}, {"images": ("map", 0)}),
    }


def lora_pocket() -> Graph:
    text = (
        "## Press Run\n\n"
        "**Export LoRA** writes steering as a LoRA (*models/loras/without_van_gogh.safetensors*), which any sampler "
        "uses at no cost. The three rows are the same prompt and seed: the original, *Apply Steering*, and the LoRA "
        "through *Load LoRA Model*; the last two are the same picture.\n\n"
        "Exact because the vector was built with *time* constant at attn2 and ff sites, and preset *lora* moves "
        "every token in both halves of guidance. Anything else is refused with the reason, or approximated. What a "
        "LoRA can hold suits a style, which is everywhere in the picture; it leaves marks where a thing was, and it "
        "cannot ask whether the prompt holds the concept, as the vector of workflow 01 does.\n\n"
        "The muted group loads the **file**: after the first run press R, unmute it (Ctrl+M), and Run. Made again, "
        "the file becomes *without_van_gogh_00002*."
    )
    from_file: Graph = {
        "file": Node(
            "LoraLoaderModelOnly",
            4,
            (320, 82),
            "",
            {"lora_name": "without_van_gogh.safetensors", "strength_model": 1.0},
            {"model": ("pocket", 0)},
        ),
        "filed": sampler(("file", 0), 4, 3.0, "KSampler, LoRA file"),
        **shown("filed", "filed", ("pocket", 2), 4, "LoRA from the file"),
    }
    for node in from_file.values():
        node.group = "The file: unmute after Run"
    return {
        "note": note(text, (330, 360)),
        "pocket": Node("SteeringLoadPocket", 0, (260, 70)),
        "vector": loaded("", "pocket_van_gogh_lora"),
        **prompts("a painting of a dog and a house in the meadow in the style of Van Gogh", ("pocket", 1), 0),
        "latent": latent(128, 2, 0),
        "apply": applied(1, "", "vector", STYLE, "lora"),
        "export": Node(
            "SteeringExportLora",
            1,
            (330, 300),
            "",
            {"strength": STYLE, "filename_prefix": "without_van_gogh"},
            {"model": ("pocket", 0), "vector": ("vector", 0)},
        ),
        "report": Node("PreviewAny", 1, (330, 90), "What it is", {}, {"source": ("export", 2)}),
        "load": Node(
            "LoraModelLoader",
            1,
            (330, 82),
            "",
            {"strength_model": 1.0},
            {"model": ("pocket", 0), "lora": ("export", 0)},
        ),
        "original": sampler(("pocket", 0), 2, 3.0, "KSampler, original"),
        "steered": sampler(("apply", 0), 2, 3.0, "KSampler, Apply Steering"),
        "baked": sampler(("load", 0), 2, 3.0, "KSampler, LoRA"),
        **shown("original", "original", ("pocket", 2), 3, "Original"),
        **shown("steered", "steered", ("pocket", 2), 3, "Steered"),
        **shown("baked", "baked", ("pocket", 2), 3, "LoRA"),
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
        "note": note(text, (330, 240)),
        "pocket": Node("SteeringLoadPocket", 0, (260, 70)),
        "vector": loaded("", "pocket_dog"),
        "sweep": Node(
            "SteeringSweep",
            1,
            (300, 130),
            "",
            {"strengths": "0, 0.1, 0.2, 0.3, 0.5, 1", "preset": "recommended"},
            {"model": ("pocket", 0), "vector": ("vector", 0)},
        ),
        **prompts(COMPANY, ("pocket", 1), 1),
        "latent": latent(128, 1, 1),
        "steered": sampler(("sweep", 0), 2, 3.0, "KSampler, one run a strength"),
        "decode": Node("VAEDecode", 2, (200, 46), "", {}, {"samples": ("steered", 0), "vae": ("pocket", 2)}),
        "grid": Node(
            "SteeringLabelledGrid",
            2,
            (270, 118),
            "",
            {"columns": 6},
            {"images": ("decode", 0), "labels": ("sweep", 1), "vector": ("vector", 0)},
        ),
        "preview": Node("PreviewImage", 3, (900, 330), "", {}, {"images": ("grid", 0)}),
    }


def from_a_word() -> Graph:
    text = (
        "## A word is enough\n\nPress Run. **Write Prompt Pairs** makes fifty pairs of prompts out of the word "
        "*umbrella*, **Quick Steering** learns from them how the text encoder says it, and the umbrella is gone: "
        "seconds, and nothing was trained. The cat stays, and a prompt without an umbrella is drawn as before, bit for "
        "bit.\n\n**Another word**: the pocket model knows dog, cat, rabbit, horse, frog, fish, knife, bomb, key, "
        "umbrella, apple, house, car, tree, Van Gogh, pencil sketch and watercolour. With Stable Diffusion 1.5 set "
        "*words* to *any model*, and take any word: a thing, a style, a trait, a scene.\n\n**Something else in its "
        "place**: write it into *becomes*, `apple` say."
    )
    words = {"concept": "umbrella", "words": "pocket model"}
    inputs = {"model": ("pocket", 0), "clip": ("pocket", 1), "pairs": ("pairs", 0)}
    return {
        "note": note(text, (330, 300)),
        "pocket": Node("SteeringLoadPocket", 0, (260, 70)),
        "pairs": Node("SteeringWritePairs", 1, (320, 200), "", words),
        "quick": Node("SteeringQuick", 1, (320, 150), "", {"strength": 1.0}, inputs),
        **prompts("a photo of an umbrella and a cat in the meadow", ("pocket", 1), 2),
        "latent": latent(128, 4, 2),
        "original": sampler(("pocket", 0), 3, 3.0, "KSampler, original"),
        "steered": sampler(("quick", 0), 3, 3.0, "KSampler, steered"),
        **shown("original", "original", ("pocket", 2), 4, "Original"),
        **shown("steered", "steered", ("pocket", 2), 4, "Steered"),
    }


def evaluate_pocket() -> Graph:
    text = (
        "## What did it do?\n\nPress Run: half a minute on a CPU. **Evaluate Steering** draws test prompts with the "
        "concept, with things like it, and with other things, each with and without the vector, and measures: is the "
        "dog gone, is anything broken, is the rest still there, are other prompts left alone. Beside it stand "
        "controls: random directions of the same size, a negative prompt, another seed.\n\nThe report is a page in "
        "*output/steering*; its path stands on the node. Four prompts show the way, twenty and more are a measurement; "
        "interrupted, it goes on where it stopped.\n\n**Yours**: another vector with its own *concept*, or a *word* in "
        "place of it."
    )
    how = {"concept": "pocket/dog", "prompts": 4, "steps": 15, "batch": 8}
    inputs = {"model": ("pocket", 0), "clip": ("pocket", 1), "vae": ("pocket", 2), "vector": ("vector", 0)}
    return {
        "note": note(text, (330, 330)),
        "pocket": Node("SteeringLoadPocket", 0, (260, 70)),
        "vector": loaded("", "pocket_dog"),
        "evaluate": Node("SteeringEvaluate", 1, (340, 520), "", how, inputs),
        "pictures": Node("PreviewImage", 2, (760, 420), "Original, steered, controls", {}, {"images": ("evaluate", 0)}),
        "table": Node("PreviewAny", 2, (760, 300), "The figures", {}, {"source": ("evaluate", 1)}),
    }


STRENGTH_XL = 2.0
"""What CASteer publishes for SDXL."""


def sdxl_build() -> Graph:
    text = (
        "## A style vector for Stable Diffusion XL\n\n"
        f"Needs *{CHECKPOINT_XL}* in *models/checkpoints*; other models of its family do as well (Illustrious, NoobAI, "
        "Pony), with the settings that they are drawn with.\n\n"
        "Press Run. The capture draws both prompts of 50 pairs in 20 steps: about as long as a hundred pictures take "
        "on your machine, once; it can be interrupted and goes on where it stopped. Every cross-attention is steered "
        "at every step, with preset *casteer* at strength 2, as its authors publish for this model; nothing of it was "
        "measured here.\n\n"
        "The vector is saved as *sdxl_van_gogh* in *models/steering_vectors* for workflow 11. It moves what "
        "cross-attention gives, not the pooled embedding, which holds the prompt too."
    )
    checkpoint = Node("CheckpointLoaderSimple", 0, (330, 98), "", {"ckpt_name": CHECKPOINT_XL})
    how = {"sites": "attn2", "steps": 20, "cfg": 7.0, "width": 1024, "height": 1024}
    inputs = {"model": ("checkpoint", 0), "clip": ("checkpoint", 1), "pairs": ("pairs", 0)}
    return {
        "note": note(text, (330, 340)),
        "checkpoint": checkpoint,
        "pairs": Node("SteeringLoadPairs", 0, (300, 98), "", {"concept": "sdxl/van_gogh"}),
        "capture": Node("SteeringCapture", 1, (320, 380), "", how, inputs),
        "build": Node("SteeringBuild", 1, (320, 240), "", {"select": "attn2"}, {"activations": ("capture", 0)}),
        "save": Node(
            "SteeringSaveVector", 2, (320, 98), "", {"filename_prefix": "sdxl_van_gogh"}, {"vector": ("build", 0)}
        ),
        "apply": applied(2, "", "save", STRENGTH_XL, "casteer", "checkpoint"),
        **prompts("a sailing ship on the sea in the style of Van Gogh", ("checkpoint", 1), 2),
        "latent": latent(1024, 1, 2),
        "original": sampler(("checkpoint", 0), 3, 7.0, "KSampler, original"),
        "steered": sampler(("apply", 0), 3, 7.0, "KSampler, steered"),
        **shown("original", "original", ("checkpoint", 2), 4, "Original"),
        **shown("steered", "steered", ("checkpoint", 2), 4, "Steered"),
    }


def sdxl_apply() -> Graph:
    text = (
        "## Run workflow 10 first\n\n"
        "It makes *sdxl_van_gogh.safetensors*, which this graph loads from *models/steering_vectors*; and it needs "
        f"*{CHECKPOINT_XL}* in *models/checkpoints*.\n\n"
        "Press Run: one picture a strength, same prompt and seed, side by side. Strength 0 is the original, bit for "
        "bit. With a refiner, steer the base model: the refiner is another family, and only finishes."
    )
    checkpoint = Node("CheckpointLoaderSimple", 0, (330, 98), "", {"ckpt_name": CHECKPOINT_XL})
    return {
        "note": note(text, (330, 230)),
        "checkpoint": checkpoint,
        "vector": loaded("", "sdxl_van_gogh"),
        "sweep": Node(
            "SteeringSweep",
            1,
            (300, 130),
            "",
            {"strengths": "0, 1, 1.5, 2, 3", "preset": "casteer"},
            {"model": ("checkpoint", 0), "vector": ("vector", 0)},
        ),
        **prompts("a sailing ship on the sea in the style of Van Gogh", ("checkpoint", 1), 1),
        "latent": latent(1024, 1, 1),
        "steered": sampler(("sweep", 0), 2, 7.0, "KSampler, one run a strength"),
        "decode": Node("VAEDecode", 2, (200, 46), "", {}, {"samples": ("steered", 0), "vae": ("checkpoint", 2)}),
        "grid": Node(
            "SteeringLabelledGrid",
            2,
            (270, 98),
            "",
            {"columns": 5},
            {"images": ("decode", 0), "labels": ("sweep", 1), "vector": ("vector", 0)},
        ),
        "preview": Node("PreviewImage", 3, (900, 330), "", {}, {"images": ("grid", 0)}),
    }


WORKFLOWS = {
    "01_quickstart_pocket": (quickstart, True),
    "02_build_a_vector_pocket": (build_pocket, True),
    "03_sd15_remove_dog": (sd15_remove, False),
    "04_sd15_apply_vector": (sd15_apply, False),
    "05_two_vectors_pocket": (two_vectors, True),
    "06_replace_dog_with_cat_pocket": (replace_pocket, True),
    "07_export_lora_pocket": (lora_pocket, True),
    "08_strength_sweep_pocket": (sweep_pocket, True),
    "09_from_a_word_pocket": (from_a_word, True),
    "10_sdxl_build_a_style_vector": (sdxl_build, False),
    "11_sdxl_apply_vector": (sdxl_apply, False),
    "12_evaluate_pocket": (evaluate_pocket, True),
}
"""Name -> (graph, whether it runs without a download)."""

SIDE, ABOVE, FRAME = 60, 70, 60
"""Between columns, between nodes of one (a title bar of 30 included), and for the title of a group's frame."""

BUILD = """async (nodes) => {
  const graph = window.app.graph; graph.clear();
  const made = {};
  for (const [key, spec] of Object.entries(nodes)) {
    const node = LiteGraph.createNode(spec.type);
    if (!node) throw new Error('no node ' + spec.type);
    graph.add(node);
    node.pos = spec.place;
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

MEASURE = """() => Object.fromEntries([...document.querySelectorAll('[data-node-id]')].map(
  (node) => [node.dataset.nodeId, [node.offsetWidth, node.offsetHeight]]
))"""

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


def built(page: Page, graph: Graph, places: dict[str, tuple[float, float]]) -> dict[str, Any]:
    renew(page)
    described = {key: {**vars(node), "place": places.get(key, (0, 0))} for key, node in graph.items()}
    return json.loads(page.evaluate(BUILD, described))


def places(page: Page, graph: Graph) -> dict[str, tuple[float, float]]:
    """Where nodes stand so that none covers another, as large as either of the frontend's two ways draws them."""
    workflow = built(page, graph, {})
    set_to(page, "Comfy.VueNodes.Enabled", True)
    page.evaluate(LOAD, workflow)
    page.wait_for_timeout(2000)
    drawn = page.evaluate(MEASURE)
    set_to(page, "Comfy.VueNodes.Enabled", False)
    nodes = sorted(workflow["nodes"], key=lambda node: node["id"])
    sizes = {}
    for key, node in zip(graph, nodes, strict=True):
        width, height = drawn.get(str(node["id"]), (0, 0))
        sizes[key] = max(node["size"][0], width), max(node["size"][1], height)
    found, x = {}, 0.0
    for column in range(1 + max(node.column for node in graph.values())):
        keys = [key for key, node in graph.items() if node.column == column]
        y = float(FRAME * any(graph[key].group for key in keys))
        for key in keys:
            found[key] = x, y
            y += sizes[key][1] + ABOVE
        x += max(sizes[key][0] for key in keys) + SIDE
    return found


def set_to(page: Page, setting: str, value: bool) -> None:
    page.evaluate("([name, value]) => window.app.extensionManager.setting.set(name, value)", [setting, value])


def signed(workflow: dict[str, Any], host: str) -> dict[str, Any]:
    """The workflow with what lets ComfyUI-Manager name the packs and the frontend name the model."""
    for node in workflow["nodes"]:
        properties = node.setdefault("properties", {})
        if node["type"].startswith("Steering"):
            properties |= {"cnr_id": "activation-steering", "ver": VERSION}
        elif node["type"] not in ("MarkdownNote", "Note"):
            properties |= {"cnr_id": "comfy-core", "ver": host}
        if node["type"] == "CheckpointLoaderSimple":
            name = node["widgets_values"][0]
            properties["models"] = [{"name": name, "url": CHECKPOINTS[name], "directory": "checkpoints"}]
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


def version(url: str) -> str:
    """The version of the ComfyUI that answers."""
    with urllib.request.urlopen(f"{url}/system_stats") as answer:
        return json.load(answer)["system"]["comfyui_version"]


def in_english(known: dict[str, Any]) -> dict[str, Any]:
    """What the pack's nodes say of themselves, as ComfyUI's files of translations have it."""
    said = {}
    for name, node in sorted(known.items()):
        if name.startswith("Steering"):
            parts = [node["input"].get(need, {}) for need in ("required", "optional")]
            inputs = {entry: {"tooltip": more[0]["tooltip"]} for part in parts for entry, (_, *more) in part.items()}
            outputs = {str(n): {"tooltip": text} for n, text in enumerate(node["output_tooltips"])}
            titles = {key: node[key] for key in ("display_name", "description")}
            said[name] = {**titles, **({"inputs": inputs} if inputs else {}), "outputs": outputs}
    return said


def schemas(url: str, workflows: list[dict[str, Any]]) -> dict[str, Any]:
    """What ComfyUI says of the nodes that the workflows use, and of all of the pack's."""
    with urllib.request.urlopen(f"{url}/object_info") as answer:
        known = json.load(answer)
    used = {node["type"] for workflow in workflows for node in workflow["nodes"]} & set(known)
    keep = ("display_name", "description", "input", "input_order", "output", "output_name", "output_tooltips")
    keep = (*keep, "output_is_list", "output_node")
    names = sorted(used | {name for name in known if name.startswith("Steering")})
    return {name: {key: known[name][key] for key in keep if key in known[name]} for name in names}


def main() -> None:
    known = parser(__doc__)
    known.add_argument("--only", default="", help="make only workflows whose name starts so")
    options = known.parse_args()
    made = []
    host = version(options.comfyui)
    with frontend(options, 2000, 1300) as page:
        for over_the_graph in ("Comfy.Minimap.Visible", "Comfy.Graph.CanvasInfo"):
            set_to(page, over_the_graph, False)
        for name, (make, runs) in WORKFLOWS.items():
            graph = make()
            workflow = signed(built(page, graph, places(page, graph)), host)
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
    nodes = schemas(options.comfyui, made)
    path = ROOT / "tests" / "data" / "object_info.json"
    path.write_text(json.dumps(nodes, indent=1) + "\n", encoding="utf-8")
    path = ROOT / "locales" / "en" / "nodeDefs.json"
    path.write_text(json.dumps(in_english(nodes), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
