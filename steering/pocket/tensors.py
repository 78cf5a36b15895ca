"""Pictures as tensors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor


def to_tensor(pictures: np.ndarray | Sequence[np.ndarray]) -> Tensor:
    """Pictures ``uint8 [N, H, W, 3]`` to ``float32 [N, 3, H, W]`` in [0, 1]."""
    stacked = pictures if isinstance(pictures, np.ndarray) else np.stack(pictures)
    return torch.from_numpy(np.ascontiguousarray(stacked)).permute(0, 3, 1, 2).float() / 255
