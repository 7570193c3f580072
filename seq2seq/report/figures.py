"""Figures for paper: PNG and SVG by matplotlib."""

from __future__ import annotations

import warnings
from math import ceil, sqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seq2seq.report.analyses import ConcatenationReport, ProbeReport
from seq2seq.report.crowd import in_focus, is_crowd
from seq2seq.report.exhibits import AttentionMap, Exhibits
from seq2seq.report.palette import BASELINE, Look, looks
from seq2seq.report.schema import Report, SystemReport

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STYLE: dict[Any, Any] = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "svg.hashsalt": "seq2seq",
    "svg.fonttype": "none",
    "text.parse_math": False,
    "figure.constrained_layout.use": True,
}
MOST_PIECES = 45
"""Longest side of a heat map for paper; longer sentences are cut and say so."""
MOST_IN_AXES = 6
"""Systems whose legend leaves room for their lines; the legend of more stands beside the figure."""

REST = "#c4c4c4"
"""Colour of the systems of a crowd that are not in focus."""
FIXED = "fixed vector:\nno weights"


def write_figures(report: Report, exhibits: Exhibits, folder: Path) -> list[Path]:
    """Write every figure that the report has data for.

    Returns:
        The files.
    """
    from matplotlib import rc_context

    shown = looks(list(report.systems), report.baseline, in_focus(report))
    with rc_context(STYLE):
        written = _save(_bleu_by_length(report, shown), folder / "bleu_by_length")
        if is_crowd(report):
            written += _save(_ranking(report, shown), folder / "ranking")
        if report.probe is not None:
            written += _save(_probe(report.probe, report, shown), folder / "probe")
        if report.concatenation is not None:
            written += _save(_concatenation(report.concatenation, shown), folder / "concatenation")
        if any(curve.validation for curves in report.learning_curves.values() for curve in curves):
            written += _save(_learning_curves(report, shown), folder / "learning_curves")
        sentence = choose_sentence(exhibits)
        if sentence is not None:
            written += _save(
                _heat_maps(sentence, exhibits.attention[sentence], is_crowd(report)), folder / "attention", ("png",)
            )
    return written


def choose_sentence(exhibits: Exhibits) -> int | None:
    """The sentence that most systems show and whose length is nearest to 15 words: long enough to see, short enough to read."""
    if not exhibits.attention:
        return None
    return min(exhibits.attention, key=lambda i: (-len(exhibits.attention[i]), abs(exhibits.lengths[i] - 15)))


def _figure(width: float, height: float, rows: int = 1, columns: int = 1) -> tuple[Figure, list[Axes]]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    return figure, list(figure.subplots(rows, columns, squeeze=False).flat)


def _save(figure: Figure, stem: Path, kinds: tuple[str, ...] = ("png", "svg")) -> list[Path]:
    paths = [stem.with_suffix(f".{kind}") for kind in kinds]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)  # a box stands for such a letter
        for path in paths:
            metadata = {"Date": None} if path.suffix == ".svg" else None  # the same report gives the same bytes
            figure.savefig(path, dpi=160, metadata=metadata)
    return paths


def _bleu_by_length(report: Report, shown: dict[str, Look]) -> Figure:
    beside = len(report.systems) > MOST_IN_AXES
    figure, (axes,) = _figure(7.6 if beside else 6.4, 3.8)
    focus = in_focus(report)
    for name, system in report.systems.items():
        if name not in focus:
            x, y = [bucket.mean_length for bucket in system.buckets], [bucket.bleu for bucket in system.buckets]
            axes.plot(x, y, color=REST, linewidth=0.8, zorder=1)
    for name in focus:
        _length_line(axes, name, report.systems[name], shown[name])
    if len(focus) < len(report.systems):
        axes.plot([], [], color=REST, linewidth=0.8, label=f"{len(report.systems) - len(focus)} other systems")
    if any(bucket.underpowered for system in report.systems.values() for bucket in system.buckets):
        axes.plot([], [], "o", mfc="white", mec="#555555", label="underpowered bucket")
    axes.set(
        xlabel=f"source length in {report.length_unit} (mean of the bucket)", ylabel="BLEU", xlim=(0, None), ylim=(0, None)
    )
    level = float(report.evaluation.get("confidence", 0.95))
    over = "sentences" if all(system.single_seed for system in report.systems.values()) else "seeds and sentences"
    title = f"{report.split}, n={report.n:,}; bands: {level:.0%} intervals over {over}"
    axes.set_title(title, loc="left", fontsize=9, color="#444444")
    if beside:
        figure.legend(*axes.get_legend_handles_labels(), loc="outside right center", fontsize=8)
    else:
        axes.legend(fontsize=8)
    return figure


