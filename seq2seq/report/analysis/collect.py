"""From the analyses of single runs to those of a study, `<runs>/<name>.json`, as the report reads them: means over seeds."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from seq2seq.report.analysis.probe import length_ranges
from seq2seq.report.analysis.store import read_analysis
from seq2seq.report.analysis.sweep import choose, mean_points
from seq2seq.report.runs import study_folders
from seq2seq.run.folder import write_json
from seq2seq.scoring.bootstrap import Part, estimate_alone, resampled_counts
from seq2seq.scoring.metrics import METRICS, length_ratio

Known = dict[str, list[dict[str, Any]]]
"""System -> the analysis of each of its seeds."""
_RESAMPLES = 1000


def collect_analyses(folder: Path) -> list[str]:
    """Gather what lies in the runs of a study into one file for each analysis.

    Runs of one system that answered different questions (another split, other sentences) are not averaged: the question that
    most runs answered counts.

    Returns:
        The names of the analyses that there are.

    Raises:
        UserError: no runs in the folder.
    """
    runs, _ = study_folders(folder)
    written = []
    for name, gather in GATHERERS.items():
        known: Known = {}
        for run in runs:
            found = read_analysis(run, name)
            if found is not None:
                known.setdefault(run.system, []).append(found)
        known = _same_question(known)
        if known:
            write_json(folder / f"{name}.json", gather(known))
            written.append(name)
    return written


def _same_question(known: Known) -> Known:
    def of(analysis: dict[str, Any]) -> str:
        return str({key: value for key, value in analysis.get("question", {}).items() if key != "step"})

    asked = [of(analysis) for analyses in known.values() for analysis in analyses]
    if not asked:
        return {}
    usual = max(dict.fromkeys(asked), key=asked.count)
    kept = {system: [analysis for analysis in some if of(analysis) == usual] for system, some in known.items()}
    return {system: some for system, some in kept.items() if some}


def _alignment(known: Known) -> dict[str, Any]:
    first = next(iter(known.values()))[0]
    names = ("aer", "precision", "recall", "soft_mass")
    systems = {
        system: {**{name: fmean(run[name] for run in some) for name in names}, **_interval(some)}
        for system, some in known.items()
    }
    return {"systems": systems, "baselines": first["baselines"], "n": first["n"], "conventions": first["conventions"]}


def _interval(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Interval of the error rate over resampled seeds and sentences."""
    counts = np.array([run["counts"] for run in runs])  # (K, n, 6)

    def rate(sums: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        predicted, sure, both_sure, both_possible = (sums[..., i] for i in range(4))
        return np.asarray(1 - (both_sure + both_possible) / np.maximum(predicted + sure, 1e-12))

    generator = np.random.default_rng(1)
    drawn = np.concatenate(list(resampled_counts(generator, counts.shape[1], _RESAMPLES)))  # (R, n)
    part = Part(rate(counts.sum(axis=1)), np.stack([rate(drawn @ run) for run in counts], axis=1))
    found = estimate_alone(part, sentences=counts.shape[1], bounds=(0, 1))
    return {"low": found.low, "high": found.high, "aer_by_seed": part.points.tolist()}


def _interventions(known: Known) -> dict[str, Any]:
    first = next(iter(known.values()))[0]
    systems = {}
    for system, some in known.items():
        systems[system] = {kind: _mean_of([run["kinds"][kind] for run in some]) for kind in some[0]["kinds"]}
    return {"systems": systems, "n": first["n"], "description": first["description"]}


def _mean_of(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Average numbers over runs, those of buckets bucket by bucket."""
    means: dict[str, Any] = {key: fmean(run[key] for run in runs) for key, value in runs[0].items() if key != "buckets"}
    means["buckets"] = [
        {**bucket, "bleu": fmean(run["buckets"][place]["bleu"] for run in runs)}
        for place, bucket in enumerate(runs[0]["buckets"])
    ]
    return means


def _costs(known: Known) -> dict[str, Any]:
    numbers = ("training_tokens_per_second", "flops_per_token", "heads_used", "positions_used")
    systems = {}
    for system, some in known.items():
        lengths = [
            [point for run in some for point in run["by_length"] if point["length"] == length] for length in _lengths(some)
        ]
        systems[system] = {
            **{name: _mean_known([run.get(name) for run in some]) for name in numbers},
            "by_length": [
                {
                    "length": points[0]["length"],
                    "ms_per_sentence": fmean(point["ms_per_sentence"] for point in points),
                    "peak_bytes": max(point["peak_bytes"] for point in points),
                    "sentences": points[0]["sentences"],
                }
                for points in lengths
            ],
            "hardware": some[0]["hardware"],
        }
    return systems


def _lengths(runs: Sequence[Mapping[str, Any]]) -> list[int]:
    return sorted({point["length"] for run in runs for point in run["by_length"]})


def _mean_known(values: Sequence[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    return fmean(there) if there else None


def _beam_sweep(known: Known) -> dict[str, Any]:
    systems = {}
    for system, some in known.items():
        points = mean_points([run["points"] for run in some])
        best = choose(points)
        systems[system] = [{**point, "chosen": point is best} for point in points]
    return {"split": next(iter(known.values()))[0]["split"], "systems": systems}


def _probe(known: Known) -> dict[str, Any]:
    first = next(iter(known.values()))[0]
    lengths = np.array(first["lengths"])
    systems = {}
    for system, some in known.items():
        right = np.array([[int(each) for each in run["right"]] for run in some], dtype=np.float64)  # (K, n)
        ranges = [(low, high, (lengths >= low) & (lengths <= high)) for low, high in _ranges(first)]
        systems[system] = {
            **{name: _mean_known([run.get(name) for run in some]) for name in ("exact", "within", "beyond")},
            "by_length": [
                {"min": low, "max": high, "n": int(inside.sum()), **_share(right[:, inside])}
                for low, high, inside in ranges
                if inside.any()
            ],
            "by_position": [
                {**place, "right": fmean(run["by_position"][index]["right"] for run in some)}
                for index, place in enumerate(some[0]["by_position"])
            ],
        }
    return {"task": first["task"], "trained": first["trained"], "n": len(lengths), "systems": systems}


def _ranges(probe: Mapping[str, Any]) -> list[tuple[int, int]]:
    return length_ranges(probe["trained"], max(probe["lengths"]))


def _share(right: np.ndarray[Any, Any]) -> dict[str, float]:
    """Share of right answers (K, n) with its interval: over seeds and answers, and never narrower than Wilson's for n answers.

    Resampling answers that are all right, or all wrong, shows no variance; Wilson 1927 (JASA 22, 209-212) knows better. Two
    seeds that rule leave no interval over seeds; then both are held by the one over answers.
    """
    from scipy.stats import binomtest

    share, n = float(right.mean()), right.shape[1]
    wilson = binomtest(round(share * n), n).proportion_ci(method="wilson")
    ends = [float(wilson.low), float(wilson.high), *right.mean(axis=1).tolist()]
    if len(right) > 1:
        drawn = np.concatenate(list(resampled_counts(np.random.default_rng(1), n, _RESAMPLES)))
        found = estimate_alone(Part(right.mean(axis=1), drawn @ right.T / n), sentences=n, bounds=(0, 1))
        ends += [end for end in (found.low, found.high) if end is not None]
    return {"exact": share, "low": min(ends), "high": max(ends)}


def _concatenation(known: Known) -> dict[str, Any]:
    first = next(iter(known.values()))[0]
    systems = {
        system: [_joined([run["points"][place] for run in some]) for place in range(len(first["points"]))]
        for system, some in known.items()
    }
    return {"split": first["split"], "pairs": first["pairs"], "longest": first["longest"], "systems": systems}


def _joined(points: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """BLEU of one number of joined pairs over resampled seeds and joined sentences."""
    first = points[0]
    common = {name: first[name] for name in ("joined", "n", "words")}
    if any(point["counts"] is None for point in points):
        return {**common, "bleu": None}
    counts = np.array([point["counts"] for point in points])  # (K, n, 10)
    generator = np.random.default_rng(1)
    drawn = np.concatenate(list(resampled_counts(generator, counts.shape[1], _RESAMPLES)))  # (R, n)
    score = METRICS["bleu"].score
    part = Part(score(counts.sum(axis=1)), np.stack([score(drawn @ run) for run in counts], axis=1))
    found = estimate_alone(part, sentences=counts.shape[1], bounds=(0, 100))
    ratio = float(length_ratio(counts.sum(axis=1)).mean())
    return {**common, "bleu": found.value, "length_ratio": ratio, "low": found.low, "high": found.high}


GATHERERS: dict[str, Callable[[Known], dict[str, Any]]] = {
    "alignment": _alignment,
    "interventions": _interventions,
    "costs": _costs,
    "beam_sweep": _beam_sweep,
    "probe": _probe,
    "concatenation": _concatenation,
}
