"""A fine-tuned model: the embedded one after some steps on drawings that its training never showed."""

from pathlib import Path

import torch

from steering import DiffusionModel, load_model
from steering.pocket import latents
from steering.pocket.train import Trainer

WEIGHTS = Path(latents.__file__).parent / "weights"
TUNING_PICTURES, TUNING_STEPS, TUNING_RATE = 2048, 300, 3e-4


def fine_tuned(folder: Path) -> DiffusionModel:
    """The fine-tuned model, in which every thing looks new; its weights are kept in the folder."""
    model, kept = load_model("pocket"), folder / "fine_tuned.pt"
    if not kept.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        trainer = Trainer(folder, WEIGHTS / "vae", 16, TUNING_RATE, 0, str(model.device))
        trainer.begin(WEIGHTS)
        drawn = latents.examples(0, TUNING_PICTURES, seed=1, unseen=True)
        trainer.add({name: torch.from_numpy(value) for name, value in drawn.items()})
        for _ in range(TUNING_STEPS):
            trainer.step(TUNING_RATE)
        average = trainer.average
        torch.save({"unet": average.unet.state_dict(), "text_encoder": average.text_encoder.state_dict()}, kept)
    parts = {"unet": model.unet, "text_encoder": model.encoders[0].module}
    for name, state in torch.load(kept, weights_only=True).items():
        parts[name].load_state_dict(state)
    return model


def moved(model: DiffusionModel, other: DiffusionModel) -> float:
    """How far the UNet's weights are apart, as a share of their size."""
    pairs = list(zip(model.unet.parameters(), other.unet.parameters(), strict=True))
    apart = sum(float((a - b).double().square().sum()) for a, b in pairs)
    return (apart / sum(float(a.double().square().sum()) for a, _ in pairs)) ** 0.5
