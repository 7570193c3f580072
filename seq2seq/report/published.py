"""Tables for pages that are not a report (the README, the page of results), made from a published `report.json`."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from seq2seq.report.runs import read_report
from seq2seq.report.schema import Report
from seq2seq.report.score_tables import checks_table, length_table, systems_table, tested
from seq2seq.report.values import Cell, Measured, Table, as_markdown, share


def published_table(name: str, study: Path) -> str:
    """Write a table of `TABLES` in Markdown, of a published study's folder."""
    return as_markdown(TABLES[name](read_report(study / "report" / "report.json")))


def _lengths(report: Report) -> Table:
    """BLEU by source length, a row a system; the whole-set score with its interval."""
    table = length_table(report)
    rows = [[*row[:2], *(cell.bare() if isinstance(cell, Measured) else cell for cell in row[2:])] for row in table.rows]
    return replace(table, rows=rows)


def _ranking(report: Report) -> Table:
    """Systems in the order of BLEU with the interval of their rank."""
    table = systems_table(report, ranked=True)
    return table.select(["system", "rank", "BLEU", *(head for head in table.heads if head == "difference"), "parameters"])


def _kept(report: Report) -> Table:
    """BLEU on short and long sources, the share that is kept, and the half-length, a row a system."""
    return systems_table(report).select(["system", "BLEU, short", "BLEU, long", "kept", "kept above chance", "half-length"])


def _probe(report: Report) -> Table:
    """Exact match on a synthetic probe by words of the question, a row a system."""
    assert report.probe is not None
    parts = next(iter(report.probe.systems.values())).by_length
    rows = [["questions", *(str(part.n) for part in parts)]]
    rows += [
        [name, *(share(part.exact, digits=1).text for part in scores.by_length)]
        for name, scores in report.probe.systems.items()
    ]
    return Table(heads=["system", *(f"{part.min}-{part.max}" for part in parts)], rows=rows)


def _attention(report: Report) -> Table:
    """Alignment error rate of each system's weights, and BLEU with its weights replaced; controls first."""
    assert report.alignment is not None
    assert report.interventions is not None
    replaced = report.interventions.systems
    kinds = [kind for kind in next(iter(replaced.values())) if kind != "original"]
    rows: list[list[Cell]] = [
        [name, Measured(each.aer, digits=3), *[""] * (len(kinds) + 1)] for name, each in report.alignment.baselines.items()
    ]
    for name, found in replaced.items():
        error = report.alignment.systems[name]
        scores = [Measured(found[kind].bleu) for kind in ("original", *kinds)]
        rows.append([name, Measured(error.aer, error.low, error.high, 3), *scores])
    return Table(heads=["system", "AER", "BLEU", *kinds], rows=rows)


TABLES: dict[str, Callable[[Report], Table]] = {
    "lengths": _lengths,
    "ranking": _ranking,
    "kept": _kept,
    "checks": lambda report: tested(checks_table(report), 2)[0],
    "probe": _probe,
    "attention": _attention,
}
"""By the name that a page asks for."""
