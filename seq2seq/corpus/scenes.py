"""The embedded corpus of scenes: coloured shapes on a grid, and what a caption in English or German says of them.

A caption names the objects in reading order, so its length follows their number; `beside it` and `below` say whether a new row
begins. Every word is linked to the object that it speaks of, commas to none.
"""

from collections.abc import Iterator
from random import Random

from seq2seq.config.embedded import SCENES, SceneSettings
from seq2seq.corpus import images
from seq2seq.corpus.embedded import EmbeddedCorpus, draw_below, split_of, stream
from seq2seq.corpus.images import COLOURS, GRID, PLACE, SHAPES, SIZES
from seq2seq.corpus.pairs import SentencePair

_GERMAN = {
    "small": "klein",
    "large": "groß",
    "red": "rot",
    "green": "grün",
    "blue": "blau",
    "yellow": "gelb",
    "white": "weiß",
    "black": "schwarz",
    "circle": "Kreis",
    "ring": "Ring",
    "square": "Quadrat",
    "diamond": "Raute",
    "triangle": "Dreieck",
    "cross": "Kreuz",
}
_ENDINGS = {"Kreis": ("", "er"), "Ring": ("", "er"), "Raute": ("e", "e")}
"""Endings of the article and of adjectives by gender, neuter if not here."""
_BETWEEN = {"en": ("beside it", "below"), "de": ("daneben", "darunter")}


class SceneCorpus(EmbeddedCorpus):
    """Scenes and captions in `target`, en or de."""

    origin = "the embedded scenes"

    def __init__(self, settings: SceneSettings, *, target: str) -> None:
        super().__init__(SCENES, settings, target, __file__, images.__file__)

    def pairs(self, split: str) -> Iterator[SentencePair]:
        """Yield the pairs of a split; no scene is in two. A `UserError` if there is no such split."""
        settings, count = self.settings, self.size(split)
        rng = stream(settings.seed, SCENES, split)
        for _ in range(count):
            number = settings.min_objects + draw_below(rng, settings.max_objects - settings.min_objects + 1)
            while split_of(" ".join(scene := _scene(rng, number))) != split:
                pass
            yield caption(scene, self.language)


def _scene(rng: Random, number: int) -> list[str]:
    """Draw `number` objects in different places, as words in any order, so that a word's number says nothing of its place."""
    places = list(range(GRID * GRID))
    return [_object(rng, places.pop(draw_below(rng, len(places)))) for _ in range(number)]


def _object(rng: Random, place: int) -> str:
    size, colour, shape = (names[draw_below(rng, len(names))] for names in (list(SIZES), list(COLOURS)[1:], list(SHAPES)))
    radius = SIZES[size]
    y, x = (PLACE * at + radius + draw_below(rng, PLACE - 2 * radius) for at in divmod(place, GRID))
    return f"{size}_{colour}_{shape}_{x}_{y}"


def caption(scene: list[str], target: str) -> SentencePair:
    """Describe objects in reading order, in `target`, en or de."""
    said: list[str] = []
    links: list[tuple[int, int]] = []
    parts = [word.split("_") for word in scene]
    rows = [int(y) // PLACE for *_, y in parts]
    beside, below = _BETWEEN[target]
    row = 0
    for index in sorted(range(len(scene)), key=lambda i: (rows[i], int(parts[i][3]))):
        size, colour, shape, *_ = parts[index]
        begins = [",", *(beside if rows[index] == row else below).split()] if said else []
        said += begins[:1]
        phrase = [*begins[1:], *(["a", size, colour, shape] if target == "en" else _german(size, colour, shape))]
        links += [(index, len(said) + place) for place in range(len(phrase))]
        said += phrase
        row = rows[index]
    return SentencePair(" ".join(scene), " ".join(said), tuple(links))


def _german(*words: str) -> list[str]:
    size, colour, noun = (_GERMAN[word] for word in words)
    article, ending = _ENDINGS.get(noun, ("", "es"))
    return [f"ein{article}", size + ending, colour + ending, noun]
