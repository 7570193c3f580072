"""The systems of a report as all figures draw them: which in colour, in which order; and how lists of names stay short."""

from collections.abc import Callable, Iterable, Sequence

from seq2seq.report.charts import Line, Point, Style
from seq2seq.report.palette import looks
from seq2seq.report.schema import Report

CROWD = 8
"""Systems from which on more lines in one figure are no figure."""
_HIGHEST, _LOWEST = 3, 2
_NAMED = 8
_WELL_KNOWN = ("additive", "scaled", "dot", "transformer")


def is_crowd(report: Report) -> bool:
    """Whether the report has more systems than figures and sentences can name."""
    return len(report.systems) > CROWD


def in_focus(report: Report) -> list[str]:
    """Systems drawn in colour: all of a small study; of a crowd the baseline, the well known, the highest and the lowest."""
    if not is_crowd(report):
        return list(report.systems)
    others = [name for name in report.systems if name != report.baseline]
    order = sorted(others, key=lambda name: -report.systems[name].bleu)
    chosen = {str(report.baseline), *_WELL_KNOWN, *order[:_HIGHEST], *order[-_LOWEST:]}
    return [name for name in report.systems if name in chosen]


def named(names: Sequence[str], total: int) -> str:
    """Names as a list, or how many of how many where the list would be long."""
    if len(names) <= _NAMED:
        return ", ".join(names)
    return f"all {total} systems" if len(names) == total else f"{len(names)} of {total} systems"


def style_of(report: Report, banded: Sequence[str] = ()) -> Style:
    """Colours and marks of a report's systems; those out of focus lie behind the others and have no name."""
    focus = in_focus(report)
    return Style(looks=looks(drawn(report), focus), labelled=focus, banded=banded)


def drawn(report: Report) -> list[str]:
    """Systems in the order in which they are drawn, those in focus last."""
    focus = in_focus(report)
    return [*(name for name in report.systems if name not in focus), *focus]


def lines_of(report: Report, points: Callable[[str], Iterable[Point]]) -> list[Line]:
    """A line of each system that has points."""
    found = {name: list(points(name)) for name in drawn(report)}
    return [Line(system=name, points=some) for name, some in found.items() if some]
