"""LPIPS (Zhang et al., arXiv 1801.03924): perceptual distance of a picture from its original.

AlexNet, version 0.1, at the pictures' own size. The linear heads come with the lpips package; the backbone is a
file of the user's, torchvision's ``alexnet-owt-7be5be79.pth``, and nothing is downloaded. ESD measures at 64 and
ErasureBenchmark at 128 pixels, so their values do not compare. Without the file, the change of CLIP features and of
pixels, which are always measured, stand in.

LPIPS is a squared Euclidean distance, of each layer's l activations f, of unit length at every pixel, weighted:

    LPIPS(x, y) = |φ(x) - φ(y)|²        φ_l,c,p = (w_lc / pixels_l)^½ f_l,c,p

So that pictures may be compared later with others than their originals, φ is kept in short: each of its millions of
numbers is added, with a random sign, to a random one of `SKETCH` (a count sketch: Charikar, Chen and Farach-Colton
2002), which keeps a squared distance to within (2 / SKETCH)^½ of itself, 2 %, in the root mean square.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..concepts.prompts import Concept
from ..errors import SteeringError
from ..files import file_hash
from .extras import extra
from .inception import load_state
from .metrics import Batch, Columns

SKETCH = 4096


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
        return {"metric": self.name, "weights": self.weights, "net": "alex", "version": "0.1", "sketch": SKETCH}

    def about(self, concept: Concept) -> Any:
        """Nothing."""
        return None

    @torch.no_grad()
    def measure(self, batch: Batch) -> Columns:
        """``lpips [N]``, and ``lpips_features [N, SKETCH]``."""
        values, sketches = [], []
        for start in range(0, len(batch.images), 16):
            both = (torch.from_numpy(x[start : start + 16]) for x in (batch.images, batch.originals))
            mine, theirs = (self.features(x.permute(0, 3, 1, 2).float().to(self.device) / 127.5 - 1) for x in both)
            values.append((mine - theirs).square().sum(1).cpu())
            sketches.append(sketch(mine).cpu())
        return {"lpips": torch.cat(values).numpy(), "lpips_features": torch.cat(sketches).numpy()}

    def features(self, images: Tensor) -> Tensor:
        """φ ``[N, D]`` of pictures ``[N, 3, H, W]`` from -1 to 1."""
        layers = self.network.net(self.network.scaling_layer(images))
        parts = []
        for layer, line in zip(layers, self.network.lins, strict=True):
            weights = line.model[-1].weight  # [1, C, 1, 1]; none is negative
            unit = torch.nn.functional.normalize(layer, dim=1, eps=1e-10)
            parts.append((unit * (weights / unit[0, 0].numel()).sqrt()).flatten(1))
        return torch.cat(parts, 1)


def sketch(features: Tensor) -> Tensor:
    """``[N, D]`` -> ``[N, SKETCH]``: as far from one another, near enough. The same for the same D."""
    places, signs = _drawn(features.shape[1])
    made = features.new_zeros(len(features), SKETCH)
    return made.index_add_(1, places.to(features.device), features * signs.to(features))


@lru_cache(maxsize=1)
def _drawn(count: int) -> tuple[Tensor, Tensor]:
    """The place and the sign ``[D]`` of each of so many numbers: millions, and the same for all pictures of a size."""
    chance = torch.Generator().manual_seed(0)
    places = torch.randint(SKETCH, (count,), generator=chance)
    return places, torch.randint(2, (count,), generator=chance) * 2 - 1


def _fill(backbone: torch.nn.Module, state: dict[str, Tensor], name: str) -> None:
    """Put torchvision's ``features.3.weight`` where lpips keeps ``slice2.3.weight``."""
    own = backbone.state_dict()
    known = {key: state.get(f"features.{key.split('.', 1)[1]}") for key in own}
    unfit = [key for key, value in known.items() if value is None or value.shape != own[key].shape]
    if unfit:
        raise SteeringError(f"{name} is not torchvision's AlexNet: it lacks {', '.join(unfit[:3])}")
    backbone.load_state_dict({key: value for key, value in known.items() if value is not None})
