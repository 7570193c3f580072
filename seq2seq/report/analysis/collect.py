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

Runs = Sequence[dict[str, Any]]
"""The analysis of each seed of a system."""
Known = dict[str, list[dict[str, Any]]]
"""System -> the analysis of each of its seeds."""
_RESAMPLES = 1000


def collect_analyses(folder: Path) -> list[str]:
    """Gather what lies in the runs of a study into one file for each analysis; returns the names of those that there are.

    Runs of one system with different cache keys (another split, other sentences) are not averaged: the most common key counts.
    """
    runs, _ = study_folders(folder)
    written = []
    for name, (gather, common) in GATHERERS.items():
        known: Known = {}
        for run in runs:
            if (found := read_analysis(run, name)) is not None:
                known.setdefault(run.system, []).append(found)
        if known := _same_question(known):
            systems = {system: gather(some) for system, some in known.items()}
            first = next(iter(known.values()))[0]
            about = {"n": len(first.get("lengths", ())), **first}  # a probe has the length of each of its n questions
            content = {**{key: about[key] for key in common}, "systems": systems} if common else systems
            write_json(folder / f"{name}.json", content)
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


def _mean_of(runs: Runs, *names: str) -> dict[str, Any]:
    return {name: mean([run.get(name) for run in runs]) for name in names}


def _estimate(counts: Floats, score: Callable[[Floats], Floats], most: float) -> Estimate:
    """Estimate a score, 0 to `most`, of counts (K, n, columns), over seeds and sentences."""
    drawn = np.concatenate(list(resampled_counts(np.random.default_rng(1), counts.shape[1], _RESAMPLES)))  # (R, n)
    part = Part(score(counts.sum(axis=1)), np.stack([score(drawn @ run) for run in counts], axis=1))
    return estimate_alone(part, sentences=counts.shape[1], bounds=(0, most))


def _alignment(some: Runs) -> dict[str, Any]:
    counts = np.array([run["counts"] for run in some])  # (K, n, 6)
    found = _estimate(counts, error_rate, 1)
    rates = error_rate(counts.sum(axis=1)).tolist()
    means = _mean_of(some, "aer", "precision", "recall", "soft_mass")
    return {**means, "low": found.low, "high": found.high, "aer_by_seed": rates}


def _costs(some: Runs) -> dict[str, Any]:
    measured = [run["by_length"] for run in some if run["by_length"]]  # of the first seed; older analyses have all
    points = [
        {**mean(seeds), "peak_bytes": max(point["peak_bytes"] for point in seeds)} for seeds in zip(*measured, strict=True)
    ]
    names = ("training_tokens_per_second", "flops_per_token", "heads_used", "positions_used", "hardware")
    return {**_mean_of(some, *names), "by_length": points}


def _beam_sweep(some: Runs) -> list[dict[str, Any]]:
    points = mean([run["points"] for run in some])
    best = choose(points)
    return [{**point, "chosen": point is best} for point in points]


def _probe(some: Runs) -> dict[str, Any]:
    lengths = np.array(some[0]["lengths"])
    right = np.array([[int(each) for each in run["right"]] for run in some], dtype=np.float64)  # (K, n)
    by_length = [
        {"min": low, "max": high, "n": int(inside.sum()), **_share(right[:, inside])}
        for low, high in length_ranges(some[0]["trained"], int(lengths.max()))
        if (inside := (lengths >= low) & (lengths <= high)).any()
    ]
    return {**_mean_of(some, "exact", "within", "beyond", "by_position"), "by_length": by_length}


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


def _concatenation(some: Runs) -> list[dict[str, Any]]:
    return [_joined(points) for points in zip(*(run["points"] for run in some), strict=True)]


def _joined(points: Runs) -> dict[str, Any]:
    """BLEU of one number of joined pairs over resampled seeds and joined sentences."""
    common = _mean_of(points, "joined", "n", "words")
    if any(point["counts"] is None for point in points):
        return {**common, "bleu": None}
    counts = np.array([point["counts"] for point in points])  # (K, n, 10)
    found = _estimate(counts, METRICS["bleu"].score, 100)
    ratio = float(length_ratio(counts.sum(axis=1)).mean())
    return {**common, "bleu": found.value, "length_ratio": ratio, "low": found.low, "high": found.high}


GATHERERS: dict[str, tuple[Callable[[Runs], Any], tuple[str, ...]]] = {
    "alignment": (_alignment, ("baselines", "n", "conventions")),
    "interventions": (lambda some: mean([run["kinds"] for run in some]), ("n", "description")),
    "costs": (_costs, ()),
    "beam_sweep": (_beam_sweep, ("split",)),
    "probe": (_probe, ("task", "trained", "n")),
    "concatenation": (_concatenation, ("split", "pairs", "longest")),
}
"""Analysis -> what becomes of the analyses of one system's seeds, and what they have in common."""
