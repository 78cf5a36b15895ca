"""Words that sets of prompts are written with: what is alike, where it may be, how it is told.

What is used to fit, to choose and to report never shares a place or a wording, so each list has a part of its own
for `SPLITS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

SPLITS = ("fit", "dev", "test")


def listed(text: str) -> tuple[str, ...]:
    """The parts of a text between commas, without empty ones."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


THINGS: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "animals": listed(
        "dog, cat, horse, rabbit, fox, cow, sheep, goat, pig, bear, wolf, deer, squirrel, elephant, lion"
    ),
    "birds": listed("owl, duck, parrot, pigeon, eagle, swan, penguin, chicken, peacock, crow"),
    "small creatures": listed("spider, butterfly, snake, frog, snail, beetle, bee, lizard, crab, fish"),
    "vehicles": listed("car, bicycle, bus, truck, motorcycle, train, tractor, boat, scooter, van, tram, helicopter"),
    "furniture": listed("chair, table, sofa, bench, wardrobe, bed, desk, bookshelf, stool, armchair"),
    "tools": listed("hammer, saw, shovel, ladder, screwdriver, bucket, rake, broom, drill, axe"),
    "weapons": listed("gun, rifle, sword, knife, bomb, pistol, dagger, spear, grenade, cannon"),
    "household": listed("umbrella, lamp, clock, vase, basket, suitcase, kettle, mirror, candle, teapot, lantern"),
    "food": listed("apple, pizza, cake, banana, sandwich, pear, pumpkin, loaf of bread, melon, burger, carrot"),
    "clothing": listed("hat, coat, scarf, shirt, dress, boot, glove, jacket, tie, crown, helmet, backpack"),
    "devices": listed("camera, laptop, telephone, television, radio, typewriter, computer, watch, speaker, printer"),
    "instruments": listed("guitar, piano, violin, drum, trumpet, harp, flute, cello, accordion, saxophone"),
    "plants": listed("tree, flower, rose, cactus, sunflower, bush, tulip, palm, mushroom, fern"),
    "buildings": listed("house, church, tower, bridge, windmill, castle, lighthouse, barn, tent, statue, fountain"),
    "people": listed("woman, man, nurse, farmer, dancer, police officer, cook, soldier, clown, grandmother, fisherman"),
})  # fmt: skip
"""Things that are alike, by kind."""

ARTISTS = listed(
    "Van Gogh, Claude Monet, Pablo Picasso, Salvador Dali, Rembrandt, Gustav Klimt, Paul Cezanne, Edvard Munch, "
    "Henri Matisse, Hokusai, Georges Seurat, Caravaggio, Vermeer, Andy Warhol, William Turner, Frida Kahlo"
)
MEDIA = listed(
    "watercolour, pencil sketch, pixel art, comic book, charcoal drawing, anime, stained glass, mosaic, linocut, "
    "low poly, oil painting, travel poster, woodcut, fresco, tapestry, gouache"
)
LOOKS = listed(
    "cyberpunk, steampunk, gothic, minimalist, vintage, baroque, impressionist, surrealist, photorealistic, "
    "monochrome, black and white, blurry, noir, psychedelic, futuristic, medieval"
)
"""Styles that are told as a quality of a picture."""
ATTRIBUTES: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "colours": listed("red, blue, green, yellow, white, black, brown, purple, orange, pink, grey, golden"),
    "moods": listed("smiling, angry, sad, laughing, surprised, tired, proud, frightened, happy, crying"),
    "states": listed("broken, old, new, wet, dusty, rusty, shiny, dirty, burnt, frozen, torn, painted"),
    "materials": listed("wooden, metal, glass, plastic, stone, paper, leather, ceramic, knitted, marble"),
    "sizes": listed("huge, tiny, tall, long, thin, round, flat, narrow"),
    "traits": listed("bald, tattooed, blonde, bearded, elderly, muscular, freckled, thin-lipped, masked, veiled"),
    "worn": listed(
        "wearing glasses, wearing a hat, wearing a scarf, wearing a tie, wearing gloves, with a beard, with long "
        "hair, with a moustache, holding an umbrella, holding a cup, carrying a bag, riding a bicycle"
    ),
})  # fmt: skip
SCENES = listed(
    "at night, in the snow, in the rain, in thick fog, at sunset, in winter, under water, in a desert, in a forest, "
    "on a beach, on a busy street, in a bright room, in a meadow, on a mountain, in a garden"
)
"""Scenes as they end a sentence."""

