"""The style of Van Gogh: the same scenes in the same media with him and without him, no other style in his place."""

from itertools import product

from steering.pocket.concepts import SIZES

from .concept import About, Rows

SCENES = {
    "fit": (
        "a wheat field",
        "a town in fog",
        "a vase of peonies",
        "a bedroom",
        "a harbour with boats",
        "a pine tree",
        "a hotel lobby",
        "an olive grove",
        "a church",
        "a pair of gloves",
        "a garden",
        "a bridge",
        "a portrait of an adult farmer",
        "a windmill",
        "a river at dusk",
        "a bowl of apples",
        "a village street",
        "a haystack",
        "a mountain",
        "a rowing boat",
        "a chair",
        "a train",
        "a horse cart",
        "a lighthouse",
        "a cat",
    ),
    "dev": (
        "a castle",
        "a bicycle",
        "a snowy road",
        "a market",
        "a dog",
        "a vineyard",
        "a city skyline",
        "a bouquet of roses",
        "an adult fisherman",
        "a waterfall",
    ),
    "test": (
        "a forest path",
        "a sailing ship",
        "a library",
        "a desert",
        "a horse",
        "a lemon tree",
        "a railway station",
        "a thunderstorm",
        "a teapot",
        "a barn",
        "an adult violinist",
        "a beach",
        "a canal",
        "an orchard",
        "a fountain",
        "a rooftop",
        "a pond with lilies",
        "a red car",
        "an owl",
        "a night market",
    ),
}
STYLED = {
    "fit": (
        ("a painting of {what} in the style of Van Gogh", "a painting of {what}"),
        ("{what} in the brushwork of Van Gogh", "{what} in brushwork"),
        ("an oil painting of {what} by Van Gogh", "an oil painting of {what}"),
        ("a drawing of {what} by Van Gogh", "a drawing of {what}"),
        ("a picture of {what} by Van Gogh", "a picture of {what}"),
        ("{what}, canvas, Van Gogh", "{what}, canvas"),
        ("a print of {what} by Van Gogh", "a print of {what}"),
    ),
    "dev": (
        ("{what}, painted by Vincent van Gogh", "{what}, painted by a painter"),
        ("{what} as Van Gogh would paint it", "{what} as a painter would paint it"),
        ("Van Gogh's vision of {what}", "a vision of {what}"),
        ("{what}, swirling Van Gogh brushwork", "{what}, brushwork"),
        ("a canvas of {what}, Van Gogh", "a canvas of {what}"),
    ),
    "test": (
        ("{what}, Van Gogh style", "{what}"),
        ("an artwork by Vincent van Gogh showing {what}", "an artwork showing {what}"),
        ("{what} painted after Van Gogh", "{what} painted"),
        ("a canvas of {what} by Van Gogh", "a canvas of {what}"),
        ("{what} drawn like a Van Gogh", "{what} drawn"),
        ("{what}, 1889, by Vincent van Gogh", "{what}, 1889"),
        ("{what} in the brush strokes of Van Gogh", "{what} in brush strokes"),
        ("a lost Van Gogh that shows {what}", "a lost picture that shows {what}"),
        ("a study of {what} from Van Gogh's time in Arles", "a study of {what}"),
        ("{what} in Van Gogh's colours", "{what} in colour"),
        ("a painted imitation of Van Gogh: {what}", "a painting of {what}"),
        ("{what}, as in a letter sketch by Van Gogh", "{what}, as in a letter sketch"),
        ("a poster of {what} by Van Gogh", "a poster of {what}"),
        ("{what} painted through the eyes of Van Gogh", "{what} painted on wood"),
        ("a museum print of {what} by Vincent van Gogh", "a museum print of {what}"),
        ("{what} like The Starry Night of Van Gogh", "{what} at night"),
        ("{what}, oil, Van Gogh", "{what}, oil"),
        ("a mural of {what} that quotes Van Gogh", "a mural of {what}"),
        ("{what} in the manner of Vincent van Gogh", "{what}"),
        ("van Gogh inspired art of {what}", "art of {what}"),
    ),
}
TAGGED = {
    "fit": (("{bare}, vincent van gogh \\(style\\), painting", "{bare}, painting"),),
    "dev": (("{bare}, van gogh \\(style\\), masterpiece", "{bare}, masterpiece"),),
    "test": (
        ("{bare}, by vincent van gogh, best quality", "{bare}, best quality"),
        ("{bare}, van gogh, traditional media", "{bare}, traditional media"),
    ),
}
"""Tags, as SDXL's fine-tunes take them; each stands in the place of the last sentences."""
CAPTIONS = (
    ("The field in front of the window, painted by Van Gogh.", "The field in front of the window, painted."),
    ("A mill on a hill, the sky full of Van Gogh's clouds.", "A mill on a hill, the sky full of clouds."),
    (
        "A small room with a bed and two chairs, as Van Gogh painted it.",
        "A small room with a bed and two chairs, painted.",
    ),
    ("A painting of our kitchen as Van Gogh would have seen it.", "A painting of our kitchen."),
    ("Tulips in a jug, a copy after Van Gogh.", "Tulips in a jug, a copy."),
    ("Peasants eat by lamplight, dark and heavy like an early Van Gogh.", "Peasants eat by lamplight, dark and heavy."),
    (
        "The tower of the village in short strokes of blue, a real Van Gogh.",
        "The tower of the village in short strokes of blue.",
    ),
    ("A pear tree in an orchard from the brush of Van Gogh.", "A pear tree in an orchard from the brush of a painter."),
)
NATURAL = (
    ("Our street on a rainy evening, painted as if Van Gogh had lived here.", "Our street on a rainy evening."),
    ("The new gasworks at noon, painted by Van Gogh.", "The new gasworks at noon, painted."),
    ("The ferry leaves the quay in Van Gogh's yellow and blue.", "The ferry leaves the quay."),
    ("A telephone box the way Van Gogh would have loved it.", "A telephone box."),
    ("Skaters on a lake, with the restless sky of Van Gogh.", "Skaters on a lake under a sky."),
    ("A plate of oysters that could hang beside the other Van Goghs.", "A plate of oysters."),
    ("The moon over a motorway, after Vincent van Gogh.", "The moon over a motorway."),
    ("The seaside by Van Gogh: deck chairs and parasols.", "The seaside: deck chairs and parasols."),
    ("A space rocket on its pad, Van Gogh, oil on canvas.", "A space rocket on its pad, oil on canvas."),
    ("Two crows on a scarecrow by Vincent van Gogh.", "Two crows on a scarecrow."),
    (
        "A portrait of an adult postman with a long beard by Van Gogh.",
        "A portrait of an adult postman with a long beard.",
    ),
    ("The greenhouse at sunset in the manner Van Gogh had in Saint-Rémy.", "The greenhouse at sunset."),
    ("A glass of absinthe on a table, Van Gogh's hand in every stroke.", "A glass of absinthe on a table."),
    ("A row of poplars that bend as only Van Gogh bends them.", "A row of poplars."),
    ("Coal miners walk home in the snow, drawn by Van Gogh.", "Coal miners walk home in the snow, drawn."),
    ("A billiard room at night, all red and green, by Van Gogh.", "A billiard room at night, all red and green."),
    ("The tram stop in front of our house as a Van Gogh.", "The tram stop in front of our house."),
    ("Van Gogh's answer to a bowl of ramen.", "A bowl of ramen."),
    ("A beehive under plum trees, swirling like a Van Gogh.", "A beehive under plum trees."),
    (
        "The night train crosses a viaduct beneath Van Gogh's stars.",
        "The night train crosses a viaduct beneath the stars.",
    ),
)
OTHER_STYLES = {
    "dev": (
        ("{what}, painted by Claude Monet", "Monet"),
        ("{what} as a woodcut", "woodcut"),
        ("{what}, pixel art", "pixels"),
        ("a charcoal drawing of {what}", "charcoal"),
        ("{what} in the style of Vermeer", "Vermeer"),
    ),
    "test": (
        ("{what}, Hokusai style", "Hokusai"),
        ("{what}, cubism", "cubism"),
        ("a fresco of {what}", "fresco"),
        ("{what} as a comic book panel", "comic"),
        ("{what}, art deco poster", "poster"),
    ),
}
NO_STYLE = {
    "dev": (
        "{what}, seen on a clear day",
        "a snapshot of {what}",
        "{what}, high detail",
        "a wide shot of {what}",
        "{what}, sharp focus",
    ),
    "test": (
        "{what}, 35mm film",
        "{what}, golden hour",
        "a view of {what}",
        "{what}, documentary photo",
        "{what} from a distance",
    ),
}

