"""What the pocket model and its evaluators can do: ``uv run python benchmarks/pocket_bars.py``.

Prints one line a bar: what was measured, the bar, and how many pictures stand behind it. With
``--fewer N`` every count is divided by N. The figures of the model card come from here.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from label_sheets import judged_of, kappa, read

from steering import load_model
from steering.concepts.prompts import evaluated
from steering.evaluate.statistics import area_under_curve
from steering.families import family_named
from steering.pocket import augment, world
from steering.pocket.architecture import WEIGHTS
from steering.pocket.captions import CAPTIONS, sentence
from steering.pocket.clip import image_features, text_features
from steering.pocket.debris import WAYS, broken_scene, mottled, spotted
from steering.pocket.judge import judge
from steering.pocket.latents import load_vae
from steering.pocket.tensors import to_images, to_pictures
from steering.pocket.train_vae import draw
from steering.pocket.world import BACKGROUNDS, OBJECTS, Scene

LABELLED = Path(__file__).parent / "pocket_labels"
TEST_SERIES = 4242  # a series of scenes that nothing was trained on


def rendered(count: int) -> tuple[np.ndarray, list[Scene]]:
    examples = [world.training_example(TEST_SERIES, i, held_out=i % 2 == 0) for i in range(count)]
    return np.stack([picture for picture, _, _ in examples]), [scene for _, _, scene in examples]


def judge_on_rendered(count: int) -> tuple[float, float]:
    """Share of scenes whose things are all named and nothing else, and expected calibration error."""
    pictures, shown = rendered(count)
    verdict = judge(pictures)
    table = np.stack([verdict.probabilities[name] for name in OBJECTS], 1)
    truth = np.array([[name in scene.objects for name in OBJECTS] for scene in shown])
    named = ((table > 0.5) == truth).all(1).mean()
    confidence, right = np.maximum(table, 1 - table).ravel(), ((table > 0.5) == truth).ravel()
    bins = np.clip(((confidence - 0.5) * 20).astype(int), 0, 9)
    gaps = [abs(confidence[bins == b].mean() - right[bins == b].mean()) * (bins == b).mean() for b in set(bins)]
    return 100 * named, float(sum(gaps))


def judge_on_unseen(count: int) -> float:
    """Share of single things, by drawings that nothing was trained on, that are named first."""
    rng = np.random.default_rng(TEST_SERIES)
    names = [OBJECTS[i % len(OBJECTS)] for i in range(count)]
    scenes = [Scene((name,), str(rng.choice(BACKGROUNDS))) for name in names]
    verdict = judge(np.stack([world.draw(scene, rng, unseen=True) for scene in scenes]))
    best = np.stack([verdict.probabilities[name] for name in OBJECTS]).argmax(0)
    return 100 * float(np.mean([OBJECTS[i] == name for i, name in zip(best, names, strict=True)]))


def as_the_vae_returns(pictures: np.ndarray, noise: float = 0.15, batch: int = 64) -> np.ndarray:
    """Pictures after the VAE, with noise in the latents of up to a share, as `augment.through_vae` has it."""
    torch.manual_seed(TEST_SERIES)
    vae, _ = load_vae(WEIGHTS / "vae", "cpu")
    parts = [
        augment.through_vae(vae, to_images(part, "cpu"), noise) for part in torch.from_numpy(pictures).split(batch)
    ]
    return to_pictures(torch.cat(parts)).numpy()


def debris_on_rendered(count: int) -> dict[str, float]:
    """AUROC of debris between scenes as the VAE gives them back, whole and broken; all ways, and each."""
    rng = np.random.default_rng(TEST_SERIES)
    pictures, shown = rendered(2 * count)
    whole = as_the_vae_returns(pictures[:count])
    broken = [broken_scene(scene, rng) for scene in shown if scene.objects][:count]
    scores = judge(as_the_vae_returns(np.stack([one.picture for one in broken]))).debris
    plain = judge(whole).debris

    def area(some: np.ndarray) -> float:
        return area_under_curve(np.r_[some, plain], np.r_[np.ones(len(some)), np.zeros(len(plain))].astype(bool))

    ways = np.array([one.how for one in broken])
    soft = judge(
        as_the_vae_returns(np.stack([mottled(picture, rng) for picture in pictures[count : 2 * count]]))
    ).debris
    things = [scene for scene in shown if scene.objects][:count]
    return {
        "all ways": area(scores),
        **{how: area(scores[ways == how]) for how in WAYS},
        "mottled": area(soft),
        "spoiled at a spot": area(judge(spoiled_at_a_spot(things, rng)).debris),
    }


def spoiled_at_a_spot(scenes: list[Scene], rng: np.random.Generator, batch: int = 64) -> np.ndarray:
    """Scenes that the VAE gives back with a spot each redrawn, see `augment.spoil`."""
    vae, _ = load_vae(WEIGHTS / "vae", "cpu")
    drawn = [spotted(scene, rng) for scene in scenes]
    images = to_images(torch.from_numpy(np.stack([picture for picture, _ in drawn])), "cpu")
    spots = torch.from_numpy(np.stack([spot for _, spot in drawn]))
    pairs = zip(images.split(batch), spots.split(batch), strict=True)
    after = torch.cat([augment.spoil(vae, some, where)[1] for some, where in pairs])
    return to_pictures(after).numpy()


def clip_on_rendered(count: int) -> float:
    """Share of one-thing scenes whose own caption, of those that differ by the thing, fits best."""
    pictures, shown = rendered(3 * count)
    chosen = [i for i, scene in enumerate(shown) if len(scene.objects) == 1][:count]
    features = image_features(pictures[chosen])
    right = []
    for feature, i in zip(features, chosen, strict=True):
        template = CAPTIONS[shown[i].style]["test"][0]
        texts = text_features([sentence(template, (name,), shown[i].background) for name in OBJECTS])
        right.append(OBJECTS[int((texts @ feature).argmax())] in shown[i].objects)
    return 100 * float(np.mean(right))


def decibels(count: int) -> float:
    """How well the VAE gives new scenes back."""
    pictures = draw(TEST_SERIES, 0, count)
    back = as_the_vae_returns(pictures, noise=0)
    return float(-10 * np.log10(np.square((back.astype(float) - pictures) / 255).mean()))


def generated(cases: list[tuple[Scene, str]], seed: int, guidance: float | None) -> list[dict[str, float]]:
    """The judge's probabilities for one generated picture of each case."""
    model = load_model("pocket")
    verdict = judge(model.generate([text for _, text in cases], seed=seed, guidance=guidance, batch=20))
    return [{name: float(p[i]) for name, p in verdict.probabilities.items()} for i in range(len(cases))]