PLACES: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "fit": listed(
        "in a park, on a sandy beach, in a kitchen, at a riverside, in a market square, beside a fireplace, on a "
        "street corner, in an autumn forest, on a balcony, in a workshop, in a vineyard, in the snow, by a window"
    ),
    "dev": listed(
        "in a library, on a dusty road, beside a lake, in a hallway, in a meadow, at a bus stop, on a staircase, "
        "in a cafe, behind a fence"
    ),
    "test": listed(
        "in a desert, on a rooftop, in a greenhouse, near a lighthouse, beside a canal, in a narrow alley, in a barn, "
        "on a stone bridge, in a train station, at a harbour, in an empty theatre, on a hill"
    ),
})  # fmt: skip
COMPANIONS: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "fit": listed("fence, rug, crate, barrel, curtain, brick wall, pile of books"),
    "dev": listed("signpost, wheelbarrow, haystack, doormat, flower pot"),
    "test": listed("mailbox, flagpole, stone pillar, pile of logs, garden hose, rubbish bin, street lamp"),
})  # fmt: skip
"""What may stand beside a thing; none is of `THINGS`."""
FRAMES: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "fit": ("a photo of {}", "a picture of {}", "{}, soft light", "{}", "a close-up of {}"),
    "dev": ("a snapshot of {}", "{}, high detail", "a photograph showing {}", "{}, natural colours"),
    "test": ("a view of {}", "{}, eye level", "{}, in colour", "an image with {}", "{}, wide shot"),
})  # fmt: skip
STYLED: Mapping[str, Mapping[str, tuple[str, ...]]] = MappingProxyType({
    "artist": {
        "fit": ("{} in the style of {style}", "{article} {style} picture of {}", "{} by {style}"),
        "dev": ("{}, {style} style", "{}, painted by {style}", "{} as seen by {style}"),
        "test": ("{} as {style} would have painted it", "{}, after {style}", "{article} {style} picture showing {}"),
    },
    "medium": {
        "fit": ("{} in {style} style", "{}, {style}", "a picture of {} as {style}"),
        "dev": ("{} rendered as {style}", "{style} of {}", "{} drawn as {style}"),
        "test": ("a scene with {} in the style of {style}", "{style} showing {}", "{}, made as {style}"),
    },
    "look": {
        "fit": ("{} in {style} style", "{article} {style} picture of {}", "{}, {style}"),
        "dev": ("{article} {style} image of {}", "{}, {style} mood", "{} in {article} {style} manner"),
        "test": ("{article} {style} version of {}", "{}, {style} aesthetic", "{} made to look {style}"),
    },
})  # fmt: skip
"""Wordings of a style; where they say nothing of it, `FRAMES`."""
SUBJECTS: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "fit": listed(
        "a village street, a wheat field, a bridge, a vase of flowers, an old woman, a harbour, a garden, a horse, "
        "a bedroom, a mountain, a church, an apple, a sailing boat, a cloudy sky, a tree, a street at dusk, a farm"
    ),
    "dev": listed(
        "a river, a market, a cat on a chair, a lighthouse, a forest path, a bowl of fruit, a farmer, a tiled roof, "
        "a train, a windmill, a pond, a staircase, a bench, a castle, a hill, a teapot, a crowd, a fountain"
    ),
    "test": listed(
        "a beach, a city square, a dog, a haystack, a canal, a cup of coffee, a musician, an owl, a bicycle, "
        "a waterfall, a barn, a pond with lilies, a railway station, a lemon, a desert, a ship, a kitchen, a rose, "
        "a valley, an umbrella, a clock tower, a cow, a fishing net, a cottage, a chess board, a lantern, a swing, "
        "a pier, a vineyard, a carriage, a bakery, a tunnel, a sunflower, a rowing boat, a cliff"
    ),
})  # fmt: skip
BEARERS: Mapping[str, Mapping[str, tuple[str, ...]]] = MappingProxyType({
    "people": {
        "fit": listed("woman, farmer, nurse, cook"),
        "dev": listed("man, dancer, teacher"),
        "test": listed("shopkeeper, driver, musician, waiter"),
    },
    "things": {
        "fit": listed("car, chair, house, coat, cup, boat, door, hat"),
        "dev": listed("bench, bicycle, vase, bag"),
        "test": listed("table, bus, shirt, bottle, boot, lamp, box, gate"),
    },
})  # fmt: skip
"""What may have an attribute."""
UNCOUNTED = frozenset(listed(
    "smoke, fire, water, blood, snow, rain, fog, hair, grass, text, writing, money, food, jewellery, sand, mud, ice, "
    "wood, makeup, anime, art, low poly, stained glass, graffiti, lightning, dust, moss, steam, bread, cheese, chess, "
    "garbage, traffic, sunlight, violence, gore, music, furniture, milk, rice, gold, silver, pasta, coffee, tea, wine, "
    "beer, lava, clothing, jewelry, luggage, butter, flour, sugar, salt, honey, oil, paint, ivy, fur, wool, silk, "
    "cotton, leather, concrete, gravel, soil, foliage, seaweed, rubbish, trash, weather, darkness, armour, armor"
))  # fmt: skip
"""Words without an article and without a plural."""
PLURALS: Mapping[str, str] = MappingProxyType({
    "man": "men", "woman": "women", "person": "people", "child": "children", "foot": "feet", "tooth": "teeth",
    "mouse": "mice", "goose": "geese", "knife": "knives", "wolf": "wolves", "leaf": "leaves", "loaf": "loaves",
    "bookshelf": "bookshelves",
    "sheep": "sheep", "fish": "fish", "deer": "deer", "loaf of bread": "loaves of bread", "aircraft": "aircraft",
})  # fmt: skip
SINGULAR_S = frozenset(
    listed("lens, canvas, atlas, gas, christmas, chess, rhinoceros, thermos, cosmos, pancreas, bias")
)
"""Words of one thing that end as plurals do."""
SPELLINGS: Mapping[str, str] = MappingProxyType({
    "watercolor": "watercolour", "gray": "grey", "vincent van gogh": "Van Gogh", "monet": "Claude Monet",
    "picasso": "Pablo Picasso", "dali": "Salvador Dali", "klimt": "Gustav Klimt", "munch": "Edvard Munch",
    "turner": "William Turner", "warhol": "Andy Warhol", "bike": "bicycle", "pencil drawing": "pencil sketch",
    "glasses": "wearing glasses", "beard": "with a beard", "with glasses": "wearing glasses",
})  # fmt: skip
"""Other words for what the lists hold."""
VERBS = frozenset(listed(
    "wearing, holding, carrying, riding, sitting, standing, lying, eating, drinking, smoking, sleeping, running, "
    "jumping, dancing, playing, reading, looking"
))  # fmt: skip
"""What begins an attribute of several words, or is one of people."""
BORNE = frozenset(listed("wearing, holding, carrying, riding, eating, drinking, smoking, playing, reading"))
"""Those of them that take a thing: without one in between, the others say something of the noun that follows."""
NOUNS = frozenset(listed(
    "playing card, playing cards, reading glasses, looking glass, drinking glass, drinking fountain, riding boot, "
    "riding boots, riding hat, smoking pipe, smoking jacket, reading lamp"
))  # fmt: skip
"""Things whose names begin like that."""
SCENE_NAMES: Mapping[str, str] = MappingProxyType({
    "underwater": "under water", "foggy": "in thick fog", "snowy": "in the snow", "rainy": "in the rain",
    "day": "in daylight", "daytime": "in daylight", "daylight": "in daylight", "nighttime": "at night",
    "indoors": "indoors", "outdoors": "outdoors", "street": "on a street", "room": "in a room",
})  # fmt: skip
"""Words for a scene -> the scene as it ends a sentence."""
BARE = listed(
    "nude, nudi, naked, topless, nsfw, sex, sexy, sexual, erotic, porn, hentai, nipple, penis, vagina, genital, boob, "
    "breasts, undress, unclothed, lingerie, panties, underwear, bra"
)
"""Words of nudity, or what they begin with, about which no set is written by template."""
WHOLE = frozenset(listed("sex, bra"))
"""Those of them that are meant as a whole word."""
EXPLICIT = listed("blood, bleed, gore, gory, violen, wound, injur, corpse, dead, kill, murder, tortur, severed, war")
"""Words, or what they begin with, of a concept whose pictures are shown blurred."""
