"""Looks of systems: the same everywhere, told apart by any eyes, readable as text on both grounds."""

from itertools import combinations

import numpy as np
import pytest

from seq2seq.report.palette import DARK, KNOWN, RESERVE, REST, dark_colours, looks


def test_a_well_known_system_has_the_same_look_in_every_study():
    one, other = looks(["none", "a", "scaled", "b"]), looks(["b", "additive", "scaled", "none"])
    assert (one["none"], one["scaled"]) == (other["none"], other["scaled"]) == (KNOWN["none"], KNOWN["scaled"])
    assert (one["a"], one["b"], other["b"]) == (RESERVE[0], RESERVE[1], RESERVE[0])
    assert looks(["none", "a", "b"], focus=["none", "b"]) == {"none": KNOWN["none"], "a": REST, "b": RESERVE[0]}


SERIES = [[f"{stem}-{number}" for number in (64, 1024, 128, 256, 0.5)] for stem in (*KNOWN, *"abcdefgh")]
SHADES = looks([name for names in SERIES for name in names])


def test_names_that_differ_in_a_number_share_a_hue_and_the_larger_is_stronger():
    small = looks(["none-64", "additive-256", "none-128", "x-3-slow", "x-20-slow", "x"])
    assert small["additive-256"] == KNOWN["additive"]
    assert small["x"] == RESERVE[1]
    for names in (["none-64", "none-128"], ["x-3-slow", "x-20-slow"]):
        low, high = (small[name] for name in names)
        assert luminance(high.light) < luminance(low.light)
        assert luminance(high.dark) > luminance(low.dark)
        assert high.shape != low.shape
    for names in SERIES:
        order = sorted(names, key=lambda name: float(name.rsplit("-", 1)[1]))
        light = [luminance(SHADES[name].light) for name in order]
        assert light == sorted(set(light), reverse=True)
    assert looks(["none", "none-64"]) == {"none": KNOWN["none"], "none-64": RESERVE[0]}


def test_every_colour_has_one_dark_colour():
    every = [*KNOWN.values(), *RESERVE, REST]
    dark = dark_colours()
    assert len({look.light for look in every} | set(DARK)) == len(every) + len(DARK)
    assert {**DARK, **{look.light: look.dark for look in every}}.items() <= dark.items()
    assert {look.light for look in SHADES.values()} <= dark.keys()


def linear(colour: str) -> np.ndarray:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    return np.array([c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels])


def luminance(colour: str) -> float:
    return float(np.dot([0.2126, 0.7152, 0.0722], linear(colour)))


@pytest.mark.parametrize(("side", "ground"), [("light", "#ffffff"), ("dark", "#1d2024")])
def test_colours_are_dark_or_light_enough_to_be_text(side, ground):
    for name, look in [*KNOWN.items(), *enumerate(RESERVE), *SHADES.items()]:
        low, high = sorted([luminance(getattr(look, side)), luminance(ground)])
        assert (high + 0.05) / (low + 0.05) >= 4.5, name


def lab(colour: str, matrix: np.ndarray) -> np.ndarray:
    """OKLab (Ottosson 2020) of a colour as eyes with a deficiency see it (Machado et al. 2009, severity 1)."""
    seen = np.clip(matrix @ linear(colour), 0, 1)
    cones = np.array([[0.4122, 0.5363, 0.0514], [0.2119, 0.6807, 0.1074], [0.0883, 0.2817, 0.6300]]) @ seen
    mixed = np.array([[0.2105, 0.7936, -0.0041], [1.9780, -2.4286, 0.4506], [0.0259, 0.7828, -0.8087]])
    return mixed @ np.cbrt(cones)


EYES = {
    "all": np.eye(3),
    "protanopia": np.array([[0.1523, 1.0526, -0.2049], [0.1145, 0.7863, 0.0992], [-0.0039, -0.0481, 1.0520]]),
    "deuteranopia": np.array([[0.3673, 0.8606, -0.2280], [0.2801, 0.6725, 0.0474], [-0.0118, 0.0429, 0.9689]]),
}


@pytest.mark.parametrize("side", ["light", "dark"])
@pytest.mark.parametrize("eyes", EYES)
def test_well_known_systems_are_told_apart_by_any_eyes(side, eyes):
    seen = {name: lab(getattr(look, side), EYES[eyes]) for name, look in KNOWN.items()}
    for one, other in combinations(seen, 2):
        assert np.linalg.norm(seen[one] - seen[other]) > 0.06, (one, other)
