"""The lexicon: entries of the data files, inflected in both languages and filed under the symbols that rules ask for."""

from collections.abc import Iterator, Mapping
from typing import Any

from seq2seq.corpus.grammar.english import English
from seq2seq.corpus.grammar.forms import AGREEMENTS, CASES, Lexeme, fixed, inflected
from seq2seq.corpus.grammar.german import German

Entries = Iterator[tuple[str, Lexeme]]
Data = Mapping[str, Any]
NO_OBJECT = "none"


class Lexicon(dict[str, list[Lexeme]]):
    """Symbol to its entries, for example `noun<person>` to man, woman, child ..."""

    def __init__(self, data: Data, entries: int | None = None) -> None:
        """Inflect `data`, files by name; each symbol keeps its first `entries`, >= 1, in the order of the files, None all."""
        super().__init__()
        self.english = English(data["english"])
        self.german = German(data["german"])
        words = data["words"]
        for group in (
            self._nouns(data["nouns"]),
            self._places(data["nouns"]["place"]),
            self._adjectives(data["adjectives"]),
            self._verbs(data["verbs"]),
            self._auxiliaries(words["auxiliaries"]),
            self._determiners(words["determiners"]),
            self._time_adjectives(words["adjectives"]),
            self._relative_pronouns(words["relative_pronouns"]),
            _fixed_words(words["fixed"]),
            _ranges(words["ranges"]),
            _names(words["names"]),
            _pronouns(words["pronouns"]),
            _event_prepositions(words["event_prepositions"]),
            _reflexive(words["reflexive"]),
        ):
            for symbol, lexeme in group:
                kept = self.setdefault(symbol, [])
                if entries is None or len(kept) < entries:
                    kept.append(lexeme)
        self["preposition"] = [_chosen_preposition(self, words=1)]
        self["silent_preposition"] = [_chosen_preposition(self, words=0)]

    def _nouns(self, classes: Data) -> Entries:
        for kinds, nouns in classes.items():
            if kinds != "place":
                for english, german in nouns.items():
                    symbol, lexeme = self._noun(english, german)
                    kind, *others = kinds.split()
                    yield f"{symbol}<{kind}>", lexeme
                    for other in others:
                        yield f"{other}<{kind}>", lexeme

    def _places(self, groups: list[Data]) -> Entries:
        for group in groups:
            to, to_case = group["to"].split()
            for english, german in group["nouns"].items():
                symbol, lexeme = self._noun(english, german, where=group["where"], to=to, to_case=to_case)
                yield f"{symbol}<place>", lexeme

    def _noun(self, english: str, german: str, **features: str) -> tuple[str, Lexeme]:
        gender, forms = self.german.noun(german)
        countable = german.count(",") == 2
        lexeme = Lexeme(english.partition("/")[0], features | {"gender": gender}, self.english.noun(english), forms, words=1)
        return "noun" if countable else "mass", lexeme

    def _adjectives(self, entries: list[Data]) -> Entries:
        for entry in entries:
            english_comparative, _, german_comparative = entry.get("comparative", "").partition(" ")
            word, _, stem = entry["de"].partition("/")
            english = {"text": fixed(entry["en"]), "plain": fixed(entry["en"]), "comparative": fixed(english_comparative)}
            german = self.german.adjective(word, stem or word, german_comparative)
            lexeme = Lexeme(entry["en"], {}, english, german, words=1)
            for kind in entry["of"].split():
                yield f"adjective<{kind}>", lexeme
                if german_comparative:
                    yield f"comparable<{kind}>", lexeme
                yield f"{'colour' if entry.get('colour') else 'quality'}<{kind}>", lexeme

    def _time_adjectives(self, groups: Data) -> Entries:
        for symbol, entry in _listed(groups):
            german = self.german.adjective(entry["de"], entry["de"], "")
            yield symbol, Lexeme(entry["en"], {}, {"text": fixed(entry["en"])}, german, words=1)

    def _verbs(self, frames: Data) -> Entries:
        for frame, entry in _listed(frames):
            lexeme = self._verb(entry, "dative" if frame == "dative" else "accusative")
            for subject in entry["subject"].split():
                for thing in entry.get("object", NO_OBJECT).split():
                    yield f"verb<{frame},{subject},{thing}>", lexeme

    def _auxiliaries(self, groups: Data) -> Entries:
        for symbol, entry in _listed(groups):
            yield symbol, self._verb(entry, "accusative")

    def _verb(self, entry: Data, case: str) -> Lexeme:
        particle = entry.get("particle", "")
        preposition, _, governed = entry.get("preposition", "").partition(" ")
        name = f"{entry['en'].split()[0]} {particle}".strip()
        features = {"case": governed or case, "preposition": preposition}
        english, german = self.english.verb(entry["en"], particle), self.german.verb(entry["de"])
        return Lexeme(name, features, english, german, words=1 + len(particle.split()))

    def _determiners(self, groups: Data) -> Entries:
        for symbol, entry in _listed(groups):
            singular, _, plural = entry["en"].partition("/")
            english = inflected(("number",), {"singular": singular, "plural": plural or singular})
            german, words = self.german.determiner(entry["de"], entry["kind"]), len(singular.split())
            features, weight = {"declension": entry["declension"]}, entry.get("weight", 1.0)
            yield symbol, Lexeme(singular, features, {"text": english}, german, words, weight)

    def _relative_pronouns(self, classes: Data) -> Entries:
        for kind, words in classes.items():
            subject, other = words.split()
            german = self.german.determiner("", "who")
            table = {case: subject if case == "nominative" else other for case in CASES}
            yield f"relative_pronoun<{kind}>", Lexeme(subject, {}, {"text": inflected(("case",), table)}, german, words=1)
            after = other if other == "whom" else "which"
            yield f"after_preposition<{kind}>", Lexeme(after, {}, {"text": fixed(after)}, german, words=1)


