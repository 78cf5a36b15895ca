"""What programs call the tensors of a LoRA: written, and read again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

from ..checks import short, some_of
from ..errors import SteeringError
from ..families import family_named
from ..files import read_tensors
from ..sites import Site
from .bake import LINEAR, Delta, linear_layers

KIND, VERSION = "lora", 1


@dataclass(frozen=True)
class Format:
    """Names of the tensors of a layer.

    Attributes:
        layer: from a site and a family's name, what the layer that it ends in is called.
        up: how the name of the matrix ``[C, J]`` ends.
        down: of ``[J, C_in]``.
        bias: of the bias's change ``[C]``.
        alpha: of what the matrices' product is scaled with, by way of alpha / J, where files have it.
    """

    layer: Callable[[Site, str], str]
    up: str
    down: str
    bias: str
    alpha: str | None = None

    def tensors(self, deltas: Mapping[Site, Delta], family: str) -> dict[str, Tensor]:
        """A file's tensors, of the changes of a model's layers."""
        tensors = {}
        for site, delta in deltas.items():
            name = self.layer(site, family)
            tensors |= {
                f"{name}.{self.up}": delta.up,
                f"{name}.{self.down}": delta.down,
                f"{name}.{self.bias}": delta.bias,
            }
            if self.alpha:
                tensors[f"{name}.{self.alpha}"] = torch.tensor(float(delta.up.shape[1]))
        return tensors

    def deltas(self, tensors: Mapping[str, Tensor], sites: Sequence[Site], family: str) -> dict[Site, Delta]:
        """The changes of a model's layers, of a file's tensors.

        Raises:
            KeyError: a tensor that the file lacks.
        """
        deltas = {}
        for site in sites:
            name = self.layer(site, family)
            up, down, bias = (tensors[f"{name}.{end}"].float() for end in (self.up, self.down, self.bias))
            scale = float(tensors[f"{name}.{self.alpha}"]) / up.shape[1] if self.alpha else 1.0
            deltas[site] = Delta(up * scale, down, bias)
        return deltas


def _kohya(site: Site, family: str) -> str:
    path = site.ldm_path if family_named(family).lora.layout == "ldm" else site.diffusers_path
    return f"lora_unet_{path}.{LINEAR[site.kind]}".replace(".", "_")


def _peft(site: Site, family: str) -> str:
    return f"unet.{site.diffusers_path}.{LINEAR[site.kind]}"


KOHYA = Format(_kohya, "lora_up.weight", "lora_down.weight", "diff_b", "alpha")
"""Names of kohya with ``diff_b`` for the bias: ComfyUI and Forge load all of it, A1111 all but the bias."""
PEFT = Format(_peft, "lora_B.weight", "lora_A.weight", "lora_B.bias")
"""Names of PEFT with ``lora_B.bias`` for the bias: diffusers' ``load_lora_weights`` (with peft 0.14 or newer)."""
FORMATS: MappingProxyType[str, Format] = MappingProxyType({"comfyui": KOHYA, "diffusers": PEFT})


def read_lora(path: Path, unet: nn.Module, family: str) -> tuple[dict[Site, Delta], dict[str, Any]]:
    """The changes of a UNet's layers that a file of ours holds, and what its header says.

    Args:
        path: a file that `steering.lora.export.save_lora` wrote, in either format.
        unet: the model's, of diffusers.
        family: the model's.

    Raises:
        FileNotFoundError: no such file.
        SteeringError: no LoRA of ours, or one that was made for another model.
    """
    tensors, about = read_tensors(path, KIND, VERSION)
    if about.get("family", family) != family:
        raise SteeringError(f"{path.name} was made for {short(about['family'])}, and this model is {family}")
    format_, names = str(about.get("format")), about.get("sites")
    if format_ not in FORMATS or not isinstance(names, list):
        raise SteeringError(f"{path.name} does not say which layers it changes in which format; export it again")
    sites = [Site.parse(str(name)) for name in names]
    layers = linear_layers(unet, sites)
    try:
        deltas = FORMATS[format_].deltas(tensors, sites, family)
    except KeyError as error:
        raise SteeringError(f"{path.name} lacks {error.args[0]}; export it again") from None
    other = [site for site, delta in deltas.items() if not _fits(delta, layers[site][0])]
    if other:
        raise SteeringError(f"{path.name} was made for layers of another size at {some_of(other)}; export it again")
    return deltas, about


def _fits(delta: Delta, weight: Tensor) -> bool:
    (rows, columns), rank = weight.shape, delta.up.shape[-1]
    shapes = [tuple(part.shape) for part in (delta.up, delta.down, delta.bias)]
    return shapes == [(rows, rank), (rank, columns), (rows,)]
