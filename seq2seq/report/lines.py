"""The systems of a report as lines of a figure, in the order and the colours that all figures share."""

from collections.abc import Callable, Iterable, Sequence

from seq2seq.report.charts import Line, Point, Style
from seq2seq.report.crowd import in_focus
from seq2seq.report.palette import looks
from seq2seq.report.schema import Report


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
