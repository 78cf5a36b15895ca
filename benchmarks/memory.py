"""How much memory the weights of a family take: ``uv run python benchmarks/memory.py``.

Counted from the configurations that come with the package, in float16, the VAE in float32 where its family's must; a
gigabyte is 10⁹ bytes. ``offload`` is what stays on the device while the UNet runs and the rest waits on the CPU.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch

from steering.families import FAMILIES, Family
from steering.models.loading import CONFIGURATIONS, ENDS


def parameters(family: Family) -> dict[str, int]:
    """Numbers of the UNet, the text encoders and the VAE."""
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    assert family.checkpoint is not None
    folder = CONFIGURATIONS / family.checkpoint.folder
    kinds = {"CLIPTextModel": CLIPTextModel, "CLIPTextModelWithProjection": CLIPTextModelWithProjection}
    with torch.device("meta"):
        parts = {
            "unet": UNet2DConditionModel.from_config(UNet2DConditionModel.load_config(folder / "unet")),
            "vae": AutoencoderKL.from_config(AutoencoderKL.load_config(folder / "vae")),
        }
        for end in ENDS[: len(family.text_layers)]:
            place = folder / f"text_encoder{end}"
            kind = kinds[json.loads((place / "config.json").read_text(encoding="utf-8"))["architectures"][0]]
            parts[f"text{end}"] = kind(CLIPTextConfig.from_pretrained(str(place)))
    return {name: sum(p.numel() for p in part.parameters()) for name, part in parts.items()}


def upcast(folder: Path) -> bool:
    """Whether a family's VAE runs in float32."""
    return bool(json.loads((folder / "vae" / "config.json").read_text(encoding="utf-8")).get("force_upcast"))


def main() -> None:
    """Print the table."""
    print("| family | UNet | text encoders | VAE | together, GB | with --offload, GB |")
    print("|---|---|---|---|---|---|")
    for family in FAMILIES:
        if family.checkpoint is None:
            continue
        counts = parameters(family)
        wide = upcast(CONFIGURATIONS / family.checkpoint.folder)
        size = {name: count * (4 if name == "vae" and wide else 2) / 1e9 for name, count in counts.items()}
        text = sum(value for name, value in size.items() if name.startswith("text"))
        row = (size["unet"], text, size["vae"], sum(size.values()), size["unet"])
        print(f"| {family.name} | " + " | ".join(f"{value:.2f}" for value in row) + " |")


if __name__ == "__main__":
    main()
