"""As much English as sentences by template need."""

from __future__ import annotations

import re

from .word_lists import PLURALS, UNCOUNTED

DETERMINERS = frozenset({"a", "an", "the", "some", "two", "three", "his", "her", "their", "my", "one", "several"})
_SOUNDS_LIKE_YOU = re.compile(r"(?:uni(?!n|m)|use|usu|eu|ewe|one\b|once\b|u-|ubiq|uku|uk\b|ufo)", re.IGNORECASE)
_SILENT_H = re.compile(r"(?:hour|honest|honou?r|heir)", re.IGNORECASE)


def with_article(noun: str) -> str:
    """A noun as one thing of it: ``an umbrella``, ``a unicorn``; names, plurals and what is not counted stay bare."""
    first, last = noun.split()[0], noun.split()[-1]
    plural = last.endswith("s") and not last.endswith(("ss", "us", "is"))
    uncounted = noun.lower() in UNCOUNTED or last.lower() in UNCOUNTED
    if first.lower() in DETERMINERS or first[0].isupper() or uncounted or plural:
        return noun
    return f"{article(noun)} {noun}"


def article(words: str) -> str:
    """``a`` or ``an``, by the sound that the next word begins with."""
    vowel = words[0].lower() in "aeiou" and not _SOUNDS_LIKE_YOU.match(words)
    return "an" if vowel or _SILENT_H.match(words) else "a"


def countable(noun: str) -> bool:
    """Whether two of it can be asked for by `two_of`."""
    return with_article(noun).split()[0] in ("a", "an") and noun.split()[0].lower() not in DETERMINERS


def two_of(noun: str) -> str:
    """Two of a thing: ``two umbrellas``."""
    return f"two {plural_of(noun)}"


def plural_of(noun: str) -> str:
    """The plural of a noun, of several words that of the last."""
    if noun in PLURALS:
        return PLURALS[noun]
    before, _, last = noun.rpartition(" ")
    if before:
        return f"{before} {plural_of(last)}"
    if re.search(r"(?:s|x|z|ch|sh)$", noun):
        return f"{noun}es"
    return f"{noun[:-1]}ies" if re.search(r"[^aeiou]y$", noun) else f"{noun}s"
