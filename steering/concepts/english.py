"""As much English as sentences by template need."""

from __future__ import annotations

import re

from .word_lists import PLURALS, SINGULAR_S, UNCOUNTED

DETERMINERS = frozenset({"a", "an", "the", "some", "two", "three", "his", "her", "their", "my", "one", "several"})
_SOUNDS_LIKE_YOU = re.compile(
    r"(?:uni(?:corn|form|on|que|t|vers|cycl|sex|fied|lat)|us[aeu]|eu|ewe|one\b|onesie|once\b|u-|ubiq|uku|uten|util|utop|ufo\b|uk\b)",
    re.IGNORECASE,
)
_SILENT_H = re.compile(r"(?:hour|honest|honou?r|heir)", re.IGNORECASE)
_SPELLED = re.compile(r"[aefhilmnorsx]-|(?![FHLMNRSX][AEIOU][A-Z]{2}\b)[AEFHILMNORSX][A-Z]{1,3}\b|8|11\b|18")
"""A letter or number whose name begins with a vowel: ``an x-ray``, ``an SUV``, ``an 18th-century dress``; not a word
of four such letters that is said as one, as NASA is."""
_TAIL = re.compile(r" (?:of|with|in|on|from|without|at|by|under|behind|beside|near|wearing|holding|carrying|riding) ")
_HUMAN = re.compile(r"(?:human|shaman|talisman|caiman|roman|german|ottoman|norman)$", re.IGNORECASE)
"""Words that end in *man* and have a plain plural."""


def with_article(noun: str) -> str:
    """A noun as one thing of it: ``an umbrella``, ``a unicorn``; names, plurals and what is not counted stay bare."""
    head = _TAIL.split(noun)[0].split()
    first, last = head[0], head[-1]
    spelled = last.isupper() and 1 < len(last) <= 4  # TV, UFO
    named = last[0].isupper() and not spelled
    uncounted = noun.lower() in UNCOUNTED or last.lower() in UNCOUNTED
    if first.lower() in DETERMINERS or named or uncounted or is_plural(last):
        return noun
    return f"{article(noun)} {noun}"


def is_plural(word: str) -> bool:
    """Whether a word looks like several of a thing."""
    lower = word.lower()
    ends = lower.endswith("s") and not lower.endswith(("ss", "us", "is")) and lower not in SINGULAR_S
    return ends or (lower in PLURALS.values() and lower not in PLURALS)


def article(words: str) -> str:
    """``a`` or ``an``, by the sound that the next word begins with."""
    vowel = words[0].lower() in "aeiou" and not _SOUNDS_LIKE_YOU.match(words)
    spelled = _SPELLED.match(words) and not _SOUNDS_LIKE_YOU.match(words)
    return "an" if vowel or spelled or _SILENT_H.match(words) else "a"


def countable(noun: str) -> bool:
    """Whether two of it can be asked for by `two_of`."""
    return with_article(noun).split()[0] in ("a", "an") and noun.split()[0].lower() not in DETERMINERS


def two_of(noun: str) -> str:
    """Two of a thing: ``two umbrellas``."""
    return f"two {plural_of(noun)}"


def plural_of(noun: str) -> str:
    """The plural of a noun, of several words that of the last before ``of``, ``with`` and the like."""
    if noun in PLURALS:
        return PLURALS[noun]
    tail = _TAIL.search(noun)
    if tail:
        return plural_of(noun[: tail.start()]) + noun[tail.start() :]
    before, _, last = noun.rpartition(" ")
    if before:
        return f"{before} {plural_of(last)}"
    for ending, several in (("man", "men"), ("child", "children"), ("lf", "lves"), ("ato", "atoes")):
        if noun.endswith(ending) and not _HUMAN.search(noun):
            return noun.removesuffix(ending) + several
    if re.search(r"(?:s|x|z|ch|sh)$", noun):
        return f"{noun}es"
    return f"{noun[:-1]}ies" if re.search(r"[^aeiou]y$", noun) else f"{noun}s"


def forms_of(noun: str) -> frozenset[str]:
    """A word, its plural, and what it may be the plural of, in small letters."""
    lower = noun.lower()
    ones = {one for one, several in PLURALS.items() if several == lower}
    if is_plural(lower):
        ones |= {lower[:-1], lower.removesuffix("es"), f"{lower[:-3]}y" if lower.endswith("ies") else lower[:-1]}
    return frozenset({lower, plural_of(lower), *ones})
