"""How long contrastive PCA with the automatic alpha takes: ``uv run python benchmarks/contrast_speed.py``.

70 sites at 30 noise levels, 1280 channels, 50 pairs: SD 1.5 as if every site were of its widest. Random activations;
the time does not depend on them.
"""

import argparse
import time

import torch
from tqdm import tqdm

from steering.directions.methods import CONTRASTS, get_direction


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--site-steps", type=int, default=70 * 30)
    options = parser.parse_args()
    generator = torch.Generator().manual_seed(0)
    for name in CONTRASTS:
        method = get_direction(name, "auto")
        positive, negative = torch.randn(2, 50, 1280, generator=generator, dtype=torch.float64)
        method(positive, negative, 1)  # scikit-learn is imported the first time
        start = time.perf_counter()
        for _ in tqdm(range(options.site_steps), desc=name):
            method(positive, negative, 1)
        seconds = time.perf_counter() - start
        print(
            f"{name}: {options.site_steps} sites and noise levels in {seconds:.1f} s, {torch.get_num_threads()} threads"
        )


if __name__ == "__main__":
    main()
