"""What steering costs a UNet call, at run time and as a LoRA: ``uv run python benchmarks/lora_cost.py [--sd15]``.

Plain model, hooks (presets precise and lora), and a copy of the model with the LoRA merged, timed in turn so that a
busy machine slows all of them; medians, as ratios to the plain model. ``--sd15`` takes SD 1.5 at full size with
random weights (cost does not depend on them). Also printed: floating-point operations as PyTorch counts them, and on
the embedded model how far a picture of the merged copy lies from the steered one.
"""

import argparse
import statistics
from pathlib import Path

import torch
from speed import Bench, ratios
from torch.utils.flop_counter import FlopCounterMode

from steering.lora.bake import bake, linear_layers
from steering.lora.export import measured_gap
from steering.models.loading import load_model
from steering.sites import Site
from steering.vectors.vector import SteeringVector

SITES = ("in4.attn2", "in7.attn2", "in8.attn2", "out5.attn2", "out6.ff", "out7.attn2", "out7.ff", "out9.ff")
"""Those of the vector below."""
VECTOR = Path(__file__).parent.parent / "vectors" / "pocket_dog_lora.safetensors"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sd15", action="store_true", help="SD 1.5 at full size, 512 x 512")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--repeats", type=int, default=30)
    options = parser.parse_args()
    device, size = options.device, 64 if options.sd15 else 16
    bench = Bench.of("sd15" if options.sd15 else "pocket", size, device)
    vector = bench.vector([Site.parse(site) for site in SITES])
    entries = {name: vector.entry(strength=1.5, preset=name) for name in ("lora", "precise")}
    runs = {"LoRA, merged": bench.run(bench.folded(entries["lora"]))}
    runs |= {f"hooks, {name}": bench.inside(bench.steered(entry)) for name, entry in entries.items()}
    base, found = ratios(bench.run(), runs, options.repeats, device)
    print(f"{torch.cuda.get_device_name() if device == 'cuda' else 'CPU'}, {bench.x.dtype}, {size} x {size} latents\n")
    print("| | ms a UNet call, median | ratio to plain | GFLOP |\n|---|---|---|---|")
    middle = {"plain": 1.0} | {name: statistics.median(values) for name, values in found.items()}
    for name, run in {"plain": bench.run(), **runs}.items():
        with FlopCounterMode(display=False) as counter:
            run()
        gigaflop = counter.get_total_flops() / 1e9
        print(f"| {name} | {1000 * base * middle[name]:.2f} | {middle[name]:.3f} | {gigaflop:.4f} |")
    if not options.sd15:
        print(f"\ngap between a picture of the merged copy and the steered one: {gap_of_a_picture(device):.1e}")


def gap_of_a_picture(device: str) -> float:
    model, vector = load_model("pocket", device), SteeringVector.load(VECTOR)
    entry = vector.entry()
    deltas = bake(entry, linear_layers(model.unet, list(vector.sites)))
    return measured_gap(model, entry, deltas, ["a photo of a dog on the beach"], 30)


if __name__ == "__main__":
    main()
