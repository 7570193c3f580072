"""English inflection: plurals, verb forms and the two shapes of the indefinite article."""

from collections.abc import Mapping
from typing import Any

from seq2seq.corpus.grammar.forms import Forms, finite, fixed, inflected

VOWELS = "aeiou"


class English:
    """Inflects by rule, with the exceptions of `english.yaml`."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self._an_before: frozenset[str] = frozenset(data["an_before"])
        self._a_before: frozenset[str] = frozenset(data["a_before"])
        self._irregular: Mapping[str, Mapping[str, str]] = data["irregular"]

    def article_before(self, word: str) -> str:
        """Choose "a" or "an" by the word that follows, which may carry punctuation."""
        bare = word.strip(",.;?")
        if bare in self._an_before:
            return "an"
        return "an" if bare[:1].lower() in VOWELS and bare not in self._a_before else "a"

    def noun(self, entry: str) -> Forms:
        """Read "house", or "man/men" where the plural is irregular."""
        singular, _, plural = entry.partition("/")
        return {
            "text": inflected(("number",), {"singular": singular, "plural": plural or add_s(singular)}),
            "possessive": fixed(f"{singular}'s"),
        }

    def verb(self, entry: str, particle: str = "") -> Forms:
        """Read "eat ate eaten", or a regular "clean"; a particle follows every form ("look" + "for").

        Fields: `present`, `past` (finite), `base`, `participle`, `ing`.
        """
        words = entry.split()
        base = words[0]
        tail = f" {particle}" if particle else ""
        irregular = self._irregular.get(base, {})
        past, participle = words[1:] or (add_ed(base), add_ed(base))
        present = irregular.get("present", f"{base} {add_s(base)} {base}").split()
        pasts = irregular.get("past", f"{past} {past} {past}").split()
        return {
            "present": finite(*(form + tail for form in present)),
            "past": finite(*(form + tail for form in pasts)),
            "base": fixed(base + tail),
            "participle": fixed(irregular.get("participle", participle) + tail),
        }


def add_s(word: str) -> str:
    """Plural of a noun, or third person singular of a verb: cat cats, box boxes, city cities, do does."""
    if word.endswith("y") and word[-2] not in VOWELS:
        return word[:-1] + "ies"
    return word + ("es" if word.endswith(("s", "x", "z", "ch", "sh", "o")) else "s")


def add_ed(verb: str) -> str:
    """Past of a regular verb whose last letter is not doubled: clean cleaned, love loved, carry carried."""
    if verb.endswith("e"):
        return verb + "d"
    if verb.endswith("y") and verb[-2] not in VOWELS:
        return verb[:-1] + "ied"
    return verb + "ed"
