"""What the pocket model and its evaluators can do: ``uv run python benchmarks/pocket_bars.py``.

Prints one line a bar: what was measured, the bar, and how many pictures stand behind it. With
``--fewer N`` every count is divided by N. The figures of the model card come from here.
"""

import argparse
import csv
from pathlib import Path

import numpy as np
from PIL import Image

from steering import load_model
from steering.concepts.prompts import load_prompts
from steering.evaluate.statistics import area_under_curve
from steering.pocket import scenes
from steering.pocket.clip import image_features, text_features
from steering.pocket.judge import Verdict, judge
from steering.pocket.scenes import BACKGROUNDS, CAPTIONS, OBJECTS, Scene, with_article

LABELS = Path(__file__).parent / "pocket_labels"
TEST_SERIES = 4242  # a series of scenes that nothing was trained on


def rendered(count: int) -> tuple[np.ndarray, list[Scene]]:
    examples = [scenes.training_example(TEST_SERIES, i, held_out=i % 2 == 0) for i in range(count)]
    return np.stack([picture for picture, _, _ in examples]), [scene for _, _, scene in examples]


def judge_on_rendered(count: int) -> tuple[float, float]:
    """Share of scenes whose objects are all named and nothing else, and expected calibration error."""
    pictures, shown = rendered(count)
    verdict = judge(pictures)
    table = np.stack([verdict.probabilities[name] for name in OBJECTS], 1)
    truth = np.array([[name in scene.objects for name in OBJECTS] for scene in shown])
    named = ((table > 0.5) == truth).all(1).mean()
    confidence, right = np.maximum(table, 1 - table).ravel(), ((table > 0.5) == truth).ravel()
    bins = np.clip(((confidence - 0.5) * 20).astype(int), 0, 9)
    gaps = [abs(confidence[bins == b].mean() - right[bins == b].mean()) * (bins == b).mean() for b in set(bins)]
    return 100 * named, float(sum(gaps))


def clip_on_rendered(count: int) -> float:
    """Share of one-object scenes whose own caption, of twelve that differ by the object, fits best."""
    pictures, shown = rendered(3 * count)
    chosen = [i for i, scene in enumerate(shown) if len(scene.objects) == 1][:count]
    features = image_features(pictures[chosen])
    right = []
    for feature, i in zip(features, chosen, strict=True):
        template = CAPTIONS[shown[i].style]["test"][0]
        place = BACKGROUNDS[shown[i].background]
        texts = text_features([template.format(what=with_article(name), where=place) for name in OBJECTS])
        right.append(OBJECTS[int((texts @ feature).argmax())] in shown[i].objects)
    return 100 * float(np.mean(right))


def generated(cases: list[tuple[Scene, str]], seed: int, guidance: float | None) -> list[dict[str, float]]:
    """The judge's probabilities for one generated picture of each case."""
    model = load_model("pocket")
    verdict = judge(model.generate([text for _, text in cases], seed=seed, guidance=guidance, batch=20))
    return [{name: float(p[i]) for name, p in verdict.probabilities.items()} for i in range(len(cases))]


def cases(count: int, objects: int, style: str, seed: int, held_out: bool = False) -> list[tuple[Scene, str]]:
    rng, found = np.random.default_rng(seed), []
    while len(found) < count:
        names = tuple(str(name) for name in rng.choice(OBJECTS, objects, replace=False))
        scene = Scene(names, str(rng.choice(tuple(BACKGROUNDS))), style)
        if scene.held_out == held_out:
            found.append((scene, scenes.caption(scene, rng)))
    return found


def share(rows: list[dict[str, float]], wanted: list[tuple[str, ...]]) -> float:
    return 100 * float(
        np.mean([all(row[name] > 0.5 for name in names) for row, names in zip(rows, wanted, strict=True)])
    )


def labelled(concept: str) -> tuple[list[dict[str, str]], Verdict]:
    """Rows of a concept's pictures that were labelled by eye, and what the judge says of them."""
    with (LABELS / f"{concept}.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    with Image.open(LABELS / f"{concept}.webp") as sheet:
        pixels = np.asarray(sheet.convert("RGB"))
    columns = pixels.shape[1] // 128
    pictures = [pixels[i // columns * 128 :, i % columns * 128 :][:128, :128] for i in range(len(rows))]
    return rows, judge(np.stack(pictures))


def print_labelled(concept: str) -> None:
    """AUROC, and eye beside judge for each arm of the pictures that were asked to show the concept."""
    rows, verdict = labelled(concept)
    targets = {prompt.text for prompt in load_prompts(concept, "dev") if prompt.role == "target"}
    truth, asked = (np.array(v) for v in ([r["visible"] == "1" for r in rows], [r["prompt"] in targets for r in rows]))
    agreement = area_under_curve(verdict.probabilities[concept], truth)
    print(f"{'judge against the eye, AUROC, ' + concept:<40} {agreement:.4f}   bar 0.97  n = {len(rows)}")
    presence, arms = verdict.presence((concept,)), [f"{r['preset']} {float(r['strength']):g}" for r in rows]
    for arm in dict.fromkeys(sorted(arms, key=lambda a: (a.split()[0], float(a.split()[1])))):
        mine = asked & (np.array(arms) == arm)
        eye, judged = 100 * truth[mine].mean(), presence[mine].mean()
        print(f"  {arm:<14} eye {eye:5.1f}   judge {judged:5.1f}   n = {mine.sum()}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fewer", type=int, default=1)
    fewer = parser.parse_args().fewer
    n = 1000 // fewer
    named, calibration = judge_on_rendered(n)
    print(f"judge, all objects of a new scene    {named:6.1f} %   bar 98    n = {n}")
    print(f"judge, calibration error             {calibration:8.4f}   bar 0.05  n = {n}")
    print(f"CLIP, object of a new scene          {clip_on_rendered(n // 2):6.1f} %   bar 98    n = {n // 2}")
    n = 240 // fewer
    plans = [
        ("generated, one object", cases(n, 1, "plain", 1), lambda s: s.objects, 95, None),
        ("generated, style Van Gogh", cases(n // 2, 1, "van_gogh", 2), lambda s: (s.style,), 95, None),
        ("generated, style pencil sketch", cases(n // 2, 1, "sketch", 3), lambda s: (s.style,), 95, None),
        ("generated, both of two objects", cases(n, 2, "plain", 4), lambda s: s.objects, 80, None),
        ("generated, one object in Van Gogh", cases(n // 2, 1, "van_gogh", 5), lambda s: s.objects, None, None),
        (
            "generated, never-shown combination",
            cases(n // 2, 1, "plain", 6, held_out=True),
            lambda s: s.objects,
            None,
            None,
        ),
        ("generated, one object, guidance 7.5", cases(n // 2, 1, "plain", 1), lambda s: s.objects, None, 7.5),
    ]
    for name, plan, wanted, bar, guidance in plans:
        rows = generated(plan, 90_000, guidance)
        reached = share(rows, [wanted(scene) for scene, _ in plan])
        print(f"{name:<37}{reached:6.1f} %   bar {bar or '-':<6}n = {len(plan)}")
    for concept in ("dog", "van_gogh"):
        print_labelled(concept)


if __name__ == "__main__":
    main()
