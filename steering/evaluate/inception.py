"""Inception features for FID and KID, from a weights file of the user's.

The architecture is torch-fidelity's (the network of the original FID). The weights are a state dict,
``weights-inception-2015-12-05-6726825d.pth`` or the same as safetensors; nothing is downloaded. Pictures are
resized the "clean" way (bicubic with antialiasing, in floating point, not quantised again; Parmar et al., arXiv
2104.11222), so values are those of clean-fid, not of libraries that resize as TensorFlow 1 did.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from ..concepts.prompts import Concept
from ..errors import SteeringError
from ..files import file_hash
from .extras import extra
from .metrics import Batch, Columns

SIDE = 299


class Inception:
    """2048 features a picture.

    Args:
        weights: a ``.pth``, ``.pt`` or ``.safetensors`` file of a state dict.
        device: where it runs.

    Raises:
        FileNotFoundError: no such file; the message says which one is wanted.
        SteeringError: torch-fidelity is missing, or the file does not fit.
    """

    name = "inception"

    def __init__(self, weights: str | Path, device: str = "cpu") -> None:
        self.device = device
        self.layers = _pooled(Path(weights)).to(device)
        self.weights = file_hash(weights)

    def identity(self) -> dict[str, Any]:
        """The hash of the weights, and how pictures are resized."""
        return {"metric": self.name, "weights": self.weights, "resize": "clean"}

    def about(self, concept: Concept) -> Any:
        """Nothing."""
        return None

    @torch.no_grad()
    def measure(self, batch: Batch) -> Columns:
        """``inception_features [N, 2048]``."""
        parts = [self.layers(clean_resize(torch.from_numpy(part)).to(self.device)).flatten(1).cpu()
                 for part in np.array_split(batch.images, -(-len(batch.images) // 16))]  # fmt: skip
        return {"inception_features": torch.cat(parts).numpy()}


def clean_resize(images: Tensor) -> Tensor:
    """Pictures ``uint8 [N, H, W, 3]`` as the network wants them, ``float32 [N, 3, 299, 299]`` in [-1, 1)."""
    x = images.permute(0, 3, 1, 2).float()
    if x.shape[-2:] != (SIDE, SIDE):
        x = nn.functional.interpolate(x, (SIDE, SIDE), mode="bicubic", antialias=True, align_corners=False)
    return (x.clamp(0, 255) - 128) / 128


def _pooled(path: Path) -> nn.Sequential:
    """The network up to its pooled features."""
    module = extra("torch_fidelity.feature_extractor_inceptionv3", "fid")
    if not path.is_file():
        raise FileNotFoundError(
            f"there is no file {path}; FID needs weights-inception-2015-12-05-6726825d.pth of torch-fidelity"
        )
    state = load_state(path)
    with tempfile.TemporaryDirectory() as folder:
        # torch-fidelity reads its file with pickle; it gets one that was read without and written anew.
        copy = Path(folder) / "inception.pth"
        torch.save(state, copy)
        try:
            network = module.FeatureExtractorInceptionV3("inception", ["2048"], str(copy))
        except RuntimeError as error:
            raise SteeringError(f"{path.name} does not fit Inception ({str(error).splitlines()[0]})") from error
    layers = list(network.named_children())
    last = [name for name, _ in layers].index("AvgPool")
    return nn.Sequential(*(layer for _, layer in layers[: last + 1])).eval()


def load_state(path: Path) -> dict[str, Tensor]:
    """A state dict from a file, without running pickled code.

    Raises:
        SteeringError: it is something else, such as TorchScript.
    """
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise
    except Exception as error:  # torch raises whatever unpickling does
        kind = type(error).__name__
        raise SteeringError(f"{path.name} is not a plain state dict ({kind}); TorchScript is not read") from None