def _listed(groups: Data) -> Iterator[tuple[str, Any]]:
    """Every entry of the lists under some symbols, with its symbol."""
    return ((symbol, entry) for symbol, entries in groups.items() for entry in entries)


def _unchanging(english: str, german: str, **features: str) -> Lexeme:
    return Lexeme(english, features, {"text": fixed(english)}, {"text": fixed(german)}, words=len(english.split()))


def _fixed_words(groups: Data) -> Entries:
    for symbol, pairs in groups.items():
        for english, german in pairs.items():
            yield symbol, _unchanging(english, german)


def _ranges(groups: Data) -> Entries:
    for symbol, group in groups.items():
        for number in range(group["first"], group["last"] + 1):
            yield symbol, _unchanging(str(number), group["de"].format(number))


def _names(genders: Data) -> Entries:
    for gender, name in _listed(genders):
        yield "name<person>", _unchanging(name, name, gender=gender)


def _pronouns(groups: Data) -> Entries:
    for symbol, entry in _listed(groups):
        subject, other = entry["en"].split()
        english = {case: subject if case == "nominative" else other for case in CASES}
        german = dict(zip(CASES, entry["de"].split(), strict=False))
        forms = {"text": inflected(("case",), english)}, {"text": inflected(("case",), german)}
        yield symbol, Lexeme(subject, {"agreement": entry["agreement"]}, *forms, words=1)


def _event_prepositions(groups: Data) -> Entries:
    for symbol, entry in _listed(groups):
        yield symbol, _unchanging(entry["en"], entry["de"], case=entry["case"])


def _reflexive(forms: str) -> Entries:
    table = dict(zip(AGREEMENTS, forms.split(), strict=True))
    yield "reflexive", Lexeme("self", {}, {"text": fixed("")}, {"text": inflected(("agreement",), table)}, words=0)


def _chosen_preposition(lexicon: Mapping[str, list[Lexeme]], words: int) -> Lexeme:
    """The preposition that a verb or a place asks for as "for/auf"; with `words=0` English does without."""
    asking = (lexeme.features for entries in lexicon.values() for lexeme in entries)
    pairs = {features[name] for features in asking for name in ("preposition", "where", "to") if features.get(name)}
    split = {pair: pair.split("/") for pair in sorted(pairs)}
    english = inflected(("word",), {pair: both[0] if words else "" for pair, both in split.items()})
    german = inflected(("word",), {pair: both[1] for pair, both in split.items()})
    return Lexeme("preposition", {}, {"text": english}, {"text": german}, words)
