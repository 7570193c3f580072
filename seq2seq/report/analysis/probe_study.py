"""`seq2seq probe`: the probe that a study's corpus allows, run by run, printed and gathered for the report."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seq2seq.config.errors import UserError
from seq2seq.report.analysis.collect import collect_analyses
from seq2seq.report.analysis.concatenation import concatenate_run
from seq2seq.report.analysis.probe import length_ranges, probe_run
from seq2seq.report.analysis.runs import loaded_runs
from seq2seq.report.runs import study_folders
from seq2seq.run.folder import RunFolder
from seq2seq.run.trained import read_settings
from seq2seq.scoring.metrics import METRICS


def probe_study(path: Path, *, allow_code: bool = False) -> str:
    """Probe every finished run under a folder, and gather the results beside the runs for the report.

    Runs on a synthetic probe: exact match in percent, by source length, from their hypotheses. Runs on any other corpus: BLEU
    on short pairs of the test split joined to long ones (`concatenation`).

    Args:
        path: a study's folder, or a run's.
        allow_code: let configs import classes of their own.

    Returns:
        The results as a table.

    Raises:
        UserError: as `probe_run` and `concatenate_run`, or no finished run.
    """
    finished = [folder for folder in study_folders(path)[0] if folder.is_finished()]
    if not finished:
        raise UserError(f"{path}: no finished run; train the study first")
    synthetic = read_settings(finished[0]).data.probe is not None
    printed = _exact_match(finished) if synthetic else _joined_pairs(path, allow_code)
    if not (path / "config.yaml").is_file():
        collect_analyses(path)
    return printed


def _exact_match(folders: Sequence[RunFolder]) -> str:
    rows = []
    for folder in folders:
        found = probe_run(folder)
        ranges = length_ranges(found["trained"], max(found["lengths"]))
        heads = [f"{low}-{high} words" for low, high in ranges]
        rows.append((f"{folder.system} seed {folder.seed}", heads, [_between(found["by_length"], *edge) for edge in ranges]))
    return _table("exact match, % of answers", rows)


def _joined_pairs(path: Path, allow_code: bool) -> str:
    rows = []
    for run, data, device in loaded_runs(path, allow_code=allow_code):
        points = concatenate_run(run, data, device)["points"]
        heads = [f"{point['joined']} joined" for point in points]
        name = f"{run.folder.system} seed {run.folder.seed}"
        rows.append((name, heads, [_bleu(point["counts"]) for point in points]))
    return _table("BLEU, short pairs joined", rows)


def _bleu(counts: Sequence[Sequence[float]] | None) -> str:
    return "refused" if counts is None else f"{float(METRICS['bleu'].score(np.sum(counts, axis=0))):.1f}"


def _table(title: str, rows: Sequence[tuple[str, list[str], list[str]]]) -> str:
    width = max(len(name) for name, _, _ in rows)
    lines = [title, " " * width + "".join(f"{head:>14}" for head in rows[0][1])]
    return "\n".join([*lines, *(f"{name:<{width}}" + "".join(f"{cell:>14}" for cell in cells) for name, _, cells in rows)])


def _between(by_length: Sequence[dict[str, Any]], low: int, high: int) -> str:
    inside = [row for row in by_length if low <= row["length"] <= high]
    count = sum(row["n"] for row in inside)
    return f"{100 * sum(row['n'] * row['exact'] for row in inside) / count:.1f}" if count else "-"
