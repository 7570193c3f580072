"""German agreement, checked on the surface by tables of its own: nothing here comes from the package but the raw lexicon files."""

from ruamel.yaml import YAML

from seq2seq.config.data_files import data_path

CASES = "nadg"
DETERMINERS = {  # word: (gender or plural, case) it can be, and what the adjective after it must look like
    "der": ({"mn", "fd", "fg", "pg"}, "weak"),
    "die": ({"fn", "fa", "pn", "pa"}, "weak"),
    "das": ({"nn", "na"}, "weak"),
    "den": ({"ma", "pd"}, "weak"),
    "dem": ({"md", "nd"}, "weak"),
    "des": ({"mg", "ng"}, "weak"),
}
ENDINGS = {
    "e": {"fn", "fa", "pn", "pa"},
    "er": {"mn", "fd", "fg", "pg"},
    "es": {"nn", "na", "mg", "ng"},
    "en": {"ma", "pd"},
    "em": {"md", "nd"},
}
for stem in ("dies", "jed", "all", "viel", "einig", "mehrer", "welch"):
    weak = "strong" if stem in ("viel", "einig", "mehrer") else "weak"
    for ending, cells in ENDINGS.items():
        number = "p" if stem in ("all", "viel", "einig", "mehrer") else "mfn" if stem == "jed" else "mfnp"
        DETERMINERS[stem + ending] = ({cell for cell in cells if cell[0] in number}, weak)
for stem in ("ein", "kein", "mein", "sein", "ihr", "unser"):
    DETERMINERS[stem] = ({"mn", "nn", "na"}, "mixed")
    for ending, cells in ENDINGS.items():
        plural = "" if stem == "ein" else "p"
        cells = {cell for cell in cells if cell not in ("mn", "nn", "na") and cell[0] in "mfn" + plural}
        DETERMINERS[stem + ending] = (cells, "mixed")
CONTRACTED = {"im": "dem", "am": "dem", "zum": "dem", "vom": "dem", "beim": "dem", "zur": "der", "ins": "das", "ans": "das"}

ADJECTIVE = {  # (declension, gender or plural): endings for nominative, accusative, dative, genitive
    "weak": {"m": "e en en en", "f": "e e en en", "n": "e e en en", "p": "en en en en"},
    "mixed": {"m": "er en en en", "f": "e e en en", "n": "es es en en", "p": "en en en en"},
    "strong": {"m": "er en em en", "f": "e e er er", "n": "es es em en", "p": "e e en er"},
}
PREPOSITIONS = {"mit": "d", "von": "d", "zu": "d", "nach": "d", "bei": "d", "durch": "a", "für": "a", "über": "a", "wegen": "g"}
HELPERS = {
    "hat",
    "haben",
    "wird",
    "werden",
    "muss",
    "müssen",
    "musste",
    "mussten",
    "kann",
    "können",
    "konnte",
    "konnten",
    "sollte",
    "sollten",
    "will",
    "wollen",
    "wollte",
    "wollten",
}
SINGULAR = {"ist", "war", "hat", "wird", "muss", "musste", "kann", "konnte", "sollte", "will", "wollte", "weiß", "wusste"}
PLURAL = {
    "sind",
    "waren",
    "haben",
    "werden",
    "müssen",
    "mussten",
    "können",
    "konnten",
    "sollten",
    "wollen",
    "wollten",
    "wissen",
    "wussten",
}


def read(name):
    return YAML(typ="safe", pure=True).load(data_path("grammar", f"{name}.yaml").read_text(encoding="utf-8"))


def noun_cells():
    """Form to the cells (gender or plural, case) that it can fill."""
    found = {}
    groups = [nouns for name, nouns in read("nouns").items() if name != "place"] + [
        group["nouns"] for group in read("nouns")["place"]
    ]
    for nouns in groups:
        for entry in nouns.values():
            head, genitive, *plural = [part.strip() for part in entry.split(",")]
            gender, base = {"der": "m", "die": "f", "das": "n"}[head.split()[0]], head.split()[1]
            weak = gender == "m" and [genitive] == plural and genitive[-1] == "n"
            forms = [(base, gender + "n"), (genitive, gender + "g")]
            forms += [(genitive if weak else base, gender + case) for case in "ad"]
            for many in plural:
                forms += [(many, "p" + case) for case in "nag"]
                forms.append((many if many[-1] in "ns" else many + "n", "pd"))
            for form, cell in forms:
                found.setdefault(form, set()).add(cell)
    return found