def _length_line(axes: Axes, name: str, system: SystemReport, look: Look) -> None:
    """One system: its scores, their band, hollow points where there are few sentences, and a dot for each of several seeds."""
    x = [bucket.mean_length for bucket in system.buckets]
    low = [bucket.bleu if bucket.low is None else bucket.low for bucket in system.buckets]
    high = [bucket.bleu if bucket.high is None else bucket.high for bucket in system.buckets]
    axes.fill_between(x, low, high, color=look.light, alpha=0.15, linewidth=0)
    label = f"{name} (n=1 seed)" if system.single_seed else f"{name} ({len(system.seeds)} seeds)"
    axes.plot(x, [bucket.bleu for bucket in system.buckets], color=look.light, marker=look.marker, ms=4.5, label=label)
    small = [bucket for bucket in system.buckets if bucket.underpowered]
    xs, ys = [bucket.mean_length for bucket in small], [bucket.bleu for bucket in small]
    axes.plot(xs, ys, look.marker, ms=4.5, mfc="white", mec=look.light, zorder=3)
    if not system.single_seed:
        seeds = [(bucket.mean_length, bleu) for bucket in system.buckets for bleu in bucket.seed_bleu]
        axes.plot(*zip(*seeds, strict=True), ".", ms=2.5, color=look.light, alpha=0.7)


