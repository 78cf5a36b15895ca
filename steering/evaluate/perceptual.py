"""LPIPS (Zhang et al., arXiv 1801.03924): perceptual distance of a picture from its original.

AlexNet, version 0.1, at the pictures' own size. The linear heads come with the lpips package; the backbone is a
file of the user's, torchvision's ``alexnet-owt-7be5be79.pth``, and nothing is downloaded. ESD measures at 64 and
ErasureBenchmark at 128 pixels, so their values do not compare. Without the file, the change of CLIP features and of
pixels, which are always measured, stand in.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..concepts.prompts import Concept
from ..errors import SteeringError
from ..files import file_hash
from .extras import extra
from .inception import load_state
from .metrics import Batch, Columns


class Lpips:
    """Distance from the original; 0 is the same picture.

    Args:
        weights: torchvision's AlexNet, a ``.pth`` or ``.safetensors`` file of a state dict.
        device: where it runs.

    Raises:
        FileNotFoundError, SteeringError: no such file, lpips is missing, or the file does not fit.
    """

    name = "lpips"

    def __init__(self, weights: str | Path, device: str = "cpu") -> None:
        path, self.device = Path(weights), device
        package = extra("lpips", "lpips")
        if not path.is_file():
            raise FileNotFoundError(f"there is no file {weights}; LPIPS needs torchvision's alexnet-owt-7be5be79.pth")
        self.network = package.LPIPS(net="alex", pnet_rand=True, verbose=False).to(device).eval()
        _fill(self.network.net, load_state(path), path.name)
        self.weights = file_hash(path)

    def identity(self) -> dict[str, Any]:
        """The hash of the backbone, and the version of the heads."""
        return {"metric": self.name, "weights": self.weights, "net": "alex", "version": "0.1"}

    def about(self, concept: Concept) -> Any:
        """Nothing."""
        return None

    @torch.no_grad()
    def measure(self, batch: Batch) -> Columns:
        """``lpips [N]``."""
        values = []
        for start in range(0, len(batch.images), 16):
            pair = (torch.from_numpy(x[start : start + 16]) for x in (batch.images, batch.originals))
            first, second = (x.permute(0, 3, 1, 2).float().to(self.device) / 127.5 - 1 for x in pair)
            values.append(self.network(first, second).flatten().cpu())
        return {"lpips": torch.cat(values).numpy().astype(np.float32)}


def _fill(backbone: torch.nn.Module, state: dict[str, Tensor], name: str) -> None:
    """Put torchvision's ``features.3.weight`` where lpips keeps ``slice2.3.weight``."""
    own = backbone.state_dict()
    known = {key: state.get(f"features.{key.split('.', 1)[1]}") for key in own}
    unfit = [key for key, value in known.items() if value is None or value.shape != own[key].shape]
    if unfit:
        raise SteeringError(f"{name} is not torchvision's AlexNet: it lacks {', '.join(unfit[:3])}")
    backbone.load_state_dict({key: value for key, value in known.items() if value is not None})
