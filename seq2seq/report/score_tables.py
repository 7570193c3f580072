"""Tables of scores, as the report, the terminal and pages elsewhere show them: by length, by system, paper against ours."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from seq2seq.report.crowd import is_crowd
from seq2seq.report.headline import half_length_in_words, kept_share, lengths_in_words, translates_nothing
from seq2seq.report.schema import Report, SystemReport
from seq2seq.report.values import NONE, Cell, Measured, Table, bleu, p_value, share
from seq2seq.scoring.length import Contrast
from seq2seq.scoring.results import BucketScores, Scores

UNTESTED = ("not tested", "not applicable")  # verdicts


def bleu_by_length(rows: Mapping[str, tuple[Scores, Sequence[BucketScores]]]) -> Table:
    """BLEU of the whole set and of its length buckets, a row a system; the first row has the numbers of sentences."""
    first, buckets = next(iter(rows.values()))
    heads = [lengths_in_words(bucket.min, bucket.max, unit="") for bucket in buckets]
    cells: list[list[Cell]] = [["sentences", f"{first.n:,}", *(f"{bucket.n:,}" for bucket in buckets)]]
    cells += [[name, bleu(whole), *map(_bucket, parts)] for name, (whole, parts) in rows.items()]
    return Table(title="BLEU by source length", heads=["system", "BLEU", *heads], rows=cells)


def _bucket(scores: BucketScores) -> Measured:
    """BLEU of a bucket: † marks a small sample, an arrow a difference to the baseline that is shown."""
    verdict = scores.comparison.verdict if scores.comparison else ""
    marks = ["†"] * scores.underpowered + [{"better": "↑", "worse": "↓"}.get(verdict, "")]
    return bleu(scores, " ".join(filter(None, marks)))


def length_table(report: Report) -> Table:
    """`bleu_by_length` of a report, with parameters and seeds."""
    table = bleu_by_length({name: (system, system.buckets) for name, system in report.systems.items()})
    facts: list[list[Cell]] = [["", ""]]
    facts += [[Measured(system.parameters, digits=0), str(len(system.seeds))] for system in report.systems.values()]
    rows = [[*row, *more] for row, more in zip(table.rows, facts, strict=True)]
    return replace(table, heads=[*table.heads, "parameters", "seeds"], rows=rows)


def systems_table(report: Report, *, ranked: bool = False) -> Table:
    """Everything that one line can say of each system; of a crowd, or `ranked`, the highest score first."""
    ranked = ranked or is_crowd(report)
    order = [place.system for place in report.ranking] if ranked else list(report.systems)
    ranks = {place.system: Measured(place.rank, place.low, place.high, digits=0) for place in report.ranking}
    rows = [_system(report, name, report.systems[name], ranks.get(name)) for name in order]
    known = {
        **dict.fromkeys(("difference", "p", *_CONTRASTS.values()), report.baseline is not None),
        "rank": ranked,
        "TER": "ter" in report.signatures,
        _ABOVE: any(system.length and system.length.above_chance for system in report.systems.values()),
    }
    heads = [head for head in rows[0] if known.get(head, True)]
    main = ("system", "BLEU", "difference", "kept", "seeds", "parameters")
    return Table(
        title="Table of systems",
        heads=heads,
        rows=[[row[head] for head in heads] for row in rows],
        more=[head for head in heads if head not in main],
        systems=True,
    )


_ABOVE = "kept above chance"
_CONTRASTS = {"log_ratio": "log-ratio", "points": "growth in points", "bottleneck_index": "bottleneck index"}


def _system(report: Report, name: str, system: SystemReport, rank: Measured | None) -> dict[str, Cell]:
    found, length = system.comparison, system.length
    difference: Cell = "baseline" if report.baseline else NONE
    if found:
        difference = Measured(found.difference, found.low, found.high, sign=True, verdict=found.verdict)
    return {
        "system": name,
        "BLEU": bleu(system),
        "difference": difference,
        "kept": kept_share(length),
        "seeds": "n=1" if system.single_seed else str(len(system.seeds)),
        "parameters": Measured(system.parameters, digits=0),
        "rank": rank or NONE,
        "chrF": Measured(system.chrf),
        "TER": Measured(system.ter),
        "p": p_value(found.p_holm) if found else NONE,
        **{label: contrast(report, name, key) for key, label in _CONTRASTS.items()},
        "half-length": half_length_in_words(length.half_length if length else None, report.length_unit),
        _ABOVE: kept_share(length, above_chance=True),
        "BLEU, short": Measured(length.short if length else None),
        "BLEU, long": Measured(length.long if length else None),
        "training tokens": Measured(system.target_tokens, digits=0),
        "updates": Measured(system.steps, digits=0),
        "wall-clock, min": Measured(system.seconds and system.seconds / 60),
        "length ratio": Measured(system.length_ratio, digits=2),
        "empty": Measured(system.empty, digits=0),
        "truncated": Measured(system.truncated, digits=0),
        "repeated": share(system.repeated, digits=1),
    }


def contrast(report: Report, name: str, measure: str) -> Measured:
    """A system against the baseline on a measure of what length does; only points where one of them translates nothing."""
    effects = [report.systems[each].length for each in (name, report.baseline) if each in report.systems]
    found: Contrast | None = getattr(effects[0], measure, None)
    if found is None or (measure != "points" and any(map(translates_nothing, effects))):
        return Measured(None)
    return Measured(found.value, found.low, found.high, 2, sign=True, verdict=found.verdict)


def checks_table(report: Report) -> Table:
    """Paper against ours, every check."""
    rows: list[list[Cell]] = [
        [
            f"{c.paper}, {c.where}{f' ({c.source})' if c.source else ''}",
            c.claim,
            c.verdict,
            Measured(c.theirs, digits=2, sign=True),
            c.ours,
        ]
        for c in report.shape_checks or ()
    ]
    return Table(
        title="Paper against ours", heads=["paper", "what it shows", "verdict", "theirs", "ours"], rows=rows, words=True
    )


def tested(table: Table, column: int) -> tuple[Table, Table]:
    """The claims of a table that were tested, and the others, by the column of the verdict."""
    parts = ([row for row in table.rows if (row[column] in UNTESTED) == untested] for untested in (False, True))
    first, rest = (replace(table, rows=rows) for rows in parts)
    return first, replace(rest, title=f"{table.title}, not tested here")