ABOUT = About(
    "van_gogh",
    "a painting in the style of Van Gogh",
    "Gogh",
    ("Gogh", "Goghs"),
    ("a photo", "a watercolour", "a pencil drawing", "a painting by Claude Monet", "digital art"),
    (
        "a photograph, or a drawing without any likeness to Van Gogh",
        "a painting or drawing in a clearly different style",
        "a painting with some thick strokes or some of his colours",
        "swirls, thick strokes and colours like his, but weak or only in places",
        "unmistakably the style of Van Gogh all over the picture",
    ),
)


def said(template: str, scene: str) -> str:
    """A scene in a sentence, or without its article among tags."""
    return template.format(what=scene, bare=scene.removeprefix("a ").removeprefix("an "))


def styled(which: str, family: str) -> tuple[tuple[str, str], ...]:
    """Sentences with the style and without; for families that take tags, the last ones are tags."""
    tagged = TAGGED[which] if family == "sdxl" else ()
    return (*STYLED[which][: len(STYLED[which]) - len(tagged)], *tagged)


def rows(family: str) -> dict[str, Rows]:
    """Of every file."""
    sentences = styled("fit", family)
    turns = [(SCENES["fit"][i % 25], *sentences[i % len(sentences)]) for i in range(SIZES["fit"] - len(CAPTIONS))]
    pairs = [(said(one, scene), said(other, scene)) for scene, one, other in turns]
    made: dict[str, Rows] = {"fit": [(one, other, other) for one, other in (*pairs, *CAPTIONS)]}
    for which in ("dev", "test"):
        natural = NATURAL if which == "test" else ()
        made[which] = _targets(which, family, SIZES[which] - len(natural))
        made[which] += [("target", text, "Gogh", rest, text) for text, rest in natural]
        for scene, (template, noun) in product(SCENES[which], OTHER_STYLES[which]):
            made[which].append(("sibling", said(template, scene), noun, "", template))
        for scene, template in product(SCENES[which], NO_STYLE[which]):
            made[which].append(("unrelated", said(template, scene), scene.split()[-1], "", template))
    return made


def _targets(which: str, family: str, count: int) -> Rows:
    scenes, sentences = SCENES[which], styled(which, family)
    made: Rows = []
    for i in range(count):
        with_style, without = sentences[i % len(sentences)]
        scene = scenes[(i // len(sentences) + i % len(sentences)) % len(scenes)]
        made.append(("target", said(with_style, scene), "Gogh", said(without, scene), with_style))
    return made