def cases(count: int, objects: int, style: str, seed: int, held_out: bool = False) -> list[tuple[Scene, str]]:
    rng, found = np.random.default_rng(seed), []
    while len(found) < count:
        names = tuple(str(name) for name in rng.choice(OBJECTS, objects, replace=False))
        scene = Scene(names, str(rng.choice(BACKGROUNDS)), style)
        if scene.held_out == held_out:
            found.append((scene, world.caption(scene, rng)))
    return found


def paraphrased(plan: list[tuple[Scene, str]]) -> list[tuple[Scene, str]]:
    """The same scenes in words that training never had."""
    texts = []
    for i, (scene, _) in enumerate(plan):
        forms = CAPTIONS[scene.style]["unseen"]
        texts.append((scene, sentence(forms[i % len(forms)], scene.objects, scene.background)))
    return texts


def share(rows: list[dict[str, float]], wanted: list[tuple[str, ...]]) -> float:
    shown = zip(rows, wanted, strict=True)
    return 100 * float(np.mean([all(row[name] > 0.5 for name in names) for row, names in shown]))


def against_the_eye(name: str) -> None:
    """AUROC of the judge's three answers on labelled pictures, and how far two passes over them agree."""
    rows = read(LABELLED, name)
    columns = judged_of(LABELLED, name, "dev")
    scores = {"visible": columns["presence"], "remains": columns["debris"], "clean": columns["clean"]}
    for label, score in scores.items():
        truth, again = (np.array([row[label + end] == "1" for row in rows]) for end in ("", "_again"))
        both = truth == again
        agreed = area_under_curve(score[both], truth[both])
        print(
            f"  {name}, {label:<8} AUROC {area_under_curve(score, truth):.3f}, where both passes agree {agreed:.3f}; "
            f"kappa of them {kappa(truth, again):.2f}; eye {100 * truth.mean():.0f} %, "
            f"judge {100 * (score > 50).mean():.0f} %; n = {len(rows)}"
        )


