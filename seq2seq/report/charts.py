"""Kinds of figures as Vega-Lite: the same definition gives PNG, SVG and PDF for paper and the chart on the page.

What can be chosen (a metric, a cost) is a parameter of the chart: on paper it has its first value, on the page it is a menu.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, zip_longest
from textwrap import wrap
from typing import Any

import altair as alt
import numpy as np
from scipy.optimize import isotonic_regression

from seq2seq.report.palette import GROUND, HEAT, LINE, SOFT, Look, Spec, styled
from seq2seq.report.values import Table

WIDTH, HEIGHT = 560, 330
LABEL_GAP, LONGEST_NAME, MARKS = 14, 26, 12
"""Distance of two labels in pixels, letters of a label, marks on a line at most."""
POINTED = "pointed"


@dataclass(frozen=True, kw_only=True)
class Point:
    """A value of a line: its place, its interval, the values of single seeds, and what a reader is told of it."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None
    small: bool = False
    seeds: Sequence[float] = ()
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Line:
    """A system's points, in order; `run` tells several lines of one system apart."""

    system: str
    points: Sequence[Point]
    run: str = ""


Views = Mapping[Any, Sequence[Line]]
"""Tuple of what is chosen in each menu -> lines."""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A figure: stem of its files, title, caption, Vega-Lite, the numbers behind it and the file that holds all of them."""

    name: str
    title: str
    caption: str
    spec: Spec
    table: Table | None = None
    csv: str = ""


@dataclass(frozen=True, kw_only=True)
class Style:
    """Looks of the systems, those in the background first; which have a name at their line, and an interval always drawn."""

    looks: Mapping[str, Look]
    labelled: Sequence[str]
    banded: Sequence[str] = ()

    def look(self, channel: Any) -> Any:
        """The system's mark as `alt.Shape`, or its colour as `alt.Color`, `alt.Stroke` or `alt.Fill`."""
        found = [look.shape if channel is alt.Shape else look.light for look in self.looks.values()]
        return channel("system:N", scale=alt.Scale(domain=list(self.looks), range=found), legend=None)

    def larger(self, labelled: float, rest: float) -> Any:
        """One size for systems with a name at their line, another for the rest."""
        return _either(_one_of(self.labelled), labelled, rest)

    def names(self, switches: Sequence[str]) -> Any:
        """Names of the systems at the ends of their lines."""
        marks = _chart("names", switches).mark_text(align="left", dx=9, fontSize=12, fontWeight=600)
        return marks.encode(x="x:Q", y="y:Q", text="label:N", color=self.look(alt.Color))


def _one_of(systems: Sequence[str]) -> alt.FieldOneOfPredicate:
    return alt.FieldOneOfPredicate(field="system", oneOf=list(systems))


def _either(condition: Any, value: float | str, otherwise: float) -> Any:
    return alt.when(condition).then(alt.value(value)).otherwise(alt.value(otherwise))


