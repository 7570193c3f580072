"""One look per system, the same in every figure of every study.

A name that many studies share has a colour and a mark of its own; other names take theirs from a reserve. Variants of one idea
share a hue and differ in lightness, which colour-blind eyes keep, and the mark says the same again without colour. Colours of
the light set have a contrast of at least 4.5 on white, those of the dark set on near-black, so both may be text.
"""

import re
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

_SHADES = 13
"""Lightnesses of one hue."""

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
    """A look for every system; those out of focus are grey, and the reserve repeats after its end.

    Names that differ in one number, `none-64` and `none-128`, have the hue of `none`, the larger number the stronger colour.
    """
    shown = list(systems if focus is None else focus)
    series: dict[str, dict[str, float]] = {}
    for name in shown:
        stem, number = (name, 0.0) if name in KNOWN else _stem(name)
        series.setdefault(name if stem in shown else stem, {})[name] = number
    reserve = [stem for stem in series if stem not in KNOWN]
    found = {}
    for stem, numbers in series.items():
        look = KNOWN.get(stem) or RESERVE[reserve.index(stem) % len(RESERVE)]
        last = len(numbers) - 1
        steps = min(4 * last, _SHADES - 1)
        for rank, name in enumerate(sorted(numbers, key=numbers.__getitem__)):
            found[name] = _shade(look, rank * steps // last, RESERVE[rank % len(RESERVE)].shape) if last else look
    return {name: found.get(name, REST) for name in systems}


def _stem(name: str) -> tuple[str, float]:
    """The name without its number, and the number; the name and 0 without one."""
    found = re.fullmatch(r"(.+?)-(\d+(?:\.\d+)?)(-.+)?", name)
    return (found[1] + (found[3] or ""), float(found[2])) if found else (name, 0.0)


def _shade(look: Look, step: int, shape: str) -> Look:
    """A hue from as light as text may be (step 0) to nearly black, on a dark ground the other way."""
    share = step / (_SHADES - 1)
    return Look(_with_lightness(look.light, 49 - 37 * share), _with_lightness(look.dark, 58 + 34 * share), shape)


def _with_lightness(colour: str, lightness: float) -> str:
    """The colour mixed with black or white to that lightness, CIE L*, 8 to 100."""
    parts = [(int(colour[at : at + 2], 16) / 255) ** 2.2 for at in (1, 3, 5)]
    now = sum(share * part for share, part in zip((0.2126, 0.7152, 0.0722), parts, strict=True))
    wanted = ((lightness + 16) / 116) ** 3
    white = max(0.0, (wanted - now) / (1 - now))
    parts = [part * min(1.0, wanted / now) * (1 - white) + white for part in parts]
    return "#" + "".join(f"{round(255 * part ** (1 / 2.2)):02x}" for part in parts)


def dark_colours() -> dict[str, str]:
    """Every light colour -> the dark one in its place."""
    plain = (*KNOWN.values(), *RESERVE)
    shades = [_shade(look, step, look.shape) for look in plain for step in range(_SHADES)]
    return DARK | {look.light: look.dark for look in (*shades, *plain, REST)}


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
