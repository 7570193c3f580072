"""The report as Markdown: what fits into a README, an issue or a terminal."""

from collections.abc import Iterable, Sequence

from seq2seq.report.exhibits import Exhibits
from seq2seq.report.headline import lengths_in_words, with_interval
from seq2seq.report.model import Bucket, Report, SystemReport

SAMPLES = 5


def markdown(report: Report, exhibits: Exhibits) -> str:
    """The whole report; samples only where the exhibits hold sentences."""
    sections = [
        _opening(report),
        _systems(report),
        _by_length(report),
        _pictures(report, exhibits),
        _differences(report),
        _analyses(report),
        _judgements(report),
        _samples(exhibits),
        _provenance(report),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def cell(text: object) -> str:
    """Text that cannot break out of a table's cell or start markup."""
    plain = " ".join(str(text).split())
    for char in "\\`*_[]<>|#~$":
        plain = plain.replace(char, {"<": "&lt;", ">": "&gt;"}.get(char, f"\\{char}"))
    return plain.replace("&", "&amp;").replace("&amp;lt;", "&lt;").replace("&amp;gt;", "&gt;")


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table whose cells are Markdown already."""
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def code(text: str) -> str:
    """Text as a fenced block that it cannot end."""
    fence = "`" * max(3, 1 + max((len(run) for run in text.replace("`", " ` ").split() if set(run) == {"`"}), default=0))
    while fence in text:
        fence += "`"
    return f"{fence}text\n{text}\n{fence}"


def number(value: float | None, digits: int = 1) -> str:
    """A number, or a dash where there is none."""
    return "–" if value is None else f"{value:,.{digits}f}"


def p_value(value: float | None) -> str:
    """A p as it may be quoted."""
    return "–" if value is None else "< 0.001" if value < 0.001 else f"{value:.3f}"


def _opening(report: Report) -> str:
    lines = [f"# {cell(report.study)}", report.headline]
    if report.question:
        lines.insert(1, f"*{cell(report.question)}*")
    lines += ["\n".join(f"- {cell(note)}" for note in report.notes)]
    lines += [f"Split `{report.split}`, {report.n:,} sentences. `{report.signature}`"]
    return "\n\n".join(line for line in lines if line)


def _seeds(system: SystemReport) -> str:
    return "n=1" if system.single_seed else f"{len(system.seeds)}"


def _systems(report: Report) -> str:
    level = float(report.evaluation.get("confidence", 0.95))
    heads = ["system", f"BLEU [{level:.0%}]", "chrF", "TER", "− baseline", "p (Holm)", "verdict", "bottleneck index", "seeds"]
    heads += ["parameters", "training tokens", "updates", "minutes", "length ratio", "empty", "truncated", "repeated"]
    rows = []
    for name, system in report.systems.items():
        found, slope = system.comparison, system.bottleneck_index
        rows.append(
            [
                cell(name),
                with_interval(system),
                number(system.chrf),
                number(system.ter),
                f"{found.difference:+.1f} {interval(found.low, found.high)}"
                if found
                else "baseline"
                if report.baseline
                else "–",
                p_value(found.p_holm) if found else "–",
                found.verdict if found else "–",
                f"{slope.slope:+.2f} {interval(slope.low, slope.high, 2)}" if slope else "–",
                _seeds(system),
                number(system.parameters, 0),
                number(system.target_tokens, 0),
                number(system.steps, 0),
                number(None if system.seconds is None else system.seconds / 60),
                number(system.length_ratio, 2),
                number(system.empty, 0),
                number(system.truncated, 0),
                f"{system.repeated:.1%}",
            ]
        )
    note = "Bottleneck index: growth of the gap to the baseline, in points of sentence score per ten source words."
    return "## Systems\n\n" + table(heads, rows) + (f"\n\n{note}" if report.baseline else "")


def interval(low: float | None, high: float | None, digits: int = 1) -> str:
    """`[1.0, 2.0]`, or nothing."""
    return "" if low is None or high is None else f"[{low:.{digits}f}, {high:.{digits}f}]"


def _by_length(report: Report) -> str:
    buckets = next(iter(report.systems.values())).buckets
    heads = ["system", *(f"{lengths_in_words(b.min, b.max).removesuffix(' source words')} (n={b.n})" for b in buckets)]
    rows = [[cell(name), *map(_bucket_cell, system.buckets)] for name, system in report.systems.items()]
    note = "† underpowered: no verdict. ↑ ↓ better or worse than the baseline after Holm's correction over systems x buckets."
    return "## BLEU by source length in words\n\n" + table(heads, rows) + f"\n\n{note}"


def _bucket_cell(bucket: Bucket) -> str:
    mark = " †" if bucket.underpowered else ""
    if bucket.comparison is not None:
        mark += {"better": " ↑", "worse": " ↓"}.get(bucket.comparison.verdict, "")
    return with_interval(bucket) + mark


def _pictures(report: Report, exhibits: Exhibits) -> str:
    pictures = ["![BLEU against source length](bleu_by_length.png)"]
    if any(curve.validation for curves in report.learning_curves.values() for curve in curves):
        pictures.append("![Learning curves](learning_curves.png)")
    if exhibits.attention:
        pictures.append("![Attention of the systems on one sentence](attention.png)")
    return "\n\n".join(pictures)


def _differences(report: Report) -> str:
    if not report.config_differences:
        return ""
    names = list(report.systems)
    rows = [
        [f"`{path}`", *(cell(values.get(name, "–")) for name in names)] for path, values in report.config_differences.items()
    ]
    return "## What differs between the systems\n\n" + table(["setting", *map(cell, names)], rows)


def _analyses(report: Report) -> str:
    parts = []
    if report.alignment is not None:
        scored = {**report.alignment.systems, **{f"{name} (baseline)": s for name, s in report.alignment.baselines.items()}}
        rows = [[cell(n), *(f"{v:.3f}" for v in (s.aer, s.precision, s.recall, s.soft_mass))] for n, s in scored.items()]
        parts.append("## Alignment against gold links\n\n" + table(["system", "AER", "precision", "recall", "soft mass"], rows))
        parts.append(cell(report.alignment.conventions))
    if report.interventions is not None:
        rows = [
            [
                cell(name),
                cell(kind),
                number(found.bleu),
                *(number(v, 2) for v in (found.entropy, found.eos_mass, found.coverage)),
            ]
            for name, kinds in report.interventions.systems.items()
            for kind, found in kinds.items()
        ]
        heads = ["system", "weights", "BLEU", "entropy (bits)", "EOS mass", "coverage"]
        parts.append("## Interventions on the weights, without retraining\n\n" + table(heads, rows))
    if report.costs:
        rows = [
            [
                cell(n),
                *(number(v, d) for v, d in ((c.training_tokens_per_second, 0), (c.ms_per_sentence, 1), (c.flops_per_token, 0))),
            ]
            for n, c in report.costs.items()
        ]
        parts.append("## Cost\n\n" + table(["system", "training tokens/s", "ms per sentence", "FLOPs per token"], rows))
    return "\n\n".join(part for part in parts if part)


def _judgements(report: Report) -> str:
    parts = []
    if report.claims:
        rows = [[cell(c.claim), c.verdict, cell(c.explanation)] for c in report.claims]
        parts.append("## Textbook claims\n\n" + table(["claim", "verdict", "numbers"], rows))
    if report.shape_checks:
        rows = [
            [
                f"{cell(check.paper)}, {cell(check.where)}{'' if check.seen else ' (not seen in the source)'}",
                cell(check.claim),
                check.verdict,
                number(check.theirs),
                cell(check.ours),
            ]
            for check in report.shape_checks
        ]
        parts.append("## Papers against ours\n\n" + table(["where", "shape", "verdict", "theirs", "ours"], rows))
    return "\n\n".join(parts)


def _samples(exhibits: Exhibits) -> str:
    """A few sentences spread over the lengths, the first seed of every system."""
    if exhibits.sources is None or exhibits.references is None:
        return ""
    order = sorted(range(len(exhibits.lengths)), key=lambda index: exhibits.lengths[index])
    count = min(SAMPLES, len(order))
    chosen = [order[(2 * k + 1) * len(order) // (2 * count)] for k in range(count)]
    parts = []
    for index in chosen:
        rows = [["source", exhibits.sources[index]], ["reference", exhibits.references[index]]]
        rows += [[name, next(iter(by_seed.values()))[index]] for name, by_seed in exhibits.hypotheses.items()]
        shown = table(["", "text"], [[cell(name), cell(text) or "*(empty)*"] for name, text in rows]).replace("---:", "---")
        parts.append(f"Sentence {index + 1}, {exhibits.lengths[index]} source words\n\n{shown}")
    return "## Samples\n\n" + "\n\n".join(parts)


def _provenance(report: Report) -> str:
    parts = ["## How these numbers were made"]
    parts += [code(text) for text in (report.command, report.report_command) if text]
    parts.append("\n".join(f"- {name}: `{signature}`" for name, signature in report.signatures.items()))
    rows = [[f"`{key}`", cell(value)] for key, value in report.environment.items()]
    if rows:
        parts.append(table(["environment", ""], rows))
    return "\n\n".join(part for part in parts if part)
