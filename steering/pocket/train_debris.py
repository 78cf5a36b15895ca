"""Teach the judge what an eye calls broken: ``python -m steering.pocket.train_debris --out FILE --judge FILE ...``.

`train_evaluators` trains a judge on rendered scenes alone, and what is broken in them was broken by a program. What a
generator gets wrong looks different, so a network of its own begins as that judge's answer "debris" and learns from
pictures that were labelled by eye. What lies below, lines and colours, stays as it is. A fifth of the pictures is not
learned from: of these the two together call as many broken as the eye does, a flaw that one has to look for being half
a broken picture.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor, nn

from .backgrounds import SIZE
from .judge import JudgeNetwork, both_sides, load_judge
from .labelled import pictures_of, read
from .pace import cosine
from .tensors import to_images
from .train_evaluators import descend, mirrored, save

BROKEN = (0.0, 0.5, 1.0)
"""How broken labels say that a picture is: 0 whole, 1 a flaw that one has to look for, 2 plainly broken."""
APART = 5
"""One of so many labelled pictures is not learned from."""
FIXED = 12
"""Layers that do not learn: the first four convolutions with their norms."""
SHIFT = 6
"""Pixels by which a picture is moved at most."""
BATCH = 48


def begun(judge: JudgeNetwork) -> JudgeNetwork:
    """A network with one answer that says what a judge's last one, "debris", says."""
    network = JudgeNetwork(1)
    network.features.load_state_dict(judge.features.state_dict())
    network.head.load_state_dict({name: value[-1:] for name, value in judge.head.state_dict().items()})
    for parameter in network.features[:FIXED].parameters():
        parameter.requires_grad_(False)
    return network.eval()  # norms keep the statistics of many rendered pictures


def moved(images: Tensor) -> Tensor:
    """Images ``[B, 3, H, W]`` in -1 to 1 as broken as before: half of them mirrored, all moved, in other colours."""
    x, y = (int(shift) for shift in torch.randint(2 * SHIFT + 1, (2,)))
    height, width = images.shape[2:]
    wider = nn.functional.pad(mirrored(images), (SHIFT,) * 4, mode="replicate")[..., y : y + height, x : x + width]
    gain, light = (torch.randn(len(images), 3, 1, 1) for _ in range(2))
    return (wider * (1 + 0.08 * gain) + 0.06 * light).clamp(-1, 1)


def train(judge: JudgeNetwork, pictures: Tensor, broken: Tensor, steps: int, rate: float = 1e-3) -> JudgeNetwork:
    """A network of one answer, learned by binary cross-entropy.

    Args:
        judge: whose answer it begins with.
        pictures: ``uint8 [N, SIZE, SIZE, 3]``.
        broken: how likely each is debris ``[N]``.
        steps: of training, with `BATCH` random pictures each.
        rate: of learning, at the start; a cosine takes it to zero.
    """
    network = begun(judge)
    optimizer = torch.optim.AdamW([one for one in network.parameters() if one.requires_grad], weight_decay=0.05)
    for step in range(steps):
        some = torch.randint(len(pictures), (BATCH,))
        logits = network(moved(to_images(pictures[some], "cpu")) / 2 + 0.5)[:, 0]
        loss = nn.functional.binary_cross_entropy_with_logits(logits, broken[some])
        loss = descend(optimizer, loss, cosine(step / steps, rate, warm=0))
        if step % 100 == 99:
            print(f"debris {step + 1} of {steps}  loss {loss.item():.4f}", flush=True)
    return network


@torch.no_grad()
def agree(network: JudgeNetwork, judge: JudgeNetwork, pictures: Tensor, share: float) -> None:
    """Move a network's answer so that it or a judge's calls a share of some pictures broken, where either does.

    Args:
        network: of one answer, which is changed.
        judge: as it is.
        pictures: ``uint8 [N, SIZE, SIZE, 3]``.
        share: of them that is broken; that which the judge alone calls broken is the least that can be.
    """
    parts = [to_images(part, "cpu") / 2 + 0.5 for part in pictures.split(64)]
    mine, theirs = (torch.cat([both_sides(one, part)[:, -1] for part in parts]) for one in (network, judge))
    already = theirs > 0
    wanted = (share - already.float().mean()) / (~already).float().mean()
    network.head.bias.sub_(torch.quantile(mine[~already], 1 - wanted.clamp(0, 1)))


def labels_of(folder: Path, name: str) -> tuple[Tensor, Tensor]:
    """The pictures of a table and the labels of both passes over them ``[N, 2]``."""
    rows = read(folder, name)
    given = [[int(row[column]) for column in ("broken", "broken_again")] for row in rows]
    return torch.from_numpy(pictures_of(folder, name, SIZE)[: len(rows)].copy()), torch.tensor(given)


def main() -> None:
    """Train it."""
    parser = argparse.ArgumentParser(description="Teach the judge what an eye calls broken.")
    parser.add_argument("--out", type=Path, required=True, help="file of the weights")
    parser.add_argument("--judge", type=Path, required=True, help="file of a judge's weights")
    parser.add_argument("--labels", type=Path, required=True, nargs="+", help="tables of labelled pictures")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    tables = [labels_of(table.parent, table.stem) for table in options.labels]
    pictures, given = (torch.cat(parts) for parts in zip(*tables, strict=True))
    judge = load_judge(options.judge)
    apart, broken = torch.randperm(len(pictures)) % APART == 0, torch.tensor(BROKEN)[given].mean(1)
    network = train(judge, pictures[~apart], broken[~apart], options.steps)
    agree(network, judge, pictures[apart], float(broken[apart].mean()))
    save(network, options.out)


if __name__ == "__main__":
    main()