def line_chart(views: Views, style: Style, *, x: str, switches: Sequence[str] = ("Show",), zero: bool = True) -> Spec:
    """Lines with names at their ends; small samples dashed and faded, intervals as bands, single seeds as dots.

    The first menu, called as `switches` says, names the vertical axis, which keeps zero where `zero` says so; `x` titles the
    horizontal axis, which counts.
    """
    rows = [{**row, **place} for place, lines in _placed(views) for line in lines for row in _line_rows(line)]
    names = [{**row, **place} for place, lines in _placed(views) for row in _end_labels(lines, style, zero)]
    pointed = alt.selection_point(name=POINTED, fields=["system"], on="pointerover", clear="pointerout")
    axis = alt.Axis(tickMinStep=1, format="~d", tickCount=8, labelFlush=False)
    up = alt.Y("y:Q", title=None, axis=alt.Axis(tickCount=6), scale=alt.Scale(zero=zero))
    base = _chart("rows", switches).encode(x=alt.X("x:Q", title=x, axis=axis, scale=alt.Scale(zero=True, nice=False)))
    points = base.transform_filter("!datum.joint && !isValid(datum.seed)")
    colour, dimmed = style.look(alt.Color), _either(pointed, 1, 0.2)
    dashed = alt.Scale(domain=[False, True], range=[[1, 0], [3, 4]])
    band = alt.when(pointed, empty=False).then(alt.value(0.25)).when(_one_of(style.banded)).then(alt.value(0.13))
    seed = alt.when("!isValid(datum.seed)").then(alt.value(0)).when(pointed).then(alt.value(0.8))
    chart = alt.layer(
        points.mark_area().encode(
            y=alt.Y("bottom:Q", title=None), y2="top:Q", detail=["run:N"], color=colour, opacity=band.otherwise(alt.value(0))
        ),
        base.transform_filter("!isValid(datum.seed)")
        .mark_line()
        .encode(
            y=up,
            detail=["run:N", "part:N"],
            color=colour,
            strokeWidth=style.larger(2, 1),
            strokeDash=alt.StrokeDash("dashed:N", scale=dashed, legend=None),
            strokeOpacity=_either("datum.dashed", 0.55, 1),
            opacity=dimmed,
        ),
        base.mark_point(size=14, filled=True, shape="circle").encode(
            y=alt.Y("one:Q", title=None), color=colour, opacity=seed.otherwise(alt.value(0.1))
        ),
        points.transform_filter("!datum.plain")
        .mark_point(strokeWidth=1.6, opacity=1)
        .encode(
            y=up,
            shape=style.look(alt.Shape),
            stroke=style.look(alt.Stroke),
            fill=alt.when("datum.small").then(alt.value(GROUND)).otherwise(style.look(alt.Fill)),
            size=style.larger(52, 8),
            opacity=dimmed,
        ),
        style.names(switches).encode(opacity=_either(pointed, 1, 0.25)),
        points.mark_point(size=500, filled=True, opacity=0).encode(y=up, tooltip="told:N", color=colour).add_params(pointed),
    )
    return _finished(chart, views, switches, {"rows": rows, "names": names})


def scatter(views: Views, fronts: Sequence[Sequence[str]], style: Style, *, y: str, switch: str) -> Spec:
    """A named mark for each system with its interval, and a dashed line through those that no other beats in both.

    Views are chosen costs with lines of one point each; `fronts` has the systems on the dashed line for each.
    """
    rows = [
        {**_point_row(line, line.points[0]), **place, "front": line.system in front}
        for (place, lines), front in zip(_placed(views), fronts, strict=True)
        for line in lines
    ]
    names = [{**row, **place} for place, lines in _placed(views) for row in _end_labels(lines, style, True, near=True)]
    axis = alt.Axis(format="~s", tickCount=6)
    across = alt.X("x:Q", title=None, axis=axis, scale=alt.Scale(zero=False, padding=24))
    up = alt.Y("y:Q", title=None, axis=alt.Axis(tickCount=6), scale=alt.Scale(zero=True))
    base, colour = _chart("rows", (switch,)).encode(x=across), style.look(alt.Color)
    chart = alt.layer(
        base.transform_filter("datum.front").mark_line(strokeDash=[5, 4], strokeWidth=1.2, color=SOFT).encode(y=up),
        base.mark_rule(strokeWidth=1.4).encode(y=alt.Y("bottom:Q", title=None), y2="top:Q", color=colour),
        base.mark_point(filled=True, opacity=1).encode(
            y=up, shape=style.look(alt.Shape), color=colour, size=style.larger(70, 14), tooltip="told:N"
        ),
        style.names((switch,)),
    )
    return _finished(chart, views, (switch,), {"rows": rows, "names": names}, before=f"{y} against\n")


