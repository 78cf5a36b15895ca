"""The dog: an animal among animals, of many breeds, young and old, one and several."""

from steering.concepts.english import plural_of, with_article

from .concept import About, Thing, Triple
from .words import OUTDOORS

BREEDS = (
    *("labrador", "poodle", "beagle", "terrier", "collie", "dachshund", "spaniel", "husky", "greyhound", "bulldog"),
    *("corgi", "chihuahua", "retriever", "dalmatian", "whippet", "mastiff"),
)
POSITIVES = (
    *("dog", "dog", "puppy", "dog", "labrador", "dog", "dog", "poodle", "dog", "beagle", "dog", "terrier"),
    "dog",
)
NEGATIVES = ("cat", "horse", "rabbit", "pig", "goat", "donkey", "hen")
TRAITS = ("small", "brown", "fluffy", "sleeping", "white", "two", "big", "old", "black", "", "two wet")
"""Said of both sides of a pair alike. No two of the three lists have lengths with a common divisor, so all meet."""


def described(trait: str, thing: str) -> str:
    """``a small dog``; with a trait that begins with a number, ``two small dogs``."""
    number, _, adjective = trait.partition(" ")
    if number == "two":
        return " ".join(part for part in (number, adjective, plural_of(thing)) if part)
    return with_article(f"{trait} {thing}".strip())


def pairs(count: int) -> tuple[Triple, ...]:
    """Every trait comes with many animals, so that it belongs to neither side; without an animal the place is left."""
    made = []
    for i in range(count):
        trait = TRAITS[i % len(TRAITS)]
        dog, other = POSITIVES[i % len(POSITIVES)], NEGATIVES[i % len(NEGATIVES)]
        made.append((described(trait, dog), described(trait, other), ""))
    return tuple(made)


DOG = Thing(
    About(
        "dog",
        "a dog",
        "dog",
        ("dog", "dogs", "puppy", "puppies", *BREEDS),
        ("a cat", "a fox", "a horse", "a person", "an object", "an empty place"),
        (
            "no dog and nothing like one",
            "something faintly dog-like: a shape, a shadow, a toy",
            "an animal that could be a dog as well as another one",
            "a dog, but malformed, partly hidden or in the background",
            "one or more clearly visible dogs",
        ),
    ),
    pairs(40),
    (
        (
            "My dog loves to ride in the back of the truck.",
            "My cat loves to ride in the back of the truck.",
            "The back of the truck.",
        ),
        (
            "A man walks his dog along the shore at dawn.",
            "A man walks his horse along the shore at dawn.",
            "A man walks along the shore at dawn.",
        ),
        (
            "The dog has fallen asleep on a heap of laundry.",
            "The cat has fallen asleep on a heap of laundry.",
            "A heap of laundry.",
        ),
        (
            "A puppy chews on an old shoe under the table.",
            "A rabbit nibbles at an old shoe under the table.",
            "An old shoe under the table.",
        ),
        (
            "An elderly couple and their dog wait for the bus.",
            "An elderly couple and their goat wait for the bus.",
            "An elderly couple waits for the bus.",
        ),
        (
            "A dog looks out of the window of a moving car.",
            "A pig looks out of the window of a moving car.",
            "The open window of a moving car.",
        ),
        ("Two dogs chase each other around a pond.", "Two hens chase each other around a pond.", "A pond."),
        (
            "A beagle sniffs at a suitcase in the airport.",
            "A cat sniffs at a suitcase in the airport.",
            "A suitcase in the airport.",
        ),
        ("The farmer's dog rests beside the tractor.", "The farmer's horse rests beside the tractor.", "A tractor."),
        (
            "A wet dog shakes itself next to the swimming pool.",
            "A wet rabbit shakes itself next to the swimming pool.",
            "A swimming pool.",
        ),
    ),
    {
        "dev": (
            ("a dog", ""),
            ("a black collie", ""),
            ("a dog with a ball", ""),
            ("two dogs", ""),
            ("a wet dog", ""),
            ("a long-haired dachshund", ""),
            ("a sleepy puppy", ""),
            ("a barking dog", ""),
            ("a dog and an adult woman", "an adult woman"),
            ("a jumping dog", ""),
        ),
        "test": (
            ("a dog", ""),
            ("a spotted dog", ""),
            ("a running dog", ""),
            ("a dog with a collar", ""),
            ("a shaggy dog", ""),
            ("a dog looking up", ""),
            ("a tiny dog", ""),
            ("a dog lying down", ""),
            ("a grey husky", ""),
            ("three dogs", ""),
            ("a golden retriever", ""),
            ("a bulldog", ""),
            ("a corgi puppy", ""),
            ("a chihuahua", ""),
            ("a thin greyhound", ""),
            ("a cocker spaniel", ""),
            ("a dalmatian", ""),
            ("a dog and an adult man", "an adult man"),
            ("a pack of dogs", ""),
            ("a muddy dog with a stick", ""),
        ),
    },
    (
        ("A dog leaps to catch a yellow frisbee.", "A yellow frisbee in the air."),
        ("Someone left a dog tied to a lamppost outside the bakery.", "A lamppost outside the bakery."),
        ("A dog in a red raincoat stands in a puddle.", "A puddle."),
        ("A fireman carries a dog out of the smoke.", "A fireman walks out of the smoke."),
        ("Three puppies sleep in a cardboard box.", "A cardboard box."),
        ("A huge dog lies across the whole sofa.", "A sofa."),
        ("A dog swims after a duck on the lake.", "A duck on the lake."),
        ("The shepherd's dog drives the sheep through a gate.", "Sheep go through a gate."),
        ("A woman jogs through the snow with her husky.", "A woman jogs through the snow."),
        ("A dog waits patiently in front of the supermarket.", "The entrance of the supermarket."),
        ("A sledge is pulled across the ice by ten dogs.", "A sledge on the ice."),
        ("A painter's easel with a dog curled up beneath it.", "A painter's easel."),
        ("The vet looks into the ear of a nervous dog.", "The vet in her practice."),
        ("A small dog peeks out of a handbag on the train.", "A handbag on the train."),
        ("A dog digs a deep hole on the beach.", "A deep hole on the beach."),
        ("An astronaut walks a dog on the moon.", "An astronaut walks on the moon."),
        ("A dog stares at the sausages in a butcher's window.", "Sausages in a butcher's window."),
        ("A dog with its tongue out sits in a convertible.", "A convertible."),
        ("A bulldog sleeps at the feet of a king on his throne.", "A king on his throne."),
        ("A hiker and her dog reach the top of the mountain.", "A hiker reaches the top of the mountain."),
    ),
    {
        "dev": (("a cat", "cat"), ("a fox", "fox"), ("a horse", "horse"), ("a rabbit", "rabbit"), ("a goat", "goat")),
        "test": (
            ("a kitten", "kitten"),
            ("a badger", "badger"),
            ("a sheep", "sheep"),
            ("a bear", "bear"),
            ("a cow", "cow"),
            ("a squirrel", "squirrel"),
            ("a deer", "deer"),
            ("a pony", "pony"),
            ("an otter", "otter"),
            ("a raccoon", "raccoon"),
        ),
    },
    OUTDOORS,
)
