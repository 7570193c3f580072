"""Pictures as sources: a line of words, one for each object, becomes a picture, whose pixels are the tokens.

An object is written `small_red_circle_12_20`: size, colour, shape, and the column and row of its centre in pixels. So a scene
passes through the corpus as any line does, its length is its number of objects, and what a model is given is the picture alone:
`SIDE` x `SIDE` colours, row by row, as in a GIF.
"""

import base64
import re
from collections.abc import Callable, Sequence
from io import BytesIO

import numpy as np
from numpy.typing import NDArray

from seq2seq.config.errors import UserError
from seq2seq.corpus.tokenizer import EOS, Column, Tokenizer, normalise

GRID = 4
"""Places for objects, across and down."""
PLACE = 8
"""Pixels of a place, across and down."""
SIDE = GRID * PLACE
SIZES = {"small": 2, "large": 3}
"""Pixels from the centre of an object to its edge."""
COLOURS = {
    "grey": (205, 205, 205),
    "red": (205, 40, 40),
    "green": (40, 140, 60),
    "blue": (45, 80, 200),
    "yellow": (240, 200, 40),
    "white": (255, 255, 255),
    "black": (25, 25, 25),
}
"""The ground, then the colours of objects, in red, green and blue."""
SHAPES: dict[str, Callable[[NDArray[np.int64], NDArray[np.int64], int], NDArray[np.bool_]]] = {
    "circle": lambda x, y, r: x**2 + y**2 <= r**2 + 1,
    "ring": lambda x, y, r: (x**2 + y**2 <= r**2 + 1) & (x**2 + y**2 > (r - 1) ** 2),
    "square": lambda x, y, r: np.maximum(abs(x), abs(y)) <= r,
    "diamond": lambda x, y, r: abs(x) + abs(y) <= r,
    "triangle": lambda x, y, r: 2 * abs(x) <= y + r,
    "cross": lambda x, y, r: np.minimum(abs(x), abs(y)) <= r - 2,
}
"""Whether the pixel at distance (x, y) from the centre is inside, for an edge r away; y points down."""
_OBJECT = re.compile(rf"({'|'.join(SIZES)})_({'|'.join(list(COLOURS)[1:])})_({'|'.join(SHAPES)})_(\d+)_(\d+)")
_SPECIAL = EOS + 1
_MODEL = f"seq2seq image 1: {SIDE} x {SIDE} pixels, {', '.join(COLOURS)}\n".encode()


def draw(line: str) -> NDArray[np.uint8]:
    """Draw a scene: (SIDE, SIDE) numbers of `COLOURS`; of objects that overlap the later one is seen.

    A `UserError` names a word that is no object, or one outside the picture.
    """
    pixels = np.zeros((SIDE, SIDE), np.uint8)
    for word in line.split():
        found = _OBJECT.fullmatch(word)
        if found is None or max(int(found[4]), int(found[5])) >= SIDE:
            raise UserError(
                f"'{word[:80]}' is no object of a scene; write size, colour, shape, column and row (0 to {SIDE - 1}), for "
                "example small_red_circle_12_20"
            )
        radius, x, y = SIZES[found[1]], int(found[4]), int(found[5])
        near = np.arange(-radius, radius + 1)
        rows, columns = np.nonzero(SHAPES[found[3]](near[None, :], near[:, None], radius))
        rows, columns = rows - radius + y, columns - radius + x
        seen = (np.minimum(rows, columns) >= 0) & (np.maximum(rows, columns) < SIDE)
        pixels[rows[seen], columns[seen]] = list(COLOURS).index(found[2])
    return pixels


def picture(line: str, scale: int = 8) -> str:
    """Return a scene as the URL of a PNG in which a pixel has `scale` x `scale`."""
    from PIL import Image

    image = Image.fromarray(draw(line).repeat(scale, axis=0).repeat(scale, axis=1))
    image.putpalette(bytes(value for colour in COLOURS.values() for value in colour))
    file = BytesIO()
    image.save(file, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


class ImageTokenizer(Tokenizer):
    """A scene to its pixels; nothing is learned. A `UserError` says `where` it is if `model` is not what `save` writes."""

    def __init__(self, model: bytes = _MODEL, where: str = "tokenizer") -> None:
        if model != _MODEL:
            raise UserError(f"{where}: not pictures of this version; train the run again")
        self._keep(model, _SPECIAL + len(COLOURS))

    def encode_batch(self, lines: Sequence[str]) -> list[list[int]]:
        """Return the colours of every picture, row by row."""
        return [(draw(normalise(line)).ravel() + _SPECIAL).tolist() for line in lines]

    def complaint(self, line: str) -> str | None:
        """Return why a line is no scene; None if it is one."""
        try:
            draw(normalise(line))
        except UserError as error:
            return str(error)
        return None

    def columns(self, line: str, ids: Sequence[int], width: int | None = None) -> list[Column]:  # noqa: ARG002 (of the line)
        """Return what the cells of a square grid over the picture show: the object whose centre is nearest, in its place.

        Without a `width` the cells are the places for objects.
        """
        names, cells = line.split(), GRID if width is None else round(width**0.5)
        places = {tuple(int(at) // PLACE for at in name.split("_")[-2:]): word for word, name in enumerate(names)}
        shown = [places.get((x * GRID // cells, y * GRID // cells), -1) for y in range(cells) for x in range(cells)]
        return [Column(f"\u2581{names[word]}" if word >= 0 else "\u2581", word) for word in shown]
