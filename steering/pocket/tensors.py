"""Pictures and stored weights as tensors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor


def to_tensor(pictures: np.ndarray | Sequence[np.ndarray]) -> Tensor:
    """Pictures ``uint8 [N, H, W, 3]`` to ``float32 [N, 3, H, W]`` in [0, 1]."""
    stacked = pictures if isinstance(pictures, np.ndarray) else np.stack(pictures)
    return torch.from_numpy(np.ascontiguousarray(stacked)).permute(0, 3, 1, 2).float() / 255


def to_images(pictures: Tensor, device: str) -> Tensor:
    """Pictures ``uint8 [N, H, W, 3]`` to ``float32 [N, 3, H, W]`` in -1 to 1, channels last."""
    return pictures.to(device).permute(0, 3, 1, 2).float() / 127.5 - 1


def to_pictures(images: Tensor) -> Tensor:
    """What `to_images` takes, ``uint8 [N, H, W, 3]``, from what it gives."""
    return (127.5 * (images + 1)).round().byte().permute(0, 2, 3, 1)


def stored_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a file of float16 weights, in float32."""
    return {name: value.float() for name, value in load_file(path).items()}
