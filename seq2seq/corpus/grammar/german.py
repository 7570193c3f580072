"""German inflection: from the principal parts of a dictionary to every form the grammar can ask for.

Each function returns the fields of a word as `Form` tables. The endings themselves are data (`data/grammar/german.yaml`).
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from seq2seq.corpus.grammar.forms import CASES, GENDERS, NUMBERS, Forms, finite, fixed, inflected

ARTICLE_GENDERS = {"der": "masculine", "die": "feminine", "das": "neuter"}


class Principal(NamedTuple):
    """The forms from which all others of a verb follow, without the separable prefix."""

    infinitive: str
    present: tuple[str, str, str]  # 1s, 3s, plural
    past: tuple[str, str]  # 1s and 3s, plural
    participle: str
    auxiliary: str  # haben or sein


class German:
    """Inflects with the endings of `german.yaml`."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.contractions: dict[tuple[str, str], str] = {
            (preposition, article): joined
            for pair, joined in data["contractions"].items()
            for preposition, article in [pair.split()]
        }
        self._rows = {
            kind: {gender: row.replace("-", '""').split() for gender, row in rows.items()}
            for group in ("articles", "endings")
            for kind, rows in data[group].items()
        }
        self._inseparable: tuple[str, ...] = tuple(data["inseparable"])
        self._irregular: Mapping[str, Mapping[str, str]] = data["irregular"]

    def _cells(self, kind: str, stem: str = "") -> dict[tuple[str, str, str], str]:
        """Every (number, gender, case) of an article or of a stem with endings; the plural has one row for all genders."""
        rows = self._rows[kind]
        return {
            (number, gender, case): stem + rows["plural" if number == "plural" else gender][place].strip('"')
            for number in NUMBERS
            for gender in GENDERS
            for place, case in enumerate(CASES)
        }

    def determiner(self, word: str, kind: str) -> Forms:
        """An article-like word. Kinds: `the`, `who` (the word itself is looked up), `dieser`, `ein` (endings), `none`."""
        if kind == "none":
            return {"text": fixed(word)}
        stem = "" if kind in ("the", "who") else word
        return {"text": inflected(("number", "gender", "case"), self._cells(kind, stem))}

    def adjective(self, word: str, stem: str, comparative: str) -> Forms:
        """Attributive with endings, `plain` after "sein", and the comparative where there is one."""
        table = {(kind, *cell): form for kind in ("strong", "weak", "mixed") for cell, form in self._cells(kind, stem).items()}
        forms = {"text": inflected(("declension", "number", "gender", "case"), table), "plain": fixed(word)}
        return forms | {"comparative": fixed(comparative)} if comparative else forms

    def noun(self, entry: str) -> tuple[str, Forms]:
        """Read "der Mann, Mannes, Männer" (nominative, genitive, plural; no plural for a mass noun) as gender and forms.

        A masculine with the same genitive and plural in -n is weak: every form but the first has it.
        """
        first, genitive, *rest = (part.strip() for part in entry.split(","))
        article, nominative = first.split()
        plural = rest[0] if rest else ""
        gender = ARTICLE_GENDERS[article]
        weak = gender == "masculine" and genitive == plural and genitive.endswith("n")
        oblique = genitive if weak else nominative
        table = {
            ("singular", "nominative"): nominative,
            ("singular", "accusative"): oblique,
            ("singular", "dative"): oblique,
            ("singular", "genitive"): genitive,
        }
        if plural:
            dative = plural if plural.endswith(("n", "s")) else plural + "n"
            table |= {("plural", case): dative if case == "dative" else plural for case in CASES}
        return gender, {"text": inflected(("number", "case"), table)}

    def verb(self, entry: str) -> Forms:
        """Read "essen isst aß gegessen", "gehen geht ging ist gegangen", "an|rufen ruft rief gerufen", or a regular "kaufen".

        Fields: `present`, `past` (finite, without prefix), `prefix`, `joined_present`, `joined_past` (verb-final clauses),
        `infinitive`, `participle`, the infinitive with zu ("zu kaufen", "anzurufen") as `zu` and `infinitive_with_zu`, and the
        perfect auxiliary `have_present`.
        """
        prefix, _, simple = entry.rpartition("|")
        parts = self._principal(simple)
        past = (parts.past[0], *parts.past)
        return {
            "present": finite(*parts.present),
            "past": finite(*past),
            "prefix": fixed(prefix),
            "joined_present": finite(*(prefix + form for form in parts.present)),
            "joined_past": finite(*(prefix + form for form in past)),
            "infinitive": fixed(prefix + parts.infinitive),
            "participle": fixed(prefix + parts.participle),
            "zu": fixed("" if prefix else "zu"),
            "infinitive_with_zu": fixed(f"{prefix}zu{parts.infinitive}" if prefix else parts.infinitive),
            "have_present": finite(*self._principal(parts.auxiliary).present),
        }

    def _principal(self, entry: str) -> Principal:
        """Complete the principal parts, by rule where the entry does not give them."""
        words = entry.split()
        infinitive = words[0]
        auxiliary = "sein" if "ist" in words[1:-1] or infinitive in ("sein", "werden") else "haben"
        known = [word for word in words[1:] if word != "ist" or len(words) == 2]
        irregular = self._irregular.get(infinitive)
        if irregular:
            first, third, plural = irregular["present"].split()
            past, past_plural = irregular["past"].split()
            return Principal(infinitive, (first, third, plural), (past, past_plural), irregular["participle"], auxiliary)
        stem = infinitive.removesuffix("n").removesuffix("e")
        link = "e" if stem.endswith(("t", "d", "chn")) else ""
        unstressed = infinitive.endswith("ieren") or infinitive.startswith(self._inseparable)
        weak = f"{stem}{link}t" if unstressed else f"ge{stem}{link}t"
        third, past, participle = known or (f"{stem}{link}t", f"{stem}{link}te", weak)
        first = stem[:-2] + "le" if infinitive.endswith("eln") else stem + "e"
        past_plural = past + ("n" if past.endswith("e") else "en")
        return Principal(infinitive, (first, third, infinitive), (past, past_plural), participle, auxiliary)
