"""How well pictures fit texts: CLIP through open_clip, or the embedded model's own evaluator CLIP.

Raw cosines against three texts are kept: the full prompt (alignment), the concept (should fall), and the
prompt without the concept (must not fall; in-prompt CLIP score of Six-CD, arXiv 2406.14855). 100 cos,
2.5 max(cos, 0) (CLIPScore, arXiv 2104.08718) and the source study's (cos + 1) / 2 follow from them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ..concepts.prompts import Concept, Prompt
from ..errors import SteeringError
from ..files import file_hash, header_of
from ..pocket import clip as pocket
from ..pocket.backgrounds import SIZE
from .extras import extra

DEFAULT = "ViT-B-32"
DEFAULT_WEIGHTS = "laion2b_s34b_b79k"


class TextImageModel(Protocol):
    """Pictures and texts as unit vectors of one space.

    Attributes:
        scale: learned factor of the cosines before a softmax.
    """

    scale: float

    def identity(self) -> dict[str, Any]:
        """Which model, weights and preprocessing."""
        ...

    def image_features(self, images: np.ndarray) -> np.ndarray:
        """Unit features ``float32 [N, d]`` of pictures ``uint8 [N, H, W, 3]``."""
        ...

    def text_features(self, texts: Sequence[str]) -> np.ndarray:
        """Unit features ``float32 [N, d]`` of texts."""
        ...

    def cut(self, texts: Sequence[str]) -> list[bool]:
        """Which texts are longer than the model reads; the rest of those is silently ignored."""
        ...


class PocketClip:
    """The evaluator CLIP of the embedded model."""

    def __init__(self) -> None:
        self.scale = float(pocket.load_clip().logit_scale.detach().exp())

    def identity(self) -> dict[str, Any]:
        """The hash of its weights."""
        return {"model": "pocket", "weights": file_hash(pocket.WEIGHTS)}

    def image_features(self, images: np.ndarray) -> np.ndarray:
        """Unit features ``[N, 64]``, of pictures of any size."""
        return pocket.image_features(_sized(images))

    def text_features(self, texts: Sequence[str]) -> np.ndarray:
        """Unit features ``[N, 64]``."""
        return pocket.text_features(list(texts))

    def cut(self, texts: Sequence[str]) -> list[bool]:
        """Which texts fill every place, so that more may have been cut."""
        return [bool(row) for row in (pocket.tokenize(list(texts))[:, -1] != 0)]


def _sized(images: np.ndarray) -> np.ndarray:
    """Pictures of the side that the embedded evaluators were trained on."""
    from PIL import Image

    if images.shape[1:3] == (SIZE, SIZE):
        return images
    resized = (Image.fromarray(image).resize((SIZE, SIZE), Image.Resampling.BICUBIC) for image in images)
    return np.stack([np.asarray(image) for image in resized])


class OpenClip:
    """A model of open_clip.

    Args:
        model: an architecture of open_clip, or a ``.json`` file of one.
        weights: a tag of open_clip (downloaded once), or a ``.safetensors`` or ``.pt`` file on disk. A tag that was
            trained with QuickGELU gets it; a file of such weights, which does not say so, wants an architecture that
            ends in ``-quickgelu``.
        device: where it runs.
        random: allow untrained weights (only good for tests).

    Raises:
        SteeringError: an unknown architecture or tag, no weights, or a file that does not fit.
    """

    def __init__(
        self, model: str = DEFAULT, weights: str | None = DEFAULT_WEIGHTS, device: str = "cpu", random: bool = False
    ) -> None:
        self.model, self.weights, self.device = model, weights, device
        self.name = _known(model)
        self.quick_gelu = _wants_quick_gelu(self.name, weights)
        self.network, self.preprocess, self.tokenizer = _load(self.name, weights, device, random, self.quick_gelu)
        self.scale = float(self.network.logit_scale.detach().exp())

    def identity(self) -> dict[str, Any]:
        """Architecture, tag or hash of the weights, and how pictures are prepared."""
        from importlib.metadata import version

        path = Path(self.weights or "")
        known = file_hash(path) if path.is_file() else self.weights
        made_with = {"open_clip": version("open_clip_torch"), "prepared": str(self.network.visual.preprocess_cfg)}
        architecture = {"architecture": file_hash(self.model)} if self.model.endswith(".json") else {}
        changed = {"quick_gelu": True} if self.quick_gelu else {}
        return {"model": self.name, "weights": known, **architecture, **changed, **made_with}

    def image_features(self, images: np.ndarray, batch: int = 32) -> np.ndarray:
        """Unit features of pictures."""
        import torch
        from PIL import Image

        parts = []
        with torch.no_grad():
            for start in range(0, len(images), batch):
                prepared = [self.preprocess(Image.fromarray(image)) for image in images[start : start + batch]]
                stacked = torch.stack(prepared).to(self.device)
                parts.append(self.network.encode_image(stacked, normalize=True).float().cpu())
        return torch.cat(parts).numpy()

    def text_features(self, texts: Sequence[str], batch: int = 256) -> np.ndarray:
        """Unit features of texts."""
        import torch

        tokens = self.tokenizer(list(texts)).to(self.device)
        with torch.no_grad():
            parts = [self.network.encode_text(part, normalize=True).float().cpu() for part in tokens.split(batch)]
        return torch.cat(parts).numpy()

    def cut(self, texts: Sequence[str]) -> list[bool]:
        """Which texts fill every place, so that more may have been cut."""
        last, padding = self.tokenizer(list(texts))[:, -1], self.tokenizer([""])[0, -1]
        return [bool(row) for row in last != padding]


def _known(model: str) -> str:
    """The architecture's name, after open_clip has been told about one of a file's."""
    open_clip = extra("open_clip", "headless")

    if model.endswith(".json"):
        if not Path(model).is_file():
            raise SteeringError(f"there is no file {model} of a CLIP architecture")
        open_clip.add_model_config(model)
        return Path(model).stem
    if model not in open_clip.list_models():
        raise SteeringError(
            f"CLIP model {model!r} is not one that open_clip knows, such as {DEFAULT}, nor a .json file"
        )
    return model


def _wants_quick_gelu(model: str, weights: str | None) -> bool:
    """Whether a tag's weights were trained with another activation, QuickGELU, than the architecture's own.

    Raises:
        SteeringError: the architecture has QuickGELU, and the tag's weights were trained without.
    """
    open_clip = extra("open_clip", "headless")

    tag = open_clip.get_pretrained_cfg(model, weights) if weights else {}
    has, wants = ((config or {}).get("quick_gelu", False) for config in (open_clip.get_model_config(model), tag))
    if tag and has and not wants:
        raise SteeringError(
            f"the CLIP weights {weights!r} were trained without QuickGELU, which {model} computes; give {DEFAULT}, or "
            "another architecture whose name does not end in -quickgelu"
        )
    return bool(tag) and wants and not has


def _load(model: str, weights: str | None, device: str, random: bool, quick_gelu: bool) -> tuple[Any, Any, Any]:
    open_clip = extra("open_clip", "headless")
    from open_clip.transform import PreprocessCfg, image_transform_v2

    if not weights and not random:
        raise SteeringError(f"CLIP model {model} needs weights: a tag such as {DEFAULT_WEIGHTS}, or a file")
    if weights and Path(weights).suffix == ".safetensors" and Path(weights).is_file():
        names = header_of(weights).shapes
        if any(name.startswith("text_model.") for name in names):
            raise SteeringError(
                f"{Path(weights).name} is a CLIP in the format of transformers; give one in that of open_clip"
            )
    # Without require_pretrained open_clip goes on with random weights and a log line.
    arguments: dict[str, Any] = {"pretrained": weights, "require_pretrained": not random, "device": device}
    arguments |= {"force_quick_gelu": quick_gelu}
    try:
        network: Any = open_clip.create_model(model, weights_only=True, **arguments)
    except (RuntimeError, OSError, ValueError, AssertionError) as error:
        raise SteeringError(
            f"CLIP model {model} does not load from {weights!r} ({str(error).splitlines()[0]})"
        ) from error
    network.eval().requires_grad_(False)
    preprocess = image_transform_v2(PreprocessCfg(**network.visual.preprocess_cfg), is_train=False)
    return network, preprocess, open_clip.get_tokenizer(model)


def clip_columns(
    model: TextImageModel, images: np.ndarray, prompts: Sequence[Prompt], concept: Concept
) -> dict[str, np.ndarray]:
    """Raw CLIP values per picture.

    Returns:
        ``clip_prompt``, ``clip_concept``, ``clip_rest``: cosines with the full prompt, the concept, and the prompt
        without it (NaN where that is not known). ``clip_presence``: 100 P(concept) in a softmax over the concept and
        its contrasts, all cosines times the model's scale; it saturates, and depends on the contrasts.
        ``clip_cut``: whether the prompt is longer than CLIP reads. ``clip_features [N, d]``.
    """
    features = model.image_features(images)
    count, known = len(prompts), [i for i, prompt in enumerate(prompts) if prompt.rest]
    texts = [prompt.text for prompt in prompts] + [concept.text, *concept.contrasts] + [prompts[i].rest for i in known]
    encoded = model.text_features(texts)
    choices = encoded[count : count + 1 + len(concept.contrasts)]
    rest = np.full(count, np.nan, np.float32)
    rest[known] = (features[known] * encoded[count + len(choices) :]).sum(1)
    logits = model.scale * features @ choices.T
    chances = np.exp(logits - logits.max(1, keepdims=True))
    return {
        "clip_prompt": (features * encoded[:count]).sum(1),
        "clip_concept": features @ choices[0],
        "clip_rest": rest,
        "clip_presence": 100 * chances[:, 0] / chances.sum(1),
        "clip_cut": np.array(model.cut(texts[:count]), np.float32),
        "clip_features": features,
    }
