"""Figures for paper: PNG and SVG by matplotlib."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seq2seq.report.exhibits import AttentionMap, Exhibits
from seq2seq.report.model import Report
from seq2seq.report.palette import Look, looks

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


def write_figures(report: Report, exhibits: Exhibits, folder: Path) -> list[Path]:
    """Write every figure that the report has data for.

    Returns:
        The files.
    """
    from matplotlib import rc_context

    shown = looks(list(report.systems), report.baseline)
    with rc_context(STYLE):
        written = _save(_bleu_by_length(report, shown), folder / "bleu_by_length")
        if any(curve.validation for curves in report.learning_curves.values() for curve in curves):
            written += _save(_learning_curves(report, shown), folder / "learning_curves")
        sentence = choose_sentence(exhibits)
        if sentence is not None:
            written += _save(_heat_maps(sentence, exhibits.attention[sentence]), folder / "attention", ("png",))
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
    figure, (axes,) = _figure(6.4, 3.8)
    for name, system in report.systems.items():
        x = [bucket.mean_length for bucket in system.buckets]
        low = [bucket.bleu if bucket.low is None else bucket.low for bucket in system.buckets]
        high = [bucket.bleu if bucket.high is None else bucket.high for bucket in system.buckets]
        look = shown[name]
        axes.fill_between(x, low, high, color=look.light, alpha=0.15, linewidth=0)
        label = f"{name} (n=1 seed)" if system.single_seed else f"{name} ({len(system.seeds)} seeds)"
        axes.plot(x, [bucket.bleu for bucket in system.buckets], color=look.light, marker=look.marker, ms=4.5, label=label)
        small = [bucket for bucket in system.buckets if bucket.underpowered]
        xs, ys = [bucket.mean_length for bucket in small], [bucket.bleu for bucket in small]
        axes.plot(xs, ys, look.marker, ms=4.5, mfc="white", mec=look.light, zorder=3)
    if any(bucket.underpowered for system in report.systems.values() for bucket in system.buckets):
        axes.plot([], [], "o", mfc="white", mec="#555555", label="underpowered bucket")
    axes.set(xlabel="source length in words (mean of the bucket)", ylabel="BLEU", xlim=(0, None), ylim=(0, 100))
    level = float(report.evaluation.get("confidence", 0.95))
    axes.set_title(f"{report.split}, n={report.n:,}; bands: {level:.0%} intervals", loc="left", fontsize=9, color="#444444")
    axes.legend(fontsize=8)
    return figure


def _learning_curves(report: Report, shown: dict[str, Look]) -> Figure:
    figure, (left, right) = _figure(8.4, 3.4, 1, 2)
    for name, curves in report.learning_curves.items():
        for number, curve in enumerate(curves):
            look, label = shown[name], name if number == 0 else None
            steps = [point.step for point in curve.validation]
            for axes, values in (
                (left, [point.loss for point in curve.validation]),
                (right, [point.bleu for point in curve.validation]),
            ):
                known = [(step, value) for step, value in zip(steps, values, strict=True) if value is not None]
                axes.plot(
                    *zip(*known, strict=True) if known else ([], []), color=look.light, marker=look.marker, ms=3, label=label
                )
    left.set(xlabel="updates", ylabel="validation loss (nats per target token)")
    right.set(xlabel="updates", ylabel="validation BLEU (greedy)", ylim=(0, None))
    right.legend(fontsize=8)
    return figure


def _labels(pieces: list[str]) -> list[str]:
    """Pieces as axis labels: without the mark of a word's start, not longer than 14 letters."""
    return [piece.removeprefix("\u2581")[:14] for piece in pieces[:MOST_PIECES]]


def _heat_maps(index: int, maps: dict[str, AttentionMap]) -> Figure:
    first = next(iter(maps.values()))
    columns, rows = min(len(first.source), MOST_PIECES), min(max(len(m.hypothesis) for m in maps.values()), MOST_PIECES)
    side = 0.16
    figure, grid = _figure(len(maps) * (columns * side + 1.5), rows * side + 1.6, 1, len(maps))
    for axes, (name, shown) in zip(grid, maps.items(), strict=True):
        source, target = (_labels(pieces) for pieces in (shown.source, shown.hypothesis))
        weights = [row[:MOST_PIECES] for row in shown.weights[:MOST_PIECES]]
        axes.grid(visible=False)
        if weights:
            axes.imshow(weights, cmap="Blues", vmin=0, vmax=1, aspect="auto", interpolation="nearest")
        axes.set_xticks(range(len(source)), source, rotation=90, fontsize=6)
        axes.set_yticks(range(len(target)), target, fontsize=6)
        axes.xaxis.tick_top()
        axes.tick_params(length=0)
        cut = " (cut)" if max(len(shown.source), len(shown.hypothesis)) > MOST_PIECES else ""
        axes.set_xlabel(f"{name}, sentence {index + 1}{cut}", fontsize=9)
    return figure
