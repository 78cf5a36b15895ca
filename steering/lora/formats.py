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
        ends: how the names end: of the matrices ``[C, J]`` and ``[J, C_in]``, of the bias's change ``[C]`` and, where
            files have it, of alpha: the product of the matrices counts alpha / J times.
    """

    layer: Callable[[Site, str], str]
    ends: tuple[str, ...]

    def names(self, site: Site, family: str) -> list[str]:
        """The tensors of a site's layer."""
        return [f"{self.layer(site, family)}.{end}" for end in self.ends]

    def tensors(self, deltas: Mapping[Site, Delta], family: str) -> dict[str, Tensor]:
        """A file's tensors, of the changes of a model's layers."""
        tensors: dict[str, Tensor] = {}
        for site, delta in deltas.items():
            parts = (delta.up, delta.down, delta.bias, torch.tensor(float(delta.up.shape[1])))
            tensors |= dict(zip(self.names(site, family), parts, strict=False))  # alpha has no name in some
        return tensors


def _kohya(site: Site, family: str) -> str:
    path = site.ldm_path if family_named(family).lora.layout == "ldm" else site.diffusers_path
    return f"lora_unet_{path}.{LINEAR[site.kind]}".replace(".", "_")


def _peft(site: Site, family: str) -> str:
    return f"unet.{site.diffusers_path}.{LINEAR[site.kind]}"


KOHYA = Format(_kohya, ("lora_up.weight", "lora_down.weight", "diff_b", "alpha"))
"""Names of kohya with ``diff_b`` for the bias: ComfyUI and Forge load all of it, A1111 all but the bias."""
PEFT = Format(_peft, ("lora_B.weight", "lora_A.weight", "lora_B.bias"))
"""Names of PEFT with ``lora_B.bias`` for the bias: diffusers' ``load_lora_weights`` (with peft 0.14 or newer)."""
FORMATS: MappingProxyType[str, Format] = MappingProxyType({"comfyui": KOHYA, "diffusers": PEFT})


@dataclass(frozen=True, eq=False)
class StoredLora:
    """A LoRA's file of ours, as it stands.

    Attributes:
        path: the file.
        tensors: under the names of its format.
        about: what its header says.
    """

    path: Path
    tensors: Mapping[str, Tensor]
    about: Mapping[str, Any]

    @classmethod
    def read(cls, path: Path) -> StoredLora:
        """A file that `steering.lora.export.save_lora` wrote, in either format.

        Raises:
            FileNotFoundError: no such file.
            SteeringError: no LoRA of ours.
        """
        return cls(path, *read_tensors(path, KIND, VERSION))

    def deltas(self, unet: nn.Module, family: str) -> dict[Site, Delta]:
        """The changes of the layers of a UNet of diffusers.

        Raises:
            SteeringError: it was made for another model, or is not whole.
        """
        file = self.path.name
        if self.about.get("family", family) != family:
            raise SteeringError(f"{file} was made for {short(self.about['family'])}, and this model is {family}")
        format_, names = str(self.about.get("format")), self.about.get("sites")
        if format_ not in FORMATS or not isinstance(names, list):
            raise SteeringError(f"{file} does not say which layers it changes in which format; export it again")
        sites = [Site.parse(str(name)) for name in names]
        other = [str(site) for site in sites if site.kind not in LINEAR]
        if other:
            raise SteeringError(f"{file} changes {some_of(other)}, which end in no linear layer; export it again")
        deltas = {}
        for site, (weight, _) in linear_layers(unet, sites).items():
            called = FORMATS[format_].names(site, family)
            lacking = [name for name in called if name not in self.tensors]
            if lacking:
                raise SteeringError(f"{file} lacks {lacking[0]}; export it again")
            deltas[site] = _delta([self.tensors[name] for name in called], weight, f"{file}: {site}")
        return deltas


def _delta(parts: Sequence[Tensor], weight: Tensor, where: str) -> Delta:
    """The change of a layer with such a weight, of its tensors in the order of `Format.ends`."""
    up, down, bias, *alpha = (part.float() for part in parts)
    (rows, columns), rank = weight.shape, down.shape[0] if down.ndim else 0
    wanted = [(rows, rank), (rank, columns), (rows,), ()][: len(parts)]
    if not rank or [tuple(part.shape) for part in parts] != wanted:
        raise SteeringError(f"{where} was made for a layer of another size than {columns} to {rows}; export it again")
    return Delta(up * (float(alpha[0]) / rank if alpha else 1), down, bias)