def dot_plot(lines: Sequence[Line], style: Style, *, x: str, guide: tuple[str, float] | None) -> Spec:
    """A row for each system: its score and its interval, dashed where it speaks of the choice of sentences only.

    Lines have one point each, the best first; `small` marks an interval over sentences only. `guide` is a name and the score
    that a dotted line is drawn at.
    """
    rows = [_point_row(line, line.points[0]) for line in lines]
    axis = alt.Axis(ticks=False, domain=False, grid=True, labelLimit=220)
    up = alt.Y("system:N", sort=[line.system for line in lines], title=None, axis=axis)
    base = _chart("rows", ()).encode(y=up, color=style.look(alt.Color))
    dash = alt.Scale(domain=[False, True], range=[[1, 0], [2, 2]])
    layers = [
        base.mark_rule(strokeWidth=1.5).encode(
            x=alt.X("bottom:Q", title=None), x2="top:Q", strokeDash=alt.StrokeDash("small:N", scale=dash, legend=None)
        ),
        base.mark_point(filled=True, opacity=1, size=46).encode(
            x=alt.X("y:Q", title=x, scale=alt.Scale(zero=True)), shape=style.look(alt.Shape), tooltip="told:N"
        ),
    ]
    data: dict[str, Sequence[Mapping[str, Any]]] = {"rows": rows}
    if guide is not None:
        data["guide"] = [{"x": guide[1], "label": f"{guide[0]} {guide[1]:.1f}"}]
        at = alt.Chart(alt.NamedData(name="guide")).encode(x="x:Q")
        named = at.mark_text(align="left", baseline="bottom", dx=4, dy=-3, color=SOFT).encode(y=alt.value(0), text="label:N")
        layers = [at.mark_rule(strokeDash=[2, 3], color=SOFT), *layers, named]
    return _finished(alt.layer(*layers).properties(height=16 * len(lines)), {}, (), data)


def heat_map(source: Sequence[str], target: Sequence[str], number: int = 0, title: str = "") -> Any:
    """Weights from 0 to 1 as squares in one hue: a column for each source word, a row for each target word.

    `number` tells several maps in one figure apart; the data set `cells<number>` is made by `cells`.
    """
    words = [alt.param(name=f"{side}{number}", value=list(some)) for side, some in (("source", source), ("target", target))]

    def labels(side: str, **more: Any) -> alt.Axis:
        return alt.Axis(labelExpr=f"{side}{number}[datum.value]", ticks=False, domain=False, grid=False, labelLimit=110, **more)

    scale = alt.Scale(domain=[0, 1], range=[GROUND, HEAT], interpolate="rgb")
    legend = alt.Legend(title="weight", orient="right", gradientLength=80, gradientThickness=10, values=[0, 0.5, 1])
    above = labels("source", orient="top", labelAngle=-50, labelAlign="left", labelOverlap=False)
    squares = (
        alt.Chart(alt.NamedData(name=f"cells{number}"))
        .mark_rect(stroke=LINE, strokeWidth=0.5)
        .encode(
            x=alt.X("s:O", title=None, axis=above),
            y=alt.Y("t:O", title=None, axis=labels("target", labelOverlap=False)),
            color=alt.Color("w:Q", scale=scale, legend=legend),
            tooltip=[alt.Tooltip("w:Q", title="weight", format=".2f")],
        )
    )
    step = alt.Step(19 if len(source) <= 25 else 14)
    return alt.layer(squares, title=alt.Title(title, offset=6)).properties(width=step, height=step).add_params(*words)


