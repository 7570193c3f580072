"""`seq2seq probe`: the probe that a study's corpus allows, run by run, printed and gathered for the report."""

from pathlib import Path

import numpy as np

from seq2seq.report.analysis.collect import collect_analyses
from seq2seq.report.analysis.concatenation import concatenate_run
from seq2seq.report.analysis.probe import length_ranges, probe_run, share
from seq2seq.report.analysis.runs import loaded_runs
from seq2seq.report.runs import finished_runs
from seq2seq.report.values import Cell, Measured, Table, as_text
from seq2seq.report.values import share as percent
from seq2seq.run.folder import RunFolder
from seq2seq.run.trained import read_settings
from seq2seq.scoring.metrics import METRICS


def probe_study(path: Path, *, allow_code: bool = False) -> str:
    """Probe every finished run under a folder, and gather the results beside the runs for the report; returns a table.

    Runs on a synthetic probe: exact match in percent, by source length, from their hypotheses. Runs on any other corpus: BLEU
    on short pairs of the test split joined to long ones (`concatenation`).
    """
    folders = finished_runs(path)
    if read_settings(folders[0]).data.probe is not None:
        title = "exact match, % of answers"
        found = {folder.name: _exact_match(folder) for folder in folders}
    else:
        loaded = loaded_runs(path, allow_code=allow_code)
        points = {run.folder.name: concatenate_run(run, data, device)["points"] for run, data, device in loaded}
        title = "BLEU, short pairs joined"
        found = {name: {f"{p['joined']} joined": _bleu(p["counts"]) for p in some} for name, some in points.items()}
    if not (path / "config.yaml").is_file():
        collect_analyses(path)
    heads = next(iter(found.values()))
    return f"{title}\n{as_text(Table(heads=['run', *heads], rows=[[name, *cells.values()] for name, cells in found.items()]))}"


def _exact_match(folder: RunFolder) -> dict[str, Cell]:
    found = probe_run(folder)
    right = [(length, each == "1") for length, each in zip(found["lengths"], found["right"], strict=True)]
    ranges = length_ranges(found["trained"], max(found["lengths"]))
    return {f"{low}-{high} words": percent(share(r for n, r in right if low <= n <= high), digits=1) for low, high in ranges}


def _bleu(counts: list[list[float]] | None) -> Cell:
    return "refused" if counts is None else Measured(float(METRICS["bleu"].score(np.sum(counts, axis=0))))
