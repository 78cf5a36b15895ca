"""Sites: the places in the UNet whose output can be read or steered.

A site is the output of a self-attention (``attn1``), cross-attention (``attn2``), feed-forward
(``ff``) or residual block (``resnet``), before it joins the residual stream. SD 1.5 has 70 of them.
Names follow the blocks this community counts: ``in1.attn2`` ... ``in11.resnet``, ``mid.resnet0``,
``mid.attn2``, ``mid.resnet1``, ``out0.resnet`` ... ``out11.ff``. A deeper transformer adds its
layer, ``in4.attn2.1``. The same name means the same place in the LDM layout (ComfyUI, checkpoints)
and in diffusers.

One more site, ``text``, is no output of a block: it is the text embedding that every cross-attention
reads. It is the same at all noise levels, and known before any sampling.

Tensor letters of this package: B batch, T tokens (h·w), C channels, N pairs, S noise levels, K rank.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .checks import short
from .errors import SteeringError

if TYPE_CHECKING:  # names of sites need no torch, and the command line knows them before it has loaded it
    from torch import nn

KINDS = ("attn1", "attn2", "ff", "resnet")
BLOCKS = ",".join(KINDS)
"""The four kinds of site in the blocks, in the order in which documentation lists them."""
TEXT_KIND = "text"
"""Part and kind of the text embedding."""

_ORDER = ("resnet", "attn1", "attn2", "ff")  # order of execution inside one block
_NAME = re.compile(r"(?:(in|out)(\d{1,3})|(mid))\.(attn1|attn2|ff|resnet)(?:\.?(\d{1,3}))?")
_LDM = re.compile(
    r"(?:(input|output)_blocks\.(\d+)|(middle_block))\.(\d+)(?:\.transformer_blocks\.(\d+)\.(attn1|attn2|ff))?"
)
_DIFFUSERS = re.compile(
    r"(?:(down|up)_blocks\.(\d+)|(mid_block))\.(resnets|attentions)\.(\d+)"
    r"(?:\.transformer_blocks\.(\d+)\.(attn1|attn2|ff))?"
)
_LAYERS = 2  # residual blocks per level in the encoder; the decoder has one more


@dataclass(frozen=True)
class Site:
    """One place in the UNet.

    Attributes:
        part: ``in``, ``mid`` or ``out``; ``text`` for the text embedding.
        block: the block's number in its part (0 in ``mid``).
        kind: one of `KINDS`, or ``text``.
        layer: which transformer layer of the block; in ``mid``, which of the two residual blocks.
    """

    part: str
    block: int
    kind: str
    layer: int = 0

    def __post_init__(self) -> None:
        if (self.part, self.kind, self.block, self.layer) == (TEXT_KIND, TEXT_KIND, 0, 0):
            return
        if self.part not in ("in", "mid", "out"):
            raise SteeringError(f"site part {self.part!r} is not one of in, mid, out")
        if self.kind not in KINDS:
            raise SteeringError(f"site kind {self.kind!r} is not one of {', '.join(KINDS)}")
        if self.part == "in" and self.block % (_LAYERS + 1) == 0:
            raise SteeringError(
                f"block in{self.block} holds no site: it only resamples; steer in{self.block + 1} instead"
            )
        if self.part == "mid" and (self.block or (self.kind == "resnet" and self.layer > 1)):
            raise SteeringError("mid holds the sites mid.resnet0, mid.attn1, mid.attn2, mid.ff and mid.resnet1 only")
        if self.part != "mid" and self.kind == "resnet" and self.layer:
            raise SteeringError(
                f"block {self.part}{self.block} has one resnet only; write {self.part}{self.block}.resnet"
            )

    def __str__(self) -> str:
        if self.kind == TEXT_KIND:
            return TEXT_KIND
        if self.part == "mid":
            number = str(self.layer) if self.kind == "resnet" else f".{self.layer}" if self.layer else ""
            return f"mid.{self.kind}{number}"
        return f"{self.part}{self.block}.{self.kind}" + (f".{self.layer}" if self.layer else "")

    @classmethod
    def parse(cls, name: str) -> Site:
        """The site of a canonical name; raises SteeringError with an example for anything else."""
        if name.strip() == TEXT_KIND:
            return TEXT
        match = _NAME.fullmatch(name.strip())
        site = None
        if match:
            part, block, middle, kind, layer = match.groups()
            site = cls(middle or part, int(block or 0), kind, int(layer or 0))
        if site is None or str(site) != name.strip():
            raise SteeringError(f"site {short(name)} is not a site name like in4.attn2, mid.resnet0, out11.ff or text")
        return site

    @property
    def order(self) -> tuple[int, int, int, int]:
        """Sort key: the order of execution."""
        if self.kind == TEXT_KIND:
            return (-1, 0, 0, 0)
        inner = _ORDER.index(self.kind)
        if self.part == "mid" and self.kind == "resnet":
            return (1, 0, 2 * self.layer, 0)
        if self.part == "mid":
            return (1, 0, 1, 10 * self.layer + inner)
        return (0 if self.part == "in" else 2, self.block, 0, 10 * self.layer + inner)

    @property
    def ldm_path(self) -> str:
        """Path of the module below ``diffusion_model`` in ComfyUI and in original checkpoints."""
        root = {"in": f"input_blocks.{self.block}", "mid": "middle_block", "out": f"output_blocks.{self.block}"}
        if self.kind == "resnet":
            return f"{root[self.part]}.{2 * self.layer if self.part == 'mid' else 0}"
        return f"{root[self.part]}.1.transformer_blocks.{self.layer}.{self.kind}"

    @property
    def diffusers_path(self) -> str:
        """Path of the module below the UNet in diffusers."""
        if self.part == "mid":
            root, index = "mid_block", self.layer if self.kind == "resnet" else 0
        elif self.part == "in":
            level, index = divmod(self.block - 1, _LAYERS + 1)
            root = f"down_blocks.{level}"
        else:
            level, index = divmod(self.block, _LAYERS + 1)
            root = f"up_blocks.{level}"
        if self.kind == "resnet":
            return f"{root}.resnets.{index}"
        return f"{root}.attentions.{index}.transformer_blocks.{self.layer}.{self.kind}"

    @classmethod
    def from_ldm(cls, path: str) -> Site | None:
        """The site at an LDM module path, or None where that module is not a site."""
        match = _LDM.fullmatch(path)
        if not match:
            return None
        part, block, middle, index, layer, kind = match.groups()
        is_middle_resnet = bool(middle) and kind is None and index in ("0", "2")
        if not (kind and index == "1") and not is_middle_resnet and (middle or kind or index != "0"):
            return None
        number = int(layer or 0) if kind else int(index) // 2 if middle else 0
        return _or_none("mid" if middle else {"input": "in", "output": "out"}[part], int(block or 0), kind, number)

    @classmethod
    def from_diffusers(cls, path: str) -> Site | None:
        """The site at a diffusers module path, or None where that module is not a site."""
        match = _DIFFUSERS.fullmatch(path)
        if not match or (match[4] == "attentions") != bool(match[7]):
            return None
        part, level, middle, _, index, layer, kind = match.groups()
        if middle:
            return _or_none("mid", 0, kind, int(layer) if kind else int(index))
        block = int(level) * (_LAYERS + 1) + int(index) + (1 if part == "down" else 0)
        return _or_none("in" if part == "down" else "out", block, kind, int(layer or 0))


TEXT = Site(TEXT_KIND, 0, TEXT_KIND)
"""The text embedding that every cross-attention reads."""


def _or_none(part: str, block: int, kind: str | None, layer: int) -> Site | None:
    try:
        return Site(part, block, kind or "resnet", layer)
    except ValueError:
        return None


def sort_sites(sites: Iterable[Site]) -> list[Site]:
    """Sites in order of execution."""
    return sorted(sites, key=lambda site: site.order)


def _sd15_sites() -> tuple[Site, ...]:
    resnets = [Site("in", b, "resnet") for b in (1, 2, 4, 5, 7, 8, 10, 11)]
    resnets += [Site("mid", 0, "resnet", i) for i in (0, 1)] + [Site("out", b, "resnet") for b in range(12)]
    blocks = [("in", b) for b in (1, 2, 4, 5, 7, 8)] + [("mid", 0)] + [("out", b) for b in range(3, 12)]
    transformers = [Site(part, b, kind) for part, b in blocks for kind in ("attn1", "attn2", "ff")]
    return tuple(sort_sites(resnets + transformers))


SD15_SITES = _sd15_sites()
"""The 70 sites of SD 1.5 (and of the pocket model) in order of execution."""


def find_sites(unet: nn.Module) -> dict[Site, nn.Module]:
    """Every site of a UNet in either layout with the module whose output it is, in order of execution.

    The text embedding has the layers that read it, of every cross-attention those of keys and values.
    Of an attention that is the last linear layer: what replaces the attention around it (IP-Adapter and its kin) calls
    that layer all the same, and the attention's own forward pass never.

    Raises:
        SteeringError: the module has no site, so it is not a UNet of Stable Diffusion's kind.
    """
    from torch import nn

    found: dict[Site, nn.Module] = {}
    unet = getattr(unet, "_orig_mod", unet)  # what `torch.compile` made of it has other names
    for path, module in unet.named_modules():
        site = Site.from_ldm(path) or Site.from_diffusers(path)
        # In the LDM layout input_blocks.0.0 and down-samplers carry no out_channels of a resnet.
        if site and _is_of_kind(module, site.kind):
            found[site] = module if site.kind in ("ff", "resnet") else module.get_submodule("to_out.0")
    if not found:
        raise SteeringError(f"{type(unet).__name__} has no known site; pass the UNet of a Stable Diffusion model")
    readers = [layer for path, layer in unet.named_modules() if _READS_TEXT.search(path)]
    if readers:
        found[TEXT] = nn.ModuleList(readers)
    return {site: found[site] for site in sort_sites(found)}


_READS_TEXT = re.compile(r"\.transformer_blocks\.\d+\.attn2\.to_[kv]$")


def _is_of_kind(module: nn.Module, kind: str) -> bool:
    from torch import nn

    if kind == "resnet":
        return hasattr(module, "out_channels") and not isinstance(module, nn.Conv2d)
    layers: Any = getattr(module, "net" if kind == "ff" else "to_out", None)
    if not isinstance(layers, nn.Sequential | nn.ModuleList):
        return False
    return any(hasattr(layer, "out_features") for layer in layers)


def module_width(module: nn.Module, kind: str) -> int:
    """Number of output channels C of a site's module, as `find_sites` gives it."""
    width: Any = module
    if kind == TEXT_KIND:
        layers: Any = module
        return int(layers[0].in_features)
    if kind == "ff":
        layers: Any = module.get_submodule("net")
        width = [layer for layer in layers if hasattr(layer, "out_features")][-1]
    return int(width.out_channels if kind == "resnet" else width.out_features)


def choose_sites(available: Iterable[Site], names: str) -> list[Site]:
    """Sites named by a comma-separated list of kinds and site names, in the given order of `available`.

    Raises:
        SteeringError: a name is neither a kind nor an available site.
    """
    available = list(available)
    wanted: set[Site] = set()
    for name in filter(None, (part.strip() for part in names.split(","))):
        matching = {site for site in available if site.kind == name} if name in KINDS else {Site.parse(name)}
        if not matching <= set(available):
            raise SteeringError(
                f"site {name!r} is not in this model; use {', '.join(KINDS)} or a name like {available[0]}"
            )
        wanted |= matching
    if not wanted:
        raise SteeringError(f"no site is named in {names!r}; use {', '.join(KINDS)} or a name like {available[0]}")
    return [site for site in available if site in wanted]
