"""Between ComfyUI's IMAGE, ``[B, H, W, 3]`` in 0..1, and pictures in 8 bits."""

import numpy as np
import torch


def as_image(picture: np.ndarray) -> torch.Tensor:
    """A picture ``uint8 [H, W, 3]`` as an IMAGE of one."""
    return torch.from_numpy(picture.astype(np.float32) / 255)[None]


def as_pictures(images: torch.Tensor) -> list[np.ndarray]:
    """The pictures ``uint8 [H, W, 3]`` of an IMAGE, without what says how much of them shows."""
    return list((images[..., :3].clamp(0, 1) * 255).round().to(torch.uint8).cpu().numpy())
