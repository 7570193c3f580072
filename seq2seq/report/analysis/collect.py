"""From the analyses of single runs to those of a study, `<runs>/<name>.json`, as the report reads them: means over seeds."""

from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from seq2seq.report.analysis.alignment import error_rate
from seq2seq.report.analysis.probe import length_ranges
from seq2seq.report.analysis.store import read_analysis
from seq2seq.report.analysis.sweep import choose
from seq2seq.report.runs import study_folders
from seq2seq.run.folder import write_json
from seq2seq.scoring.bootstrap import Estimate, Floats, Part, estimate_alone, resampled_counts
from seq2seq.scoring.metrics import METRICS, length_ratio

Known = dict[str, list[dict[str, Any]]]
"""System -> the analysis of each of its seeds."""
_RESAMPLES = 1000


def collect_analyses(folder: Path) -> list[str]:
    """Gather what lies in the runs of a study into one file for each analysis; returns the names of those that there are.

    Runs of one system with different cache keys (another split, other sentences) are not averaged: the most common key counts.
    """
    runs, _ = study_folders(folder)
    written = []
    for name, gather in GATHERERS.items():
        known: Known = {}
        for run in runs:
            if (found := read_analysis(run, name)) is not None:
                known.setdefault(run.system, []).append(found)
        if known := _same_question(known):
            write_json(folder / f"{name}.json", gather(known, next(iter(known.values()))[0]))
            written.append(name)
    return written


def _same_question(known: Known) -> Known:
    def of(analysis: dict[str, Any]) -> str:
        return str({key: value for key, value in analysis.get("question", {}).items() if key != "step"})

    asked = [of(analysis) for analyses in known.values() for analysis in analyses]
    usual = max(dict.fromkeys(asked), key=asked.count, default="")
    kept = {system: [analysis for analysis in some if of(analysis) == usual] for system, some in known.items()}
    return {system: some for system, some in kept.items() if some}


def mean(values: Sequence[Any]) -> Any:
    """Average values of one shape: numbers, also inside of mappings and lists; of anything else the first, of None nothing."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    if isinstance(known[0], dict):
        return {key: mean([each[key] for each in known]) for key in known[0]}
    if isinstance(known[0], list):
        return [mean(each) for each in zip(*known, strict=True)]
    return known[0] if all(value == known[0] for value in known) else fmean(known)


def _mean_of(runs: Sequence[dict[str, Any]], *names: str) -> dict[str, Any]:
    return {name: mean([run.get(name) for run in runs]) for name in names}


def _estimate(counts: Floats, score: Callable[[Floats], Floats], most: float) -> Estimate:
    """Estimate a score, 0 to `most`, of counts (K, n, columns), over resampled seeds and sentences."""
    drawn = np.concatenate(list(resampled_counts(np.random.default_rng(1), counts.shape[1], _RESAMPLES)))  # (R, n)
    part = Part(score(counts.sum(axis=1)), np.stack([score(drawn @ run) for run in counts], axis=1))
    return estimate_alone(part, sentences=counts.shape[1], bounds=(0, most))


def _alignment(known: Known, first: dict[str, Any]) -> dict[str, Any]:
    systems = {}
    for system, some in known.items():
        counts = np.array([run["counts"] for run in some])  # (K, n, 6)
        found = _estimate(counts, error_rate, 1)
        rates = error_rate(counts.sum(axis=1)).tolist()
        means = _mean_of(some, "aer", "precision", "recall", "soft_mass")
        systems[system] = {**means, "low": found.low, "high": found.high, "aer_by_seed": rates}
    return {"systems": systems, "baselines": first["baselines"], "n": first["n"], "conventions": first["conventions"]}


def _interventions(known: Known, first: dict[str, Any]) -> dict[str, Any]:
    systems = {system: mean([run["kinds"] for run in some]) for system, some in known.items()}
    return {"systems": systems, "n": first["n"], "description": first["description"]}


def _costs(known: Known, _first: dict[str, Any]) -> dict[str, Any]:
    names = ("training_tokens_per_second", "flops_per_token", "heads_used", "positions_used", "hardware")
    systems = {}
    for system, some in known.items():
        measured = [run["by_length"] for run in some if run["by_length"]]  # of the first seed; older analyses have all
        points = [
            {**mean(seeds), "peak_bytes": max(point["peak_bytes"] for point in seeds)} for seeds in zip(*measured, strict=True)
        ]
        systems[system] = {**_mean_of(some, *names), "by_length": points}
    return systems


def _beam_sweep(known: Known, first: dict[str, Any]) -> dict[str, Any]:
    systems = {}
    for system, some in known.items():
        points = mean([run["points"] for run in some])
        best = choose(points)
        systems[system] = [{**point, "chosen": point is best} for point in points]
    return {"split": first["split"], "systems": systems}


def _probe(known: Known, first: dict[str, Any]) -> dict[str, Any]:
    lengths = np.array(first["lengths"])
    systems = {}
    for system, some in known.items():
        right = np.array([[int(each) for each in run["right"]] for run in some], dtype=np.float64)  # (K, n)
        by_length = [
            {"min": low, "max": high, "n": int(inside.sum()), **_share(right[:, inside])}
            for low, high in length_ranges(first["trained"], int(lengths.max()))
            if (inside := (lengths >= low) & (lengths <= high)).any()
        ]
        systems[system] = {**_mean_of(some, "exact", "within", "beyond", "by_position"), "by_length": by_length}
    return {"task": first["task"], "trained": first["trained"], "n": len(lengths), "systems": systems}


def _share(right: Floats) -> dict[str, float]:
    """Share of right answers (K, n) with its interval: over seeds and answers, and never narrower than Wilson's for n answers.

    Resampling answers that are all right, or all wrong, shows no variance; Wilson 1927 (JASA 22, 209-212) knows better. Two
    seeds that rule leave no interval over seeds; then both are held by the one over answers.
    """
    from scipy.stats import binomtest

    share, n = float(right.mean()), right.shape[1]
    wilson = binomtest(round(share * n), n).proportion_ci(method="wilson")
    ends = [float(wilson.low), float(wilson.high), *right.mean(axis=1).tolist()]
    if len(right) > 1:
        found = _estimate(right[..., None], lambda sums: sums[..., 0] / n, 1)
        ends += [end for end in (found.low, found.high) if end is not None]
    return {"exact": share, "low": min(ends), "high": max(ends)}


def _concatenation(known: Known, first: dict[str, Any]) -> dict[str, Any]:
    systems = {
        system: [_joined(points) for points in zip(*(run["points"] for run in some), strict=True)]
        for system, some in known.items()
    }
    return {"split": first["split"], "pairs": first["pairs"], "longest": first["longest"], "systems": systems}


def _joined(points: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """BLEU of one number of joined pairs over resampled seeds and joined sentences."""
    common = _mean_of(points, "joined", "n", "words")
    if any(point["counts"] is None for point in points):
        return {**common, "bleu": None}
    counts = np.array([point["counts"] for point in points])  # (K, n, 10)
    found = _estimate(counts, METRICS["bleu"].score, 100)
    ratio = float(length_ratio(counts.sum(axis=1)).mean())
    return {**common, "bleu": found.value, "length_ratio": ratio, "low": found.low, "high": found.high}


GATHERERS: dict[str, Callable[[Known, dict[str, Any]], dict[str, Any]]] = {
    "alignment": _alignment,
    "interventions": _interventions,
    "costs": _costs,
    "beam_sweep": _beam_sweep,
    "probe": _probe,
    "concatenation": _concatenation,
}
