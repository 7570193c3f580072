"""What trained models were asked, as Markdown: alignment, interventions, probes, search, cost."""

from seq2seq.report.analyses import BeamPoint, ConcatenationPoint
from seq2seq.report.crowd import is_crowd
from seq2seq.report.markup import cell, interval, number, table
from seq2seq.report.schema import Report


def analyses(report: Report) -> str:
    """Every analysis that there is."""
    parts = [_probe(report), _concatenation(report), _alignment(report), _interventions(report), _search(report), _cost(report)]
    return "\n\n".join(part for part in parts if part)


def _probe(report: Report) -> str:
    """Exact match in percent by length of the question."""
    if report.probe is None:
        return ""
    systems = report.probe.systems
    ranges = next(iter(systems.values())).by_length
    heads = ["system", *(f"{r.min}–{r.max} words (n={r.n})" for r in ranges), "beyond training"]
    rows = [
        [
            cell(name),
            *(f"{100 * r.exact:.1f} {interval(100 * r.low, 100 * r.high)}" for r in scores.by_length),
            number(None if scores.beyond is None else 100 * scores.beyond),
        ]
        for name, scores in systems.items()
    ]
    title = f"## Probe {cell(report.probe.task)}: answers right in every word, %"
    note = f"Trained on questions of up to {report.probe.trained} words."
    return f"{title}\n\n{table(heads, rows)}\n\n{note}"


def _concatenation(report: Report) -> str:
    """BLEU by number of joined pairs."""
    found = report.concatenation
    if found is None:
        return ""
    points = next(iter(found.systems.values()))
    heads = ["system", *(f"{p.joined} joined ({p.words:.0f} words, n={p.n})" for p in points)]
    rows = [[cell(name), *map(_joined, some)] for name, some in found.systems.items()]
    note = (
        f"The same {found.pairs} pairs of {cell(found.split)}, up to {found.longest} source words each, joined in order with "
        "their references: length grows, what is to be translated stays the same. The last number is the length ratio."
    )
    return f"## BLEU of short pairs joined\n\n{table(heads, rows)}\n\n{note}"


def _joined(point: ConcatenationPoint) -> str:
    if point.bleu is None:
        return "refused"
    ratio = "" if point.length_ratio is None else f"; {point.length_ratio:.2f}"
    return f"{point.bleu:.1f} {interval(point.low, point.high)}{ratio}"


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


def _search(report: Report) -> str:
    """What tuning chose, beside greedy search."""
    if report.beam_sweep is None:
        return ""

    def shown(point: BeamPoint | None) -> list[str]:
        return ["–"] * 3 if point is None else [str(point.beam), f"{point.length_penalty:g}", number(point.bleu, 2)]

    rows = []
    for name, points in report.beam_sweep.systems.items():
        chosen = next((point for point in points if point.chosen), None)
        greedy = next((point for point in points if point.beam == 1), None)
        rows.append([cell(name), *shown(chosen), shown(greedy)[-1]])
    heads = ["system", "chosen beam", "length penalty", "BLEU", "BLEU, greedy"]
    return f"## Search chosen on {cell(report.beam_sweep.split)}\n\n{table(heads, rows)}"


def _cost(report: Report) -> str:
    if not report.costs:
        return ""
    rows = [
        [
            cell(name),
            number(cost.training_tokens_per_second, 0),
            number(cost.ms_per_sentence, 1),
            number(cost.flops_per_token, 0),
        ]
        for name, cost in report.costs.items()
    ]
    return "## Cost\n\n" + table(["system", "training tokens/s", "ms per sentence", "FLOPs per token"], rows)
