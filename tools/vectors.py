"""Make the vectors that come with the pack: ``uv run python tools/vectors.py``, some minutes on two cores.

``pocket_dog``, ``pocket_van_gogh`` and ``pocket_violence`` are local maps of the text embedding, which take one pass
of the text encoder each. The others are directions at the UNet's blocks, constant in time, which a LoRA can hold: dog
and Van Gogh at the eight best sites, and dog and cat at all cross-attentions, to replace one by the other.
"""

from pathlib import Path

import steering
from steering.models.sampling import CaptureSettings
from steering.vectors.recommendation import Recommendation
from steering.vectors.vector import recommend

FOLDER = Path(__file__).parent.parent / "vectors"
MAPS = ("dog", "van_gogh", "violence")
LINEAR = "attn1,attn2,ff"
BEST = {"dog": 1.5, "van_gogh": 1.25}
"""Concepts whose vector at the eight best sites is made -> strength at which it is applied."""
EVERYWHERE = ("dog", "cat")


def save(vector: steering.SteeringVector, name: str, preset: str, strength: float = 1.0) -> None:
    recommend(vector, Recommendation(preset, strength)).save(FOLDER / f"pocket_{name}.safetensors")
    print(f"pocket_{name}: {len(vector.sites)} sites")


def main() -> None:
    model = steering.load_model("pocket")
    for name in MAPS:
        captured = steering.capture(model, name, sites="text")
        made = steering.build(captured, select_by="text", direction="kernel", time="constant")
        save(made, name, "conditional")
    for name in ("dog", "cat", "van_gogh"):
        captured = steering.capture(model, name, sites=LINEAR, settings=CaptureSettings(batch=10))
        if name in EVERYWHERE:
            save(steering.build(captured, select_by="attn2", time="constant"), f"{name}_attn2", "lora")
        if name in BEST:
            best = steering.build(captured, select_by="overall", top_k=8, time="constant")
            save(best, f"{name}_lora", "lora", BEST[name])


if __name__ == "__main__":
    main()