def _ranking(report: Report, shown: dict[str, Look]) -> Figure:
    """Every system's BLEU with its interval, the highest on top; the baseline's score as a line through all."""
    order = [place.system for place in report.ranking]
    figure, (axes,) = _figure(6.4, 1.1 + 0.17 * len(order))
    focus = in_focus(report)
    for place, name in enumerate(order):
        system, colour = report.systems[name], shown[name].light if name in focus else "#777777"
        if system.low is not None and system.high is not None:
            axes.plot([system.low, system.high], [place, place], color=colour, linewidth=1.2)
        axes.plot([system.bleu], [place], shown[name].marker if name in focus else "o", color=colour, ms=4)
    if report.baseline is not None:
        axes.axvline(report.systems[report.baseline].bleu, color=BASELINE.light, linewidth=0.8, linestyle=":")
    axes.set_yticks(range(len(order)), order, fontsize=7)
    axes.set_ylim(len(order) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    level = float(report.evaluation.get("confidence", 0.95))
    regimes = ", ".join(report.fairness.regimes) or "no budget equal"
    axes.set(xlabel=f"BLEU, {level:.0%} interval", xlim=(0, None))
    axes.set_title(f"{report.split}, n={report.n:,}; {regimes}", loc="left", fontsize=9, color="#444444")
    return figure


def _probe(probe: ProbeReport, report: Report, shown: dict[str, Look]) -> Figure:
    """Exact match by length of the question, and right words by place in the answer."""
    figure, (left, right) = _figure(8.4, 3.4, 1, 2)
    for name, scores in probe.systems.items():
        look = shown[name]
        x = [(each.min + each.max) / 2 for each in scores.by_length]
        low, high = [100 * each.low for each in scores.by_length], [100 * each.high for each in scores.by_length]
        left.fill_between(x, low, high, color=look.light, alpha=0.15, linewidth=0)
        seeds = report.systems[name].seeds
        label = f"{name} (n=1 seed)" if len(seeds) == 1 else f"{name} ({len(seeds)} seeds)"
        exact = [100 * each.exact for each in scores.by_length]
        left.plot(x, exact, color=look.light, marker=look.marker, ms=4, label=label)
        places = [each.position + 1 for each in scores.by_position]
        right.plot(places, [100 * each.right for each in scores.by_position], color=look.light, linewidth=1.2)
    for axes in (left, right):
        axes.axvline(probe.trained + 0.5, color="#999999", linewidth=0.8, linestyle=":")
        axes.set(ylim=(-2, 102), xlim=(0, None))
    left.set(xlabel="words of the question (dotted: longest of training)", ylabel="answers right in every word, %")
    right.set(xlabel="place in the answer", ylabel="right words, %")
    left.set_title(f"probe {probe.task}, n={probe.n:,}", loc="left", fontsize=9, color="#444444")
    left.legend(fontsize=7)
    return figure


def _concatenation(found: ConcatenationReport, shown: dict[str, Look]) -> Figure:
    """BLEU against the number of joined pairs."""
    figure, (axes,) = _figure(5.2, 3.4)
    for name, every in found.systems.items():
        points = [(p.joined, p.bleu, p.low, p.high) for p in every if p.bleu is not None]
        if not points:
            continue
        x, bleu, low, high = zip(*points, strict=True)
        axes.fill_between(x, low, high, color=shown[name].light, alpha=0.15, linewidth=0)
        axes.plot(x, bleu, color=shown[name].light, marker=shown[name].marker, ms=4.5, label=name)
    axes.set(xlabel="pairs joined", ylabel="BLEU", ylim=(0, None))
    axes.set_xticks([point.joined for point in next(iter(found.systems.values()))])
    title = f"{found.split}, {found.pairs} pairs of up to {found.longest} words"
    axes.set_title(title, loc="left", fontsize=9, color="#444444")
    axes.legend(fontsize=8)
    return figure


CURVES = {"loss": "validation loss (nats per target token)", "bleu": "validation BLEU (greedy)"}


def _learning_curves(report: Report, shown: dict[str, Look]) -> Figure:
    """A panel for each curve that some run has; BLEU is not followed by every study."""
    every = [point for curves in report.learning_curves.values() for curve in curves for point in curve.validation]
    drawn = [name for name in CURVES if any(getattr(point, name) is not None for point in every)]
    figure, panels = _figure(4.2 * max(1, len(drawn)), 3.4, 1, max(1, len(drawn)))
    focus = in_focus(report)
    rest = [name for name in report.systems if name not in focus]
    for axes, field in zip(panels, drawn, strict=False):
        for name in (*rest, *focus):
            look = Look(REST, REST, "") if name in rest else shown[name]
            for number, curve in enumerate(report.learning_curves[name]):
                known = [(p.step, value) for p in curve.validation if (value := getattr(p, field)) is not None]
                label = name if number == 0 and name in focus else None
                points = zip(*known, strict=True) if known else ([], [])
                axes.plot(*points, color=look.light, marker=look.marker, ms=3, lw=0.8 if name in rest else None, label=label)
        axes.set(xlabel="updates", ylabel=CURVES[field])
    if drawn and drawn[-1] == "bleu":
        panels[-1].set_ylim(0, None)
    panels[-1].legend(fontsize=8)
    return figure


def _labels(pieces: list[str]) -> list[str]:
    """Pieces as axis labels: without the mark of a word's start, not longer than 14 letters."""
    return [piece.removeprefix("\u2581")[:14] for piece in pieces[:MOST_PIECES]]


def _heat_maps(index: int, maps: dict[str, AttentionMap], crowd: bool) -> Figure:
    """The attention of all systems on one sentence, about as many rows as columns; of a crowd while all read the reference.

    Of a crowd all maps have the same words at their sides, which are therefore written at the left and upper edge only.
    """
    drawn = {name: _views(shown, forced=crowd) for name, shown in maps.items()}
    side, gap = (0.1, 0.25) if crowd else (0.16, 1.5)
    across = 7 if crowd else len(maps) if len(maps) <= 3 else ceil(sqrt(len(maps)))
    down = ceil(len(maps) / across)
    columns = min(max(len(source) for source, _, _ in drawn.values()), MOST_PIECES)
    rows = min(max(len(target) for _, target, _ in drawn.values()), MOST_PIECES)
    figure, grid = _figure(
        across * (columns * side + gap) + 1, down * (rows * side + (0.3 if crowd else 1.6)) + 0.8, down, across
    )
    for place, (axes, (name, (source, target, weights))) in enumerate(zip(grid, drawn.items(), strict=False)):
        axes.grid(visible=False)
        if maps[name].attends:
            axes.imshow(weights, cmap="Blues", vmin=0, vmax=1, aspect="auto", interpolation="nearest")
        else:
            axes.set(xlim=(-0.5, len(source) - 0.5), ylim=(len(target) - 0.5, -0.5))
            axes.text(0.5, 0.5, FIXED, transform=axes.transAxes, ha="center", va="center", fontsize=8, color="#555555")
        size = 4.5 if crowd else 6
        above, beside = not crowd or place < across, not crowd or place % across == 0
        axes.set_xticks(range(len(source)), source if above else [""] * len(source), rotation=90, fontsize=size)
        axes.set_yticks(range(len(target)), target if beside else [""] * len(target), fontsize=size)
        axes.xaxis.tick_top()
        axes.tick_params(length=0)
        cut = " (cut)" if max(len(maps[name].source), len(maps[name].hypothesis)) > MOST_PIECES else ""
        axes.set_xlabel(name if crowd else f"{name}, sentence {index + 1}{cut}", fontsize=7 if crowd else 9)
    for axes in grid[len(maps) :]:
        axes.set_visible(False)
    if crowd:
        figure.suptitle(f"Sentence {index + 1}, the reference fed (forced decoding)", fontsize=9, color="#444444")
    return figure


def _views(shown: AttentionMap, *, forced: bool) -> tuple[list[str], list[str], list[list[float]]]:
    """Labels of the source and of the target, and weights (T, S), cut to what a picture holds."""
    target, weights = shown.hypothesis, shown.weights
    if forced and shown.forced is not None:
        target, weights = shown.forced.reference, shown.forced.weights
    return _labels(shown.source), _labels(target), [row[:MOST_PIECES] for row in weights[:MOST_PIECES]]
