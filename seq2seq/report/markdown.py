"""The report as Markdown: what fits into a README, an issue or a terminal."""

from collections.abc import Sequence

from seq2seq.report.charts import Figure
from seq2seq.report.crowd import changes_from_baseline, in_focus, is_crowd
from seq2seq.report.exhibits import Exhibits
from seq2seq.report.headline import MEASURES, half_length_in_words, share, with_interval
from seq2seq.report.markdown_analyses import analyses
from seq2seq.report.markup import cell, code, interval, number, p_value, table
from seq2seq.report.schema import Report, SystemReport
from seq2seq.scoring.length import Contrast

SAMPLES = 5


def markdown(report: Report, exhibits: Exhibits, figures: Sequence[Figure]) -> str:
    """The whole report; samples only where the exhibits hold sentences."""
    sections = [
        _opening(report),
        _ranking(report),
        _systems(report),
        _length_effects(report),
        *map(_figure, figures),
        _differences(report),
        analyses(report),
        _judgements(report),
        _samples(report, exhibits),
        _provenance(report),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _opening(report: Report) -> str:
    lines = [f"# {cell(report.study)}", report.headline]
    if report.question:
        lines.insert(1, f"*{cell(report.question)}*")
    lines += ["\n".join(f"- {cell(note)}" for note in report.notes)]
    lines += [f"Split `{report.split}`, {report.n:,} sentences. `{report.signature}`"]
    return "\n\n".join(line for line in lines if line)


def _seeds(system: SystemReport) -> str:
    return "n=1" if system.single_seed else f"{len(system.seeds)}"


def _ranking(report: Report) -> str:
    """Places with their intervals, for studies of so many systems that a reader would otherwise sort the table by hand."""
    if not is_crowd(report):
        return ""
    level = float(report.evaluation.get("confidence", 0.95))
    heads = ["system", "rank", f"rank [{level:.0%}]", f"BLEU [{level:.0%}]", "− baseline", "p (Holm)", "verdict", "parameters"]
    rows = []
    for place in report.ranking:
        system = report.systems[place.system]
        found = system.comparison
        difference = f"{found.difference:+.1f} {interval(found.low, found.high)}" if found else "baseline"
        judged = [p_value(found.p_holm), found.verdict] if found else ["–", "–"]
        ranks = [str(place.rank), f"{place.low}–{place.high}"]
        scores = [with_interval(system), difference, *judged, number(system.parameters, 0)]
        rows.append([cell(place.system), *ranks, *scores])
    note = "Ranks whose intervals overlap are not told apart by these sentences and seeds."
    return f"## Ranking\n\n{cell(report.fairness.sentence)} {note}\n\n{table(heads, rows)}"


def _systems(report: Report) -> str:
    level = float(report.evaluation.get("confidence", 0.95))
    heads = ["system", f"BLEU [{level:.0%}]", "chrF", "TER", "− baseline", "p (Holm)", "verdict", "seeds"]
    heads += ["parameters", "training tokens", "updates", "minutes", "length ratio", "empty", "truncated", "repeated"]
    rows = []
    for name, system in report.systems.items():
        found = system.comparison
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
    return "## Systems\n\n" + table(heads, rows)


def _length_effects(report: Report) -> str:
    """Every measure of what length does, side by side, the planned one marked."""
    effects = {name: system.length for name, system in report.systems.items() if system.length is not None}
    if not effects:
        return ""
    first, marked = next(iter(effects.values())), report.primary
    names = {"retention": "retention", "half_length": "half-length L50"}
    contrasts = {"log_ratio": "log-ratio", "points": "growth in points", "bottleneck_index": "bottleneck index"}
    shown = names | (contrasts if report.baseline is not None else {})
    heads = ["system", f"BLEU up to {first.short_max}", f"BLEU above {first.long_min - 1}"]
    heads += [f"{text} (planned)" if key == marked else text for key, text in shown.items()]
    rows = []
    for name, each in effects.items():
        kept = each.retention
        row = [cell(name), f"{each.short:.1f}", f"{each.long:.1f}", share(kept.value, kept.low, kept.high)]
        row += [half_length_in_words(each.half_length)]
        rows.append(row + [_contrast(getattr(each, key)) for key in contrasts if report.baseline is not None])
    planned = f"Planned: {MEASURES[marked]}." if marked else "No measure was planned before the run."
    note = (
        f"Retention: BLEU on the {first.n_long:,} sources above {first.long_min - 1} words over that on the "
        f"{first.n_short:,} of at most {first.short_max}. L50: words at which BLEU is down to half of the shortest bucket's. "
        f"Log-ratio: log of retention minus that of {report.baseline or 'the baseline'}; growth in points: of the gap, from "
        "short to long; bottleneck index: points of sentence score per ten words. Above 0 the system loses less; "
        f"Holm-corrected over systems. {planned}"
    )
    caution = f" {cell(report.bottleneck_caution)}" if report.bottleneck_caution else ""
    return f"## What length does\n\n{table(heads, rows)}\n\n{note}{caution}"


def _contrast(found: Contrast | None) -> str:
    if found is None:
        return "baseline"
    ends = interval(found.low, found.high, 2) or "(too few seeds for an interval)"
    return f"{found.value:+.2f} {ends} {found.verdict}"


def _figure(figure: Figure) -> str:
    """A figure, how to read it, and the numbers behind it."""
    parts = [f"## {cell(figure.title)}", f"![{figure.title}]({figure.name}.png)", cell(figure.caption)]
    if figure.rows:
        parts.append(table(figure.heads, [[cell(name), *rest] for name, *rest in figure.rows]))
    return "\n\n".join(parts)


def _differences(report: Report) -> str:
    if not report.config_differences:
        return ""
    if is_crowd(report):
        lists = {
            name: ", ".join(f"{path}: {cell(value)}" for path, value in changes.items())
            for name, changes in changes_from_baseline(report).items()
        }
        rows = [[cell(name), text or "–"] for name, text in lists.items()]
        return f"## What differs from {cell(report.baseline or 'the first system')}\n\n" + table(["system", "settings"], rows)
    names = list(report.systems)
    rows = [
        [f"`{path}`", *(cell(values.get(name, "–")) for name in names)] for path, values in report.config_differences.items()
    ]
    return "## What differs between the systems\n\n" + table(["setting", *map(cell, names)], rows)


def _judgements(report: Report) -> str:
    parts = []
    if report.claims:
        rows = [[cell(c.claim), c.verdict, cell(c.explanation), cell(c.replicates), cell(c.controls)] for c in report.claims]
        parts.append("## Textbook claims\n\n" + table(["claim", "verdict", "numbers", "replicates", "controls"], rows))
    if report.shape_checks:
        rows = [
            [
                f"{cell(check.paper)}, {cell(check.where)}",
                cell(check.claim),
                check.verdict,
                number(check.theirs),
                cell(check.ours),
            ]
            for check in report.shape_checks
        ]
        parts.append("## Papers against ours\n\n" + table(["where", "shape", "verdict", "theirs", "ours"], rows))
    return "\n\n".join(parts)


def _samples(report: Report, exhibits: Exhibits) -> str:
    """A few sentences spread over the lengths, the first seed of every system that is in focus."""
    if exhibits.sources is None or exhibits.references is None:
        return ""
    order = sorted(range(len(exhibits.lengths)), key=lambda index: exhibits.lengths[index])
    count = min(SAMPLES, len(order))
    chosen = [order[(2 * k + 1) * len(order) // (2 * count)] for k in range(count)]
    parts = []
    for index in chosen:
        rows = [["source", exhibits.sources[index]], ["reference", exhibits.references[index]]]
        rows += [[name, next(iter(exhibits.hypotheses[name].values()))[index]] for name in in_focus(report)]
        shown = table(["", "text"], [[cell(name), cell(text) or "*(empty)*"] for name, text in rows]).replace("---:", "---")
        parts.append(f"Sentence {index + 1}, {exhibits.lengths[index]} source {report.length_unit}\n\n{shown}")
    return "## Samples\n\n" + "\n\n".join(parts)


def _provenance(report: Report) -> str:
    parts = ["## How these numbers were made"]
    parts += [code(text) for text in (report.command, report.report_command) if text]
    parts.append("\n".join(f"- {name}: `{signature}`" for name, signature in report.signatures.items()))
    rows = [[f"`{key}`", cell(value)] for key, value in report.environment.items()]
    if rows:
        parts.append(table(["environment", ""], rows))
    return "\n\n".join(part for part in parts if part)
