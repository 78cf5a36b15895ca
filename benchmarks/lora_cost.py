"""What steering costs a UNet call, at run time and as a LoRA: ``uv run python benchmarks/lora_cost.py [--sd15]``.

Plain model, hooks (presets precise and lora), and a copy of the model with the LoRA merged, timed in turn so that a
busy machine slows all of them; medians, as ratios to the plain model. ``--sd15`` takes SD 1.5 at full size with
random weights (cost does not depend on them). Also printed: floating-point operations as PyTorch counts them, and on
the embedded model how far a picture of the merged copy lies from the steered one.
"""

import argparse
import copy
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from steering.interventions.engine import Steering
from steering.interventions.entry import Entry
from steering.interventions.presets import Settings, get_preset
from steering.lora.bake import bake, linear_layers, merged
from steering.lora.export import measured_gap
from steering.models.call import Call
from steering.models.hooks import site_hooks
from steering.models.loading import SD15, load_model
from steering.schedule import NoiseSchedule
from steering.sites import Site, find_sites, module_width
from steering.vectors.site import SiteVector
from steering.vectors.vector import SteeringVector

SITES = ("in4.attn2", "in7.attn2", "in8.attn2", "out5.attn2", "out6.ff", "out7.attn2", "out7.ff", "out9.ff")
"""Those of the vector below."""
VECTOR = Path(__file__).parent.parent / "vectors" / "pocket_dog_lora.safetensors"
ROWS = 2
"""One picture: a row of the prompt and one of the negative prompt."""


def full_size(device: str) -> nn.Module:
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    torch.manual_seed(0)
    unet: Any = UNet2DConditionModel.from_config(UNet2DConditionModel.load_config(SD15 / "unet"))
    return unet.to(device, torch.float16 if device == "cuda" else torch.float32).eval().requires_grad_(False)


def random_vector(unet: nn.Module) -> SteeringVector:
    modules, sites = find_sites(unet), {}
    for site in map(Site.parse, SITES):
        row = nn.functional.normalize(torch.randn(1, 1, module_width(modules[site], site.kind)), dim=-1)
        sites[site] = SiteVector(row, torch.zeros_like(row[0]), row[:, 0], torch.tensor([True]))
    return SteeringVector(sites, torch.tensor([1.0]), torch.tensor([1.0]))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sd15", action="store_true", help="SD 1.5 at full size, 512 x 512")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--repeats", type=int, default=30)
    options = parser.parse_args()
    device = options.device
    unet: Any = full_size(device) if options.sd15 else load_model("pocket", device).unet
    size, width = (64, 768) if options.sd15 else (16, 64)
    precision = next(unet.parameters()).dtype
    x = torch.randn(ROWS, unet.config.in_channels, size, size, device=device, dtype=precision)
    context = torch.randn(ROWS, 77, width, device=device, dtype=precision)
    sigma = NoiseSchedule.scaled_linear().sigma(500)
    call = Call((sigma,) * ROWS, (True, False), (size, size), 1)
    vector = random_vector(unet)

    def call_of(network: Any) -> Callable[[], torch.Tensor]:
        def run() -> torch.Tensor:
            with torch.no_grad():
                return network(x, 500, context, return_dict=False)[0]

        return run

    def hooked(settings: Settings) -> Callable[[], torch.Tensor]:
        steering = Steering([Entry(vector, 1.5, settings)])
        modules = {site: module for site, module in find_sites(unet).items() if site in vector.sites}

        def run() -> torch.Tensor:
            with site_hooks(modules, lambda site, output: steering.edit(site, output, call)):
                return call_of(unet)()

        return run

    lora = get_preset("lora").settings
    with merged(unet, bake(Entry(vector, 1.5, lora), linear_layers(unet, list(vector.sites)))):
        baked = copy.deepcopy(unet)
    runs = {"plain": call_of(unet), "LoRA, merged": call_of(baked)}
    runs |= {f"hooks, {name}": hooked(get_preset(name).settings) for name in ("lora", "precise")}
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for repeat in range(options.repeats + 3):
        for name, run in runs.items():
            wait(device)
            start = time.perf_counter()
            run()
            wait(device)
            if repeat >= 3:  # the first ones warm up
                seconds[name].append(time.perf_counter() - start)
    print(f"{torch.cuda.get_device_name() if device == 'cuda' else 'CPU'}, {precision}, {size} x {size} latents\n")
    print("| | ms a UNet call, median | ratio to plain | GFLOP |\n|---|---|---|---|")
    base = statistics.median(seconds["plain"])
    for name, run in runs.items():
        with FlopCounterMode(display=False) as counter:
            run()
        middle = statistics.median(seconds[name])
        print(f"| {name} | {1000 * middle:.2f} | {middle / base:.3f} | {counter.get_total_flops() / 1e9:.4f} |")
    if not options.sd15:
        print(f"\ngap between a picture of the merged copy and the steered one: {gap_of_a_picture(device):.1e}")


def gap_of_a_picture(device: str) -> float:
    model, vector = load_model("pocket", device), SteeringVector.load(VECTOR)
    entry = vector.entry()
    deltas = bake(entry, linear_layers(model.unet, list(vector.sites)))
    return measured_gap(model, entry, deltas, ["a photo of a dog on the beach"], 30)


def wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


if __name__ == "__main__":
    main()
