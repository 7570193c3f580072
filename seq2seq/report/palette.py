"""One look per system, the same in every figure and on the page.

Colours are told apart with colour-blind eyes (after Okabe and Ito 2008; the baseline is grey), and a marker says the same
again for print without colour. The light set has a contrast of at least 4.5 on white, the dark set on near-black, so
both may be text.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Look:
    """How a system is drawn.

    Attributes:
        light, dark: its colour on a light and on a dark ground.
        marker: matplotlib's name of its marker.
    """

    light: str
    dark: str
    marker: str


BASELINE = Look("#5f6368", "#a9afb6", "o")
LOOKS = (
    Look("#0a6aa6", "#5ab4e8", "s"),
    Look("#b34700", "#f2934e", "^"),
    Look("#007a5a", "#3ec79d", "D"),
    Look("#a1437c", "#e39ac4", "v"),
    Look("#7a6400", "#d9c04a", "P"),
    Look("#5b4bb7", "#ab9ff2", "X"),
    Look("#9c2f2f", "#ef8d8d", "p"),
    Look("#2f6f7a", "#7cc7d1", "h"),
)


def looks(systems: Sequence[str], baseline: str | None, first: Sequence[str] = ()) -> dict[str, Look]:
    """A look for every system, different ones for those that come first; after eight besides the baseline they repeat."""
    others = [name for name in dict.fromkeys([*first, *systems]) if name != baseline]
    chosen = {name: LOOKS[index % len(LOOKS)] for index, name in enumerate(others)}
    return {name: BASELINE if name == baseline else chosen[name] for name in systems}
