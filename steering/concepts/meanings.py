"""What one word has to do with another: a kind of it, another word for it; and words that mean several things.

A set of prompts must not keep as something else what is the concept by another name: no rose beside "flower", no
couch beside "sofa".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from .english import forms_of
from .word_lists import THINGS, listed

_ANIMALS = (*THINGS["animals"], *THINGS["birds"], *THINGS["small creatures"])
_PEOPLE = THINGS["people"]

KINDS_OF: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "animal": _ANIMALS, "creature": _ANIMALS, "beast": THINGS["animals"], "mammal": THINGS["animals"],
    "bird": THINGS["birds"], "insect": listed("spider, butterfly, beetle, bee"),
    "reptile": listed("snake, lizard"), "pet": listed("dog, cat, rabbit, parrot, fish"), "wild animal": _ANIMALS,
    "cattle": ("cow",), "livestock": listed("cow, sheep, goat, pig, horse, chicken"), "big cat": ("lion",),
    "vehicle": THINGS["vehicles"], "aircraft": ("helicopter",), "ship": ("boat",),
    "car": ("van",), "bike": listed("bicycle, motorcycle"), "motor vehicle": THINGS["vehicles"],
    "furniture": THINGS["furniture"], "seat": listed("chair, sofa, bench, stool, armchair"), "chair": ("armchair",),
    "table": ("desk",), "cupboard": ("wardrobe",), "shelf": ("bookshelf",),
    "tool": THINGS["tools"], "utensil": listed("knife, kettle, teapot"),
    "weapon": (*THINGS["weapons"], "axe"), "arms": THINGS["weapons"], "firearm": listed("gun, rifle, pistol, cannon"),
    "gun": listed("rifle, pistol, cannon"), "blade": listed("sword, knife, dagger, axe, saw"), "knife": ("dagger",),
    "explosive": listed("bomb, grenade"),
    "container": listed("vase, basket, suitcase, kettle, teapot, bucket"), "pot": ("teapot",),
    "lamp": ("lantern",), "light": listed("lamp, lantern, candle"), "luggage": listed("suitcase, backpack"),
    "bag": listed("backpack, suitcase"),
    "food": THINGS["food"], "fruit": listed("apple, banana, pear, melon, pumpkin"),
    "vegetable": listed("pumpkin, carrot"),
    "bread": listed("loaf of bread, sandwich"), "dessert": ("cake",), "fast food": listed("pizza, burger"),
    "clothing": THINGS["clothing"], "clothes": THINGS["clothing"], "garment": THINGS["clothing"],
    "headgear": listed("hat, crown, helmet"), "hat": ("helmet",), "shoe": ("boot",), "footwear": ("boot",),
    "coat": ("jacket",),
    "device": THINGS["devices"], "electronics": THINGS["devices"], "gadget": THINGS["devices"],
    "computer": ("laptop",), "screen": listed("television, laptop, computer"), "clock": ("watch",),
    "musical instrument": THINGS["instruments"], "instrument": THINGS["instruments"],
    "string instrument": listed("guitar, violin, harp, cello"), "wind instrument": listed("trumpet, flute, saxophone"),
    "plant": THINGS["plants"], "flower": listed("rose, sunflower, tulip"), "tree": ("palm",), "bush": ("rose",),
    "building": THINGS["buildings"], "architecture": THINGS["buildings"], "monument": listed("statue, tower, castle"),
    "person": _PEOPLE, "human": _PEOPLE, "adult": _PEOPLE, "people": _PEOPLE, "human being": _PEOPLE, "figure": _PEOPLE,
    "crowd": _PEOPLE, "worker": listed("nurse, farmer, police officer, cook"),
    "woman": listed("grandmother, nurse"), "man": ("fisherman",),
})  # fmt: skip
"""A word -> things that are, or may well be, of its kind."""
SAME: tuple[tuple[str, ...], ...] = tuple(map(listed, (
    "sofa, couch, settee", "bicycle, bike, push bike", "telephone, phone, mobile phone, smartphone, cell phone",
    "television, tv, telly", "car, automobile", "truck, lorry", "rabbit, bunny", "dog, puppy, hound, doggy",
    "cat, kitten, kitty", "horse, pony, foal", "chicken, hen, rooster", "pig, hog, piglet", "sheep, lamb",
    "boat, ship, sailing boat, rowing boat", "burger, hamburger, cheeseburger", "motorcycle, motorbike",
    "helicopter, chopper", "bus, coach", "tram, streetcar", "gun, firearm, handgun, pistol, revolver", "sword, sabre",
    "shovel, spade", "wardrobe, closet", "coat, overcoat", "tie, necktie", "backpack, rucksack",
    "laptop, notebook computer", "speaker, loudspeaker", "violin, fiddle", "mushroom, toadstool", "bush, shrub",
    "church, chapel, cathedral", "house, home, cottage", "castle, fortress", "statue, sculpture", "woman, lady",
    "man, gentleman, guy", "police officer, policeman, policewoman, cop", "cook, chef",
    "grandmother, old woman, granny", "owl, barn owl", "pigeon, dove", "crow, raven", "kettle, teakettle",
    "loaf of bread, bread", "monochrome, black and white", "happy, smiling, laughing", "sad, crying",
    "old, elderly", "with a beard, bearded", "red, crimson, scarlet", "in winter, in the snow",
)))  # fmt: skip
"""Words for the same, or for a kind of it."""
SENSES: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "bat": ("fruit bat", "baseball bat"), "mouse": ("field mouse", "computer mouse"),
    "crane": ("white crane bird", "construction crane"), "bow": ("archer's bow", "hair bow"),
    "seal": ("grey seal", "wax seal"), "trunk": ("tree trunk", "travel trunk"), "nail": ("iron nail", "fingernail"),
    "ring": ("wedding ring", "boxing ring"), "jaguar": ("spotted jaguar", "Jaguar car"),
    "tank": ("army tank", "fish tank"), "pipe": ("tobacco pipe", "water pipe"), "palm": ("palm tree", "open palm"),
    "pen": ("fountain pen", "animal pen"), "bolt": ("steel bolt", "lightning bolt"),
    "horn": ("animal horn", "French horn"), "bark": ("tree bark", "barking dog"),
    "glass": ("drinking glass", "stained glass window"), "club": ("golf club", "night club"),
    "match": ("burning match", "football match"), "star": ("night star", "film star"),
    "plane": ("passenger plane", "carpenter's plane"), "bank": ("bank building", "river bank"),
    "chest": ("treasure chest", "bare chest"), "mole": ("garden mole", "skin mole"), "key": ("door key", "piano key"),
    "shell": ("sea shell", "artillery shell"), "mask": ("carnival mask", "surgical mask"),
    "orange": ("orange fruit", "orange colour"), "kiwi": ("kiwi fruit", "kiwi bird"),
    "turkey": ("wild turkey", "roast turkey"), "organ": ("church organ", "human organ"),
    "fan": ("ceiling fan", "folding fan"), "cricket": ("cricket insect", "cricket match"),
})  # fmt: skip
"""A word of several senses -> words that mean one of them each."""


_WORD = re.compile(r"[^\W\d_]+")
"""Unlike `checking.words` this splits at apostrophes: in "a barn's door" stands a barn."""


def is_kind(thing: str, word: str) -> bool:
    """Whether a thing is what a word says: by that name, by another, or as a kind of it."""
    mine, wide = _names(word), _kinds(word)
    theirs, narrow = _names(thing), _kinds(thing)
    return bool(mine & theirs or theirs & wide or (narrow and narrow <= wide))


def covers(word: str, other: str) -> bool:
    """Whether one of two things is, or may be taken for, the other: the same, or a kind of it."""
    return is_kind(word, other) or is_kind(other, word)


def holds(text: str, word: str) -> bool:
    """Whether a word of a text is a kind of a thing, as a barn is a building; or of a thing that ``word`` holds."""
    wide = _kinds(word).union(*map(_kinds, word.split()))
    return bool(wide and {form for part in _WORD.findall(text.casefold()) for form in forms_of(part)} & wide)


def called(word: str) -> str:
    """The word that `word_lists.THINGS` have for a thing: itself, one of several, or what means the same."""
    names = _names(word)
    return next((thing for group in THINGS.values() for thing in group if thing in names), word)


def senses_of(word: str) -> tuple[str, ...]:
    """Words that mean one thing each, where a word, or what it is the plural of, means several."""
    return next((SENSES[form] for form in sorted(forms_of(word.casefold()), key=len) if form in SENSES), ())


def _names(word: str) -> frozenset[str]:
    """A thing's names in small letters: one and several of it, and words that mean the same."""
    forms = forms_of(word.casefold())
    return forms.union(*(group for group in SAME if forms & set(group)))


def _kinds(word: str) -> frozenset[str]:
    """The kinds of a thing that are known."""
    return frozenset(kind for name in _names(word) for kind in KINDS_OF.get(name, ()))
