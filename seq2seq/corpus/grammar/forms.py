"""A word as both languages see it: its features, and tables that say which form it takes in which context."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, NamedTuple

Tokens = tuple[str, ...]

CASES = ("nominative", "accusative", "dative", "genitive")
GENDERS = ("masculine", "feminine", "neuter")
NUMBERS = ("singular", "plural")
AGREEMENTS = ("1s", "3s", "1p", "3p")
"""Person and number of a subject. The grammar has no second person: "you" would be du, ihr or Sie."""


class Form(NamedTuple):
    """One field of a word, for example the past tense of a verb.

    `key` reads from a context the features that the form depends on; None where it depends on none.
    """

    key: Callable[[Mapping[str, str]], Any] | None
    table: Mapping[Any, Tokens]


Forms = dict[str, Form]
"""The fields of a word by name."""


def fixed(text: str) -> Form:
    """A form that never changes; the empty string writes nothing."""
    return Form(None, {None: tuple(text.split())})


def inflected(axes: tuple[str, ...], table: Mapping[Any, str]) -> Form:
    """A form that depends on the features `axes`; the keys of the table are their values (one value, or a tuple of them)."""
    return Form(itemgetter(*axes), {key: tuple(text.split()) for key, text in table.items()})


def finite(first: str, third: str, plural: str) -> Form:
    """A form that depends on the agreement with a subject, from those of 1s, 3s and plural."""
    return inflected(("agreement",), dict(zip(AGREEMENTS, (first, third, plural, plural), strict=True)))


@dataclass(frozen=True, slots=True)
class Lexeme:
    """An entry of the lexicon in both languages."""

    name: str
    features: Mapping[str, str]
    """What it asks of its neighbours: gender, declension, case ..."""
    english: Mapping[str, Form]
    german: Mapping[str, Form]
    words: int
    """Whitespace tokens it takes in an English sentence, whatever the form."""
    weight: float = 1.0
    """How often, against the other entries of its symbol."""