def picture_map(picture: str, cells_across: int, target: Sequence[str], number: int = 0, title: str = "") -> Any:
    """A picture, by its URL, once for each target word, dark where the word has little weight; otherwise as `heat_map`."""
    side = 76
    seen = alt.layer(
        alt.Chart()
        .mark_image(url=picture, width=side, height=side)
        .encode(x=alt.value(side / 2), y=alt.value(side / 2))
        .transform_filter("datum.s == 0"),
        alt.Chart()
        .mark_rect(color="black")
        .encode(
            x=alt.X("column:O", axis=None),
            y=alt.Y("row:O", axis=None),
            opacity=alt.Opacity("w:Q", scale=alt.Scale(domain=[0, 1], range=[0.8, 0]), legend=None),
        )
        .transform_calculate(column=f"datum.s % {cells_across}", row=f"floor(datum.s / {cells_across})"),
        data=alt.NamedData(name=f"cells{number}"),
    ).properties(width=side, height=side)
    word = alt.Header(title=None, labelExpr=f"{json.dumps(list(target))}[datum.value]", labelFontSize=11, labelPadding=2)
    return seen.facet(facet=alt.Facet("t:O", header=word), columns=8, spacing=6, title=alt.Title(title, offset=6))


def cells(weights: Sequence[Sequence[float]]) -> list[dict[str, float]]:
    """Weights (T, S) as rows of a data set."""
    return [{"s": s, "t": t, "w": round(w, 3)} for t, row in enumerate(weights) for s, w in enumerate(row)]


def many(charts: Sequence[Any], data: Sequence[list[dict[str, float]]], columns: int) -> Spec:
    """Heat maps beside each other, with one scale."""
    spec = alt.concat(*charts, columns=columns, spacing=24).to_dict(validate=False)
    return styled({**spec, "datasets": {f"cells{number}": rows for number, rows in enumerate(data)}})


def _placed(views: Views) -> list[tuple[dict[str, int], Sequence[Line]]]:
    """The lines of each view, with the number of what is chosen in each menu."""
    menus = _menus(views)
    return [({f"v{i}": menus[i].index(value) for i, value in enumerate(view)}, lines) for view, lines in views.items()]


def _menus(views: Views) -> list[list[str]]:
    return [list(dict.fromkeys(values)) for values in zip(*views, strict=True)]


TOLD = (
    "(datum.run || datum.system) + ': ' + format(datum.y, ',.4~g')"
    " + (isValid(datum.low) ? ' [' + format(datum.low, ',.4~g') + ', ' + format(datum.high, ',.4~g') + ']' : '')"
    " + (datum.note ? '; ' + datum.note : '') + (datum.small ? '; small sample' : '')"
)
"""What a reader who points at a mark is told."""
ENDS = {"bottom": "low", "top": "high", "one": "seed"}
"""Ends of intervals and single seeds, which are the point itself where there are none: Vega warns of layers without data."""


def _point_row(line: Line, point: Point) -> dict[str, Any]:
    row: dict[str, Any] = {"system": line.system, "x": _rounded(point.x), "y": _rounded(point.y), "note": point.note}
    if line.run:
        row["run"] = line.run
    if point.small:
        row["small"] = True
    if point.low is not None and point.high is not None:
        row |= {"low": _rounded(point.low), "high": _rounded(point.high)}
    return row


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")


