"""One look per system, the same in every figure of every study.

A name that many studies share has a colour and a mark of its own; other names take theirs from a reserve. Variants of one idea
share a hue and differ in lightness, which colour-blind eyes keep, and the mark says the same again without colour. Colours of
the light set have a contrast of at least 4.5 on white, those of the dark set on near-black, so both may be text.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple


class Look(NamedTuple):
    """Colour of a system on a light and on a dark ground, and Vega-Lite's name of its mark."""

    light: str
    dark: str
    shape: str


KNOWN = {
    "none": Look("#4a4a50", "#dedbdc", "circle"),
    "additive": Look("#2a6cbf", "#93c6ff", "square"),
    "scaled": Look("#be5608", "#f0803c", "triangle-up"),
    "dot": Look("#1f7d55", "#63b48a", "diamond"),
    "transformer": Look("#a3207f", "#ec88c9", "triangle-down"),
    "additive-before": Look("#172479", "#8ca8f7", "cross"),
    "scaled-feeding": Look("#6b3410", "#f5cf9f", "triangle-right"),
    "general": Look("#622abd", "#927be2", "triangle-left"),
}
"""Looks of names that studies share."""

RESERVE = (
    Look("#5d6b00", "#cdd65c", "circle"),
    Look("#1b6277", "#6fd3e8", "square"),
    Look("#8c2f39", "#f59aa3", "triangle-up"),
    Look("#76569b", "#cfb4f0", "diamond"),
    Look("#3e5c3a", "#a5d19d", "triangle-down"),
    Look("#8a6a00", "#ebc94d", "cross"),
    Look("#00504f", "#4fd6c4", "triangle-right"),
    Look("#5a3a63", "#dba7e6", "triangle-left"),
)
"""Looks of all other names, in the order in which a study draws them."""

REST = Look("#8f8f94", "#75757c", "circle")
"""Look of a system that is one of a crowd and not in focus."""

INK, SOFT, LINE, EDGE, GROUND, HEAT = "#1d2023", "#565b61", "#e4e1da", "#bdb9b0", "#ffffff", "#08458f"
"""Colours of text, lines, ground and heat maps on a light ground; they occur in no look."""
DARK = {INK: "#e9e7e2", SOFT: "#a9afb5", LINE: "#31353a", EDGE: "#565c63", GROUND: "#1d2024", HEAT: "#8cc8ff"}
"""The same on a dark ground."""
FONT = "system-ui, 'Helvetica Neue', Arial, 'Liberation Sans', 'Noto Sans', 'Noto Sans CJK SC', sans-serif"

Spec = dict[str, Any]
"""A figure in Vega-Lite."""


def looks(systems: Sequence[str], focus: Sequence[str] | None = None) -> dict[str, Look]:
    """A look for every system; those out of focus are grey, and the reserve repeats after its end."""
    shown = list(systems if focus is None else focus)
    others = [name for name in shown if name not in KNOWN]
    reserve = {name: RESERVE[index % len(RESERVE)] for index, name in enumerate(others)}
    return {name: KNOWN.get(name) or reserve[name] if name in shown else REST for name in systems}


def dark_colours() -> dict[str, str]:
    """Every light colour -> the dark one in its place."""
    return DARK | {look.light: look.dark for look in (*KNOWN.values(), *RESERVE, REST)}


def styled(spec: Spec) -> Spec:
    """A specification with the style of all figures."""
    text = {"labelFont": FONT, "titleFont": FONT}
    axis: dict[str, Any] = {"labelColor": SOFT, "titleColor": SOFT, "gridColor": LINE, "domainColor": EDGE, "tickColor": EDGE}
    axis |= {"labelFontSize": 11, "titleFontSize": 12, "titleFontWeight": "normal", "titlePadding": 8, "labelOverlap": True}
    title = {"anchor": "start", "frame": "group", "color": INK, "fontSize": 12.5, "fontWeight": "normal", "offset": 10}
    title |= {"font": FONT, "subtitleColor": INK, "subtitleFontSize": 12.5, "subtitleFont": FONT}
    config = {
        "font": FONT,
        "background": GROUND,
        "view": {"stroke": None},
        "axis": {**axis, **text},
        "axisX": {"grid": False},
        "axisTop": {"labelPadding": 3},
        "title": title,
        "legend": {"labelColor": SOFT, "titleColor": SOFT, "titleFontWeight": "normal"},
        "text": {"font": FONT},
    }
    return {**spec, "config": config}