def clean_by_eye() -> None:
    """Percent of the labelled pictures that are clean by eye, mean of both passes, as a table in Markdown."""
    shares: dict[str, list[str]] = {}
    for name in evaluated("pocket"):
        rows = read(LABELLED, name)
        for setting in sorted({row["setting"] for row in rows}):
            flags = [
                row[label] == "1" for row in rows if row["setting"] == setting for label in ("clean", "clean_again")
            ]
            shares.setdefault(setting, []).append(f"{100 * np.mean(flags):.0f}")
    print("| setting |", " | ".join(evaluated("pocket")), "|\n|" + "---|" * (1 + len(evaluated("pocket"))))
    for setting, values in sorted(shares.items(), key=lambda item: -sum(map(int, item[1]))):
        print("|", setting, "|", " | ".join(values), "|")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--fewer", type=int, default=1)
    fewer = parser.parse_args().fewer
    n = 1000 // fewer
    print(f"VAE, new scenes                       {decibels(n // 4):6.1f} dB  bar -     n = {n // 4}")
    named, calibration = judge_on_rendered(n)
    print(f"judge, all things of a new scene     {named:6.1f} %   bar 98    n = {n}")
    print(f"judge, calibration error             {calibration:8.4f}   bar 0.05  n = {n}")
    print(f"judge, drawings never seen           {judge_on_unseen(n // 2):6.1f} %   bar -     n = {n // 2}")
    for name, area in debris_on_rendered(n // 2).items():
        print(f"judge, AUROC of debris, {name:<18}{area:8.3f}   bar 0.95  n = {n}")
    print(f"CLIP, thing of a new scene           {clip_on_rendered(n // 2):6.1f} %   bar 98    n = {n // 2}")
    n = 240 // fewer
    one = cases(n, 1, "plain", 1)
    plans = [
        ("one thing", one, lambda s: s.objects, 95, None),
        ("its place", one, lambda s: (s.background,), 95, None),
        ("both of two things", cases(n, 2, "plain", 4), lambda s: s.objects, 80, None),
        ("never-shown combination", cases(n // 2, 1, "plain", 6, held_out=True), lambda s: s.objects, None, None),
        ("words never trained on", paraphrased(one), lambda s: s.objects, None, None),
        *((f"style {style}", cases(n // 2, 1, style, 2), lambda s: (s.style,), 95, None) for style in world.STYLES),
        *(
            (f"one thing in {style}", cases(n // 2, 1, style, 5), lambda s: s.objects, None, None)
            for style in world.STYLES
        ),
        *((f"one thing, guidance {g:g}", one, lambda s: s.objects, None, g) for g in (3.0, 5.0, 7.5)),
    ]
    print(f"generated, guidance {family_named('pocket').guidance:g} unless said")
    for name, plan, wanted, bar, guidance in plans:
        rows = generated(plan, 90_000, guidance)
        reached = share(rows, [wanted(scene) for scene, _ in plan])
        whole = 100 * float(np.mean([row["debris"] < 0.5 for row in rows]))
        print(f"  {name:<35}{reached:6.1f} %   bar {bar or '-':<6}n = {len(plan)}, {whole:.0f} % without debris")
    print("judge against the eye")
    for name in evaluated("pocket"):
        against_the_eye(name)
    clean_by_eye()


if __name__ == "__main__":
    main()