def _line_rows(line: Line) -> list[dict[str, Any]]:
    """Points, in parts of one style each, then single seeds; a segment that ends at a small sample is dashed.

    A point between two parts stands in both; the second time it is a joint, without a mark. Of many points the last has a mark
    and every so many before it.
    """
    rows: list[dict[str, Any]] = []
    every = -(-len(line.points) // MARKS)
    dashes = [before.small or after.small for before, after in pairwise(line.points)] or [False]
    for index, point in enumerate(line.points):
        before, after = dashes[max(index - 1, 0)], dashes[min(index, len(dashes) - 1)]
        row = _point_row(line, point)
        if (len(line.points) - 1 - index) % every:
            row["plain"] = True
        rows.append({**row, "dashed": before, "part": rows[-1]["part"] if rows else 0})
        if before != after:
            rows.append({**row, "dashed": after, "part": rows[-1]["part"] + 1, "joint": True})
    for point in line.points:
        rows += [{"system": line.system, "x": _rounded(point.x), "seed": _rounded(seed)} for seed in point.seeds]
    return rows


def _end_labels(lines: Sequence[Line], style: Style, zero: bool, near: bool = False) -> list[dict[str, Any]]:
    """The name of each system at the height of its longest line's last point; names that would overlap are moved apart.

    Places are the nearest ones (least squares) that keep their order and a distance of one label. All stand to the right of all
    lines, or with `near` each at its point, and meet only where points are close on the horizontal axis, too.
    """
    labelled = [line for line in reversed(lines) if line.points and line.system in style.labelled]
    ends = {line.system: line.points[-1] for line in sorted(labelled, key=lambda line: line.points[-1].x)}
    if not ends:
        return []
    values = [y for line in lines for p in line.points for y in (p.y, p.low, p.high) if y is not None] + [0.0] * zero
    gap = 1.12 * LABEL_GAP * (max(values) - min(values) or 1.0) / HEIGHT
    right = max(point.x for point in ends.values())
    reach = (0.25 if near else 1.0) * (right - min(point.x for point in ends.values()))
    rows: list[dict[str, Any]] = []
    group: list[tuple[str, Point]] = []
    ordered = sorted(ends.items(), key=lambda end: end[1].x)
    for end, after in zip_longest(ordered, ordered[1:]):
        group.append(end)
        if after is not None and after[1].x - end[1].x <= reach:
            continue
        group.sort(key=lambda end: end[1].y)
        ladder = gap * np.arange(len(group))
        wanted = np.maximum([point.y for _, point in group], min(values) + ladder) - ladder
        for (name, point), y in zip(group, isotonic_regression(wanted).x + ladder, strict=True):
            label = name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"
            rows.append({"system": name, "label": label, "x": _rounded(point.x if near else right), "y": _rounded(float(y))})
        group = []
    return rows


def _chart(data: str, switches: Sequence[str]) -> alt.Chart:
    """A chart of those rows that the menus choose."""
    chart = alt.Chart(alt.NamedData(name=data))
    for index in range(len(switches)):
        chart = chart.transform_filter(f"datum.v{index} === choice{index}")
    ends = {name: f"isValid(datum.{key}) ? datum.{key} : datum.y" for name, key in ENDS.items()}
    return chart.transform_calculate(told=TOLD, **ends)


def _finished(
    chart: Any, views: Views, switches: Sequence[str], data: Mapping[str, Sequence[Mapping[str, Any]]], before: str = ""
) -> Spec:
    """Add menus, a title that names the vertical axis, and the style of all figures."""
    menus = _menus(views)
    for index, (label, options) in enumerate(zip(switches, menus, strict=True)):
        bind = alt.binding_select(options=list(range(len(options))), labels=options, name=f"{label} ")
        chart = chart.add_params(alt.param(name=f"choice{index}", value=0, bind=bind if len(options) > 1 else alt.Undefined))
    spec: Spec = chart.to_dict(validate=False)
    spec |= {"width": WIDTH, "height": spec.get("height", HEIGHT), "padding": 6, "datasets": dict(data)}
    spec["usermeta"] = {"axis": [before + label for label in menus[0]] if switches else []}
    if switches:
        spec["title"] = {"text": {"expr": f"split({spec['usermeta']['axis']!r}[choice0], '\\n')"}}
    return styled(spec)


def on_paper(spec: Spec, caption: str) -> Spec:
    """A specification with nothing but what its menus choose at first, and with its caption."""
    kept = {
        name: [row for row in rows if not any(row.get(f"v{index}") for index in range(2))]
        for name, rows in spec.get("datasets", {}).items()
    }
    axis = spec.get("usermeta", {}).get("axis") or [""]
    title = {"text": wrap(caption, 96), "color": SOFT, "fontSize": 11}
    return {**spec, "datasets": kept, "title": {**title, "subtitle": axis[0].replace("\n", " "), "subtitlePadding": 10}}
