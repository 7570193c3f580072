"""Analyses without a figure as Markdown: alignment and interventions."""

from seq2seq.report.crowd import is_crowd
from seq2seq.report.markup import cell, number, table
from seq2seq.report.schema import Report


def analyses(report: Report) -> str:
    """Every analysis that there is."""
    return "\n\n".join(part for part in (_alignment(report), _interventions(report)) if part)


def _alignment(report: Report) -> str:
    if report.alignment is None:
        return ""
    scored = {**report.alignment.systems, **{f"{name} (baseline)": s for name, s in report.alignment.baselines.items()}}
    rows = [[cell(n), *(f"{v:.3f}" for v in (s.aer, s.precision, s.recall, s.soft_mass))] for n, s in scored.items()]
    shown = table(["system", "AER", "precision", "recall", "soft mass"], rows)
    return f"## Alignment against gold links\n\n{shown}\n\n{cell(report.alignment.conventions)}"


def _interventions(report: Report) -> str:
    if report.interventions is None:
        return ""
    systems = report.interventions.systems
    if is_crowd(report):
        kinds = list(next(iter(systems.values())))
        heads = ["system", *(f"BLEU, {kind}" for kind in kinds), "entropy (bits)", "EOS mass", "coverage"]
        rows = []
        for name, found in systems.items():
            own = found[kinds[0]]
            about = [number(v, 2) for v in (own.entropy, own.eos_mass, own.coverage)]
            rows.append([cell(name), *(number(found[kind].bleu) for kind in kinds), *about])
    else:
        heads = ["system", "weights", "BLEU", "entropy (bits)", "EOS mass", "coverage"]
        rows = [
            [cell(name), cell(kind), number(one.bleu), *(number(v, 2) for v in (one.entropy, one.eos_mass, one.coverage))]
            for name, found in systems.items()
            for kind, one in found.items()
        ]
    return "## Interventions on the weights, without retraining\n\n" + table(heads, rows)
