"""Tables for pages that are not a report (the README, the page of results), made from a published `report.json`."""

from pathlib import Path
from typing import Any

from seq2seq.report.runs import read_json


def length_table(study: Path) -> str:
    """BLEU by source length, a Markdown row a system; the whole-set score with its interval, see `Scores.low` and `high`.

    Args:
        study: a published study's folder.
    """
    systems = _report(study)["systems"]
    buckets = next(iter(systems.values()))["buckets"]
    names = [f"{b['min']}-{b['max']}" if b["max"] is not None else f"{b['min']}+" for b in buckets]
    rows = [
        ["system", "BLEU", *names, "parameters", "seeds"],
        ["---", *["---:"] * (len(names) + 3)],
        ["*sentences*", "", *(str(b["n"]) for b in buckets), "", ""],
    ]
    for name, system in systems.items():
        cells = [f"{b['bleu']:.1f}" for b in system["buckets"]]
        rows.append([name, _interval(system), *cells, f"{system['parameters']:,}", str(len(system["seeds"]))])
    return _markdown(rows)


def ranking_table(study: Path) -> str:
    """Systems in the order of BLEU with the intervals of score and rank, and the difference to the baseline.

    Args:
        study: a published study's folder.
    """
    report = _report(study)
    rows = [
        ["rank", "system", "BLEU", f"minus {report['baseline']}", "parameters"],
        ["---:", "---", "---:", "---:", "---:"],
    ]
    for place in report["ranking"]:
        system = report["systems"][place["system"]]
        compared = system.get("comparison")
        difference = f"{compared['difference']:+.1f} ({compared['verdict']})" if compared else ""
        rank = f"{place['rank']} [{place['low']}, {place['high']}]"
        rows.append([rank, place["system"], _interval(system), difference, f"{system['parameters']:,}"])
    return _markdown(rows)


def checks_table(study: Path) -> str:
    """Paper against ours: the claims that the study's systems and sentences allow to be checked, with both numbers.

    Args:
        study: a published study's folder.
    """
    rows = [["paper", "claim", "theirs", "ours", "verdict"], ["---", "---", "---:", "---", "---"]]
    for check in _report(study)["shape_checks"] or []:
        if check["verdict"] == "not applicable":
            continue
        theirs = "" if check["theirs"] is None else f"{check['theirs']:+g}"
        rows.append([_short(check["paper"]) + f", {check['where']}", check["claim"], theirs, check["ours"], check["verdict"]])
    return _markdown(rows)


def probe_table(study: Path) -> str:
    """Exact match on a synthetic probe by words of the question, a row a system, in percent.

    Args:
        study: a published study's folder.
    """
    probe = _report(study)["probe"]
    parts = next(iter(probe["systems"].values()))["by_length"]
    rows = [
        ["system", *(f"{part['min']}-{part['max']}" for part in parts)],
        ["---", *["---:"] * len(parts)],
        ["*questions*", *(str(part["n"]) for part in parts)],
    ]
    for name, system in probe["systems"].items():
        rows.append([name, *(f"{100 * part['exact']:.1f}" for part in system["by_length"])])
    return _markdown(rows)


def attention_table(study: Path) -> str:
    """Alignment error rate of each system's weights, and BLEU with its weights replaced; controls first.

    Args:
        study: a published study's folder, of a corpus with gold links.
    """
    report = _report(study)
    alignment, replaced = report["alignment"], report["interventions"]["systems"]
    kinds = [kind for kind in next(iter(replaced.values())) if kind != "original"]
    rows = [["system", "AER", "BLEU", *kinds], ["---", "---:", *["---:"] * (len(kinds) + 1)]]
    for name, error in alignment["baselines"].items():
        rows.append([f"*{name}*", f"{error['aer']:.3f}", *[""] * (len(kinds) + 1)])
    for name, found in replaced.items():
        error = alignment["systems"][name]
        scores = [f"{found[kind]['bleu']:.1f}" for kind in ("original", *kinds)]
        ends = "" if error["low"] is None else f" [{error['low']:.3f}, {error['high']:.3f}]"
        rows.append([name, f"{error['aer']:.3f}{ends}", *scores])
    return _markdown(rows)


TABLES = {
    "lengths": length_table,
    "ranking": ranking_table,
    "checks": checks_table,
    "probe": probe_table,
    "attention": attention_table,
}
"""By the name that a page asks for."""


def _report(study: Path) -> dict[str, Any]:
    report: dict[str, Any] = read_json(study / "report" / "report.json")
    return report


def _interval(scores: dict[str, Any]) -> str:
    if scores["low"] is None:
        return f"{scores['bleu']:.1f} (seeds {', '.join(f'{each:.1f}' for each in scores['seed_bleu'])})"
    return f"{scores['bleu']:.1f} [{scores['low']:.1f}, {scores['high']:.1f}]"


def _short(paper: str) -> str:
    """First author and year: "Bahdanau, Cho, Bengio 2015" is "Bahdanau et al. 2015"."""
    authors, _, year = paper.rpartition(" ")
    first, _, others = authors.partition(",")
    return f"{first} et al. {year}" if others else paper


def _markdown(rows: list[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