def adjective_stems():
    return {entry["de"].split("/")[-1] for entry in read("adjectives")} | {"letzt", "nächst"}


def verb_forms():
    """Finite forms without prefix by number, and the infinitives and participles that close a clause."""
    singular, plural, closing = set(SINGULAR), set(PLURAL), set()
    for entries in read("verbs").values():
        for entry in entries:
            prefix, _, rest = entry["de"].rpartition("|")
            infinitive, *parts = rest.split()
            parts = [part for part in parts if part != "ist"]
            stem = infinitive[:-2] if infinitive.endswith("en") else infinitive[:-1]
            if not parts:
                stem_e = stem + "e" if stem[-1] in "td" or stem.endswith("chn") else stem
                parts = [stem_e + "t", stem_e + "te", None]
            third, past, participle = parts
            for head in ("", prefix):  # apart in a main clause, joined in a verb-final one
                singular |= {head + third, head + past}
                plural |= {head + infinitive, head + past + ("n" if past.endswith("e") else "en")}
            closing |= {prefix + infinitive}
            closing |= {prefix + participle} if participle else {prefix + "ge" + third, prefix + third}
    return singular, plural, closing


NOUNS, STEMS = noun_cells(), adjective_stems()
SINGULAR_VERBS, PLURAL_VERBS, CLOSING = verb_forms()
FINITE = SINGULAR_VERBS | PLURAL_VERBS


def adjective_ending(word):
    """The ending of a declined adjective, or None."""
    return next((end for end in ("er", "es", "en", "em", "e") if word.endswith(end) and word[: -len(end)] in STEMS), None)


def noun_phrases(sentence):
    """(word before, determiner or None, adjectives, noun) of every noun that has a determiner or an adjective.

    After a comma "der" may be a relative pronoun instead of the article of the noun: then it is left out.
    """
    marked = sentence.split()
    marked[0] = marked[0] if marked[0] in NOUNS else marked[0].lower()
    words = [word.strip(",.;?") for word in sentence.split()]
    words[0] = words[0] if words[0] in NOUNS else words[0][0].lower() + words[0][1:]
    for place, noun in enumerate(words):
        if noun not in NOUNS:
            continue
        start = place
        while start and adjective_ending(words[start - 1]):
            start -= 1
        determiner = words[start - 1] if start and words[start - 1] in DETERMINERS.keys() | CONTRACTED.keys() else None
        if determiner and marked[start - 1][-1] in ",;":  # "schlecht sein; freundliche Onkel"
            determiner = None
        if determiner in ("der", "die", "das", "den", "dem") and start > 1:
            opening = marked[start - 2] if marked[start - 2].endswith(",") else marked[start - 3] if start > 2 else ""
            if opening.endswith(","):
                continue
        if determiner or start < place:
            before = marked[start - 2] if determiner and start > 1 else marked[start - 1] if start else ""
            yield before, determiner, words[start:place], noun


def agrees(before, determiner, adjectives, noun):
    """Whether one gender, number and case fits everything in a noun phrase."""
    cells, declension = NOUNS[noun], "strong"
    if determiner:
        allowed, declension = DETERMINERS[CONTRACTED.get(determiner, determiner)]
        cells = cells & allowed
    if determiner is None or determiner not in CONTRACTED:
        cells = {cell for cell in cells if cell[1] == PREPOSITIONS.get(before, cell[1])}
    for adjective in adjectives:
        rows = ADJECTIVE[declension]
        cells = {cell for cell in cells if rows[cell[0]].split()[CASES.index(cell[1])] == adjective_ending(adjective)}
    if not cells and determiner == "ihr":  # "lends her old books": a pronoun, not "her"
        return agrees("", None, adjectives, noun)
    return bool(cells)
