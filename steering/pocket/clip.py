"""The evaluator CLIP: a small open_clip model with weights of its own.

It measures how well a picture fits a text. Other seed, other architecture and another text tower
than the generator; trained on rendered scenes and their captions only.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from .tensors import to_tensor

if TYPE_CHECKING:
    from open_clip import CLIP

WEIGHTS = Path(__file__).parent / "weights" / "clip.safetensors"
CONTEXT_LENGTH = 32


def new_clip() -> CLIP:
    """An untrained evaluator CLIP: a narrow ResNet and a two-layer text transformer, 64 dimensions."""
    from open_clip import CLIP
    from open_clip.model import CLIPTextCfg, CLIPVisionCfg

    return CLIP(
        embed_dim=64,
        vision_cfg=CLIPVisionCfg(image_size=128, layers=(1, 1, 1, 1), width=16, head_width=64),
        text_cfg=CLIPTextCfg(context_length=CONTEXT_LENGTH, vocab_size=49408, width=32, heads=2, layers=2),
    )


EMBEDDING = "token_embedding.weight"


def pack(state: dict[str, Tensor], seen: list[int]) -> dict[str, Tensor]:
    """The weights with the embedding reduced to the ``seen`` tokens; the other 49,000 were never trained."""
    small = {name: value for name, value in state.items() if name != EMBEDDING}
    return {**small, "token_embedding.rows": state[EMBEDDING][seen], "token_embedding.ids": torch.tensor(seen)}


def unpack(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The inverse of `pack`: a token never seen gets the zero vector."""
    full = {name: value for name, value in state.items() if not name.startswith("token_embedding.")}
    rows = state["token_embedding.rows"]
    table = rows.new_zeros(49408, rows.shape[1])
    table[state["token_embedding.ids"]] = rows
    return {**full, EMBEDDING: table}


@lru_cache(maxsize=1)
def _tokenizer():
    from open_clip import SimpleTokenizer

    return SimpleTokenizer(context_length=CONTEXT_LENGTH)


def tokenize(texts: list[str]) -> Tensor:
    """Token ids ``[N, 32]``."""
    return _tokenizer()(texts)


@lru_cache(maxsize=1)
def load_clip() -> CLIP:
    """The trained evaluator CLIP, on the CPU in float32."""
    model = new_clip()
    state = unpack(load_file(WEIGHTS))
    model.load_state_dict({name: value.float() for name, value in state.items()}, strict=False)
    return model.eval()


@torch.no_grad()
def image_features(images: np.ndarray, batch: int = 64) -> np.ndarray:
    """Unit features ``float32 [N, 64]`` of pictures ``uint8 [N, 128, 128, 3]``."""
    model = load_clip()
    parts = (images[i : i + batch] for i in range(0, len(images), batch))
    return torch.cat([model.encode_image(to_tensor(part) * 2 - 1, normalize=True) for part in parts]).numpy()


@torch.no_grad()
def text_features(texts: list[str], batch: int = 256) -> np.ndarray:
    """Unit features ``float32 [N, 64]`` of texts."""
    model = load_clip()
    parts = [model.encode_text(tokens, normalize=True) for tokens in tokenize(texts).split(batch)]
    return torch.cat(parts).numpy()
