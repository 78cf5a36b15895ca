"""What steering and capture add to a UNet call: ``uv run python benchmarks/speed.py [--size sd15 --latent 32]``.

Every way is timed in turn with the plain call, so that a busy machine slows all alike; medians of the ratios of each
turn, and their quartiles. Ways: the local map of the text, which files recommend, from the second step of a prompt on;
one vector at k sites (preset precise, noise level and half of guidance as in a real call), five vectors at eight, the
captures' hooks on all blocks, a merged copy (what a LoRA holds), and the hooks of CASteer and of the source study in
the form in which they were published, written anew. Hooks are put on and taken off at every call, as ComfyUI's nodes
do. ``--compiled`` adds ``torch.compile`` of the plain and of the steered UNet. Random weights at the size of SD 1.5,
SD 2 and SDXL: cost does not depend on them.

Beside them stands the least that steering could cost: the bytes that eight sites must move, over the bandwidth that a
copy of a large tensor reaches in the same run. ``--json`` prints the figures of k = 8 as the last line.
"""

import argparse
import copy
import json
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import torch
from torch import Tensor, nn

from steering.directions.kernel import MOST_CENTRES, MOST_ROWS
from steering.families import FAMILIES, Family, family_named
from steering.interventions.engine import Steering
from steering.interventions.entry import Entry
from steering.lora.bake import bake, linear_layers, merged
from steering.models.call import Call
from steering.models.hooks import as_tokens, like_output, site_hooks
from steering.models.loading import CONFIGURATIONS, load_model
from steering.models.recording import record
from steering.schedule import NoiseSchedule
from steering.sites import BLOCKS, TEXT, Site, choose_sites, find_sites, module_width, sort_sites
from steering.study.table import Table
from steering.vectors.site import SiteVector
from steering.vectors.vector import SteeringVector

KS = (1, 8, 16, 70)
VECTORS = 5
ROWS = 2
"""One picture: a row of the prompt and one of the negative prompt."""
TEXTS = "encoder_hidden_states"
Run = Callable[[], Any]


def full_size(family: Family, device: str) -> nn.Module:
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    torch.manual_seed(0)
    assert family.checkpoint is not None
    folder = CONFIGURATIONS / family.checkpoint.folder / "unet"
    unet: Any = UNet2DConditionModel.from_config(UNet2DConditionModel.load_config(folder))
    return unet.to(device, torch.float16 if device == "cuda" else torch.float32).eval().requires_grad_(False)


