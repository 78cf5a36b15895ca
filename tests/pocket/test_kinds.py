import numpy as np

from steering.pocket import kinds, world
from steering.pocket.world import Scene


def test_every_drawing_is_shown_both_ways_round_and_the_unseen_only_when_asked():
    def drawn(unseen):
        rng = np.random.default_rng(0)
        scene = Scene(("dog",), "beach")
        return {world.places(scene, rng, unseen=unseen)[0].drawing.tobytes() for _ in range(60)}

    seen, unseen = drawn(False), drawn(True)
    assert len(seen) == 2 * len(kinds.KINDS["dog"].drawings)
    assert len(unseen) == 2 * len(kinds.KINDS["dog"].unseen)
    assert not seen & unseen


def test_every_drawing_is_there_and_none_besides():
    files = {path.relative_to(kinds.FOLDER).as_posix() for path in kinds.FOLDER.glob("*/*.png")}
    named = {
        f"{name}/{drawing.replace('/', '-')}.png"
        for name, kind in kinds.KINDS.items()
        for drawing in (*kind.drawings, *kind.unseen)
    }
    assert files == named
    licences = (kinds.FOLDER / "LICENCES.md").read_text(encoding="utf-8")
    sets = {drawing.split("/")[0] for kind in kinds.KINDS.values() for drawing in (*kind.drawings, *kind.unseen)}
    assert all(f"`{name}-…`" in licences for name in sets)