@dataclass(frozen=True, eq=False)
class Bench:
    """A UNet and one call of it.

    Attributes:
        unet: the network.
        x: noisy latents ``[ROWS, 4, h, w]``.
        told: what it is told of prompts.
        call: what the call is about.
    """

    unet: Any
    x: Tensor
    told: dict[str, Any]
    call: Call

    @classmethod
    def of(cls, size: str, latent: int, device: str) -> "Bench":
        family = family_named(size)
        unet: Any = full_size(family, device) if family.checkpoint else load_model(size, device).unet
        precision, width = next(unet.parameters()).dtype, unet.config.cross_attention_dim
        x = torch.randn(ROWS, 4, latent, latent, device=device, dtype=precision)
        told: dict[str, Any] = {TEXTS: torch.randn(ROWS, 77, width, device=device, dtype=precision)}
        if family.pooled_width:
            pooled = torch.randn(ROWS, family.pooled_width, device=device, dtype=precision)
            told["added_cond_kwargs"] = {"text_embeds": pooled, "time_ids": torch.ones(ROWS, 6, device=device)}
        sigma = NoiseSchedule.scaled_linear().sigma(500)
        return cls(unet, x, told, Call((sigma,) * ROWS, (True, False), (latent, latent), 1))

    @cached_property
    def every(self) -> dict[Site, nn.Module]:
        """The modules of all sites."""
        return find_sites(self.unet)

    @cached_property
    def modules(self) -> dict[Site, nn.Module]:
        """The modules of all blocks."""
        return {site: self.every[site] for site in choose_sites(self.every, BLOCKS)}

    def run(self, network: Any = None) -> Run:
        unet = self.unet if network is None else network

        def once() -> Tensor:
            with torch.no_grad():
                return unet(self.x, 500, **self.told, return_dict=False)[0]

        return once

    def inside(self, opened: Callable[[], AbstractContextManager[Any]], network: Any = None) -> Run:
        """A call with hooks, which are put on and taken off again as in ComfyUI."""

        def once() -> Tensor:
            with opened():
                return self.run(network)()

        return once

    def vector(self, sites: list[Site], seed: int = 0) -> SteeringVector:
        generator, parts = torch.Generator().manual_seed(seed), {}
        for site in sites:
            width = module_width(self.modules[site], site.kind)
            row = nn.functional.normalize(torch.randn(1, 1, width, generator=generator), dim=-1)
            parts[site] = SiteVector(row, torch.zeros_like(row[0]), row[:, 0], torch.tensor([True]))
        return SteeringVector(parts, torch.tensor([1.0]), torch.tensor([1.0]))

    def text_map(self) -> SteeringVector:
        """A local map of the text, as large as one may be, that holds every prompt for one with the concept."""
        random, width = partial(torch.randn, generator=torch.Generator().manual_seed(0)), self.told[TEXTS].shape[-1]
        rank = min(MOST_ROWS, width // 2)
        rows, nothing = torch.linalg.qr(random(width, rank))[0].mT[None].contiguous(), torch.zeros(1, width)
        part = SiteVector(
            *(rows, nothing, rows[:, 0], torch.tensor([True])),
            condition=torch.tensor([0.0] * width + [-1.0]),
            centres=random(MOST_CENTRES, width),
            coefficients=random(MOST_CENTRES, rank),
            bandwidth=torch.tensor([width**0.5]),
            trend=random(rank, width + 1) / width,
        )
        return SteeringVector({TEXT: part}, torch.tensor([1.0]), torch.tensor([1.0]))

    def spread(self, k: int) -> list[Site]:
        """K of the sites, evenly over the order in which they run."""
        every = sort_sites(self.modules)
        return [every[round(i * (len(every) - 1) / max(1, k - 1))] for i in range(k)]

    def steered(self, *entries: Entry) -> Callable[[], AbstractContextManager[Any]]:
        steering = Steering(entries)
        modules = {site: self.every[site] for site in steering.sites}
        # Every step has a call of its own.
        return lambda: site_hooks(modules, partial(steering.edit, call=replace(self.call)))

    def folded(self, entry: Entry) -> nn.Module:
        """A copy of the network with what a LoRA holds of an entry merged into its weights."""
        with merged(self.unet, bake(entry, linear_layers(self.unet, list(entry.vector.sites)))):
            return copy.deepcopy(self.unet)

    def hooked(
        self, sites: list[Site], change: Callable[[Tensor, Tensor], Tensor]
    ) -> Callable[[], AbstractContextManager[Any]]:
        """Hooks as others publish them: the direction is looked up and moved to the device at every call."""
        parts, modules = self.vector(sites).sites, {site: self.modules[site] for site in sites}
        return lambda: site_hooks(modules, lambda site, output: change(output, parts[site].direction[0, 0]))


def casteer(output: Tensor, direction: Tensor) -> Tensor:
    """x - 2 max(<x, r>, 0) r on the prompt's rows, every token at its own length afterwards (arXiv 2503.09630)."""
    result, row = output.clone(), direction.to(output.device, output.dtype)
    tokens = as_tokens(result[:1])
    moved = tokens - 2 * (tokens @ row).clamp_min(0)[..., None] * row
    moved = moved * tokens.norm(dim=-1, keepdim=True) / moved.norm(dim=-1, keepdim=True)
    result[:1] = like_output(moved, result[:1])
    return result


def source_study(output: Tensor, direction: Tensor) -> Tensor:
    """x - 2.5 <x, r> r on the prompt's rows."""
    result, row = output.clone(), direction.to(output.device, output.dtype)
    tokens = as_tokens(result[:1])
    result[:1] = like_output(tokens - 2.5 * (tokens @ row)[..., None] * row, result[:1])
    return result


def precise(vector: SteeringVector) -> Entry:
    return vector.entry(strength=1.0, preset="precise")


def ways(bench: Bench, compiled: bool) -> dict[str, Callable[[], Run]]:
    """Title -> what makes a UNet call of that way."""
    eight = bench.spread(8)
    attention = [site for site in bench.modules if site.kind == "attn2"][:8]
    several = [precise(bench.vector(eight, seed)) for seed in range(VECTORS)]

    def steered(sites: list[Site], network: Any = None) -> Run:
        return bench.inside(bench.steered(precise(bench.vector(sites))), network)

    made: dict[str, Callable[[], Run]] = {
        "the text, by a local map": lambda: bench.inside(
            bench.steered(bench.text_map().entry(strength=1.0, preset="conditional"))
        ),
        **{
            f"steered, k = {k}": partial(steered, bench.spread(k))
            for k in (*KS, len(bench.modules))
            if k <= len(bench.modules)
        },
        f"steered, k = 8, {VECTORS} vectors": lambda: bench.inside(bench.steered(*several)),
        "CASteer's hooks, k = 8": lambda: bench.inside(bench.hooked(eight, casteer)),
        "the source study's hooks, k = 8": lambda: bench.inside(bench.hooked(eight, source_study)),
        "capture, all blocks": lambda: bench.inside(lambda: captured(bench)),
        "folded into the weights": lambda: bench.run(
            bench.folded(bench.vector(attention).entry(strength=1.0, preset="lora"))
        ),
    }
    if compiled:
        network = torch.compile(bench.unet, fullgraph=True)
        made["compiled"] = lambda: bench.run(network)
        made["compiled, steered, k = 8"] = lambda: steered(eight, network)
    return made


@contextmanager
def captured(bench: Bench) -> Iterator[None]:
    with record(bench.modules) as recording:
        yield
        recording.take(slice(0, 1))


def ratios(plain: Run, made: dict[str, Run], turns: int, device: str) -> tuple[float, dict[str, list[float]]]:
    """Seconds of the plain call, and each way's time over it, turn by turn."""
    base, found = [], {title: [] for title in made}
    for turn in range(turns + 2):  # the first ones warm up
        for title, run in made.items():
            before, took = seconds(plain, device), seconds(run, device)
            after = seconds(plain, device)
            if turn >= 2:
                base.append(before)
                found[title].append(2 * took / (before + after))
    return statistics.median(base), found


def seconds(run: Run, device: str) -> float:
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None
    wait()
    start = time.perf_counter()
    run()
    wait()
    return time.perf_counter() - start


def least(bench: Bench, plain: float, device: str) -> float:
    """1 + what eight sites cost at least: their prompt's rows read and all rows written, at a copy's bandwidth."""
    large = torch.empty(2**26, device=device)
    bandwidth = 2 * large.nbytes / min(seconds(large.clone, device) for _ in range(5))
    sizes: list[int] = []
    with site_hooks({s: bench.modules[s] for s in bench.spread(8)}, lambda s, out: sizes.append(out.nbytes)):
        bench.run()()
    return 1 + 2 * sum(sizes) / bandwidth / plain


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--size", default="pocket", choices=[family.name for family in FAMILIES])
    parser.add_argument("--latent", type=int, help="height and width of the latents; the model's own if not given")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--turns", type=int, default=15)
    parser.add_argument("--only", default="", help="ways whose title holds this")
    parser.add_argument("--compiled", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    device = options.device
    bench = Bench.of(options.size, options.latent or family_named(options.size).size // 8, device)
    made = {title: make() for title, make in ways(bench, options.compiled).items() if options.only in title}
    plain, found = ratios(bench.run(), made, options.turns, device)
    quarters = {title: statistics.quantiles(values, n=4) for title, values in found.items()}
    rows = [(title, f"{middle:.3f}", f"{low:.3f} to {high:.3f}") for title, (low, middle, high) in quarters.items()]
    floor = least(bench, plain, device)
    rows.append(("the least for k = 8, by bandwidth", f"{floor:.3f}", ""))
    where = torch.cuda.get_device_name() if device == "cuda" else f"processor, {torch.get_num_threads()} threads"
    about = f"{where}, {bench.x.dtype}, {bench.x.shape[-1]} x {bench.x.shape[-1]} latents, plain {1000 * plain:.1f} ms"
    print(Table("Time of a UNet call, plain = 1", ("way", "median", "quartiles"), tuple(rows), about).markdown())
    if options.json:
        middle = {title: statistics.median(values) for title, values in found.items()}
        compiled = middle.get("compiled, steered, k = 8")
        figures = {
            "device": where,
            "text_over_plain": middle.get("the text, by a local map"),
            "steered_over_plain": middle.get("steered, k = 8"),
            "capture_over_plain": middle.get("capture, all blocks"),
            "compiled_over_plain": compiled / middle["compiled"] if compiled else None,
            "folded_over_plain": middle.get("folded into the weights"),
            "least": floor,
            "peak_bytes": torch.cuda.max_memory_allocated() if device == "cuda" else None,
        }
        print(json.dumps(figures))


if __name__ == "__main__":
    main()
