"""The report as sections of text, tables and figures: said once, written as a page, as Markdown and in parts elsewhere."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from seq2seq.config.differences import flatten
from seq2seq.config.errors import counted
from seq2seq.report.analyses import Intervention
from seq2seq.report.charts import Figure
from seq2seq.report.crowd import in_focus, is_crowd
from seq2seq.report.exhibits import Exhibits
from seq2seq.report.headline import MEASURES, lengths_in_words, translates_nothing
from seq2seq.report.schema import Report
from seq2seq.report.score_tables import checks_table, systems_table, tested
from seq2seq.report.values import NONE, Cell, Code, Measured, Table, bleu, plain
from seq2seq.run.folder import run_name
from seq2seq.scoring.evidence import LEAST_BLEU

SAMPLES = 5


class Block(str):
    """Lines of text as they are."""


@dataclass(frozen=True)
class Folded:
    """Parts that the page shows on demand."""

    summary: str
    parts: "Sequence[Part]"


Part = str | Table | Figure | Folded


@dataclass(frozen=True)
class Section:
    """A part of the report; `nav` is its name in the page's list. The script draws "attention" and "translations" itself."""

    name: str
    title: str
    nav: str
    parts: Sequence[Part]


def sections(report: Report, exhibits: Exhibits, figures: Sequence[Figure]) -> list[Section]:
    """Every section that the report has something for, in order."""
    drawn = {figure.name: figure for figure in figures}
    made = [Section("systems", "Systems", "Systems", list(_systems(report)))]
    for name, title, nav, stems, analysis in _OF_FIGURES:
        if shown := [drawn[stem] for stem in stems if stem in drawn]:
            made.append(Section(name, title or shown[0].title, nav, [*shown, *_lacking(report, analysis)]))
    made += [
        Section("alignment", "Attention against gold links", "", list(_alignment(report))),
        Section("interventions", "What if the weights were different?", "", list(_interventions(report))),
        Section("translations", "Translations side by side", "Translations", _samples(report, exhibits)),
        Section("claims", "Claims and published shapes", "Claims", list(_judgements(report))),
        Section("differences", "Settings that differ", "Settings", list(_differences(report))),
        Section("made", "How these numbers were made", "Provenance", list(_provenance(report))),
    ]
    return [section for section in made if section.parts or section.name == "translations"]


_OF_FIGURES = (
    ("learning", "", "Learning", ["learning_curves"], ""),
    ("cost", "Quality against cost", "Cost", ["cost", "cost_by_length"], "costs"),
    ("beam", "", "", ["beam"], "beam_sweep"),
    ("attention", "", "Attention", ["attention"], ""),
    ("probe", "", "Probe", ["probe", "probe_positions"], "probe"),
    ("concatenation", "", "Joined", ["concatenation"], "concatenation"),
)
"""Section, title (of its first figure where empty), name in the list of sections, figures, the analysis that they show."""


def _systems(report: Report) -> Iterator[Part]:
    yield report.fairness.sentence
    yield systems_table(report)
    lines = []
    if report.baseline:
        lines.append(
            f"Differences are system minus {report.baseline}, the verdict after Holm's correction; ↑ ↓ beside the score of a "
            "length bucket: better or worse there."
        )
    if first := next((system.length for system in report.systems.values() if system.length), None):
        unit = report.length_unit
        lines.append(
            f"Kept (retention): BLEU on the {first.n_long:,} sources above {first.long_min - 1} {unit} as a share of that on "
            f"the {first.n_short:,} of at most {first.short_max}. Half-length: {unit} at which BLEU is down to half of the "
            f"shortest bucket's. Log-ratio: log of retention minus that of {report.baseline or 'the baseline'}; growth in "
            f"points: of the gap, from short to long; bottleneck index: points of sentence score per ten {unit}. Above 0 the "
            "system loses less."
        )
        if first.above_chance:
            lines.append(
                "Kept above chance: the same of BLEU minus what the translations score against the reference of another "
                "sentence as long, which long sentences match better."
            )
        nothing = [name for name, system in report.systems.items() if translates_nothing(system.length)]
        if nothing:
            lines.append(f"Dashes: below {LEAST_BLEU:g} BLEU there is nothing that length could take ({', '.join(nothing)}).")
        planned = MEASURES.get(report.primary or "")
        lines.append(f"Planned: {planned}." if planned else "No measure was planned before the run.")
    if is_crowd(report):
        lines.append("Ranks come with an interval over sentences and seeds: ranks that overlap are not told apart.")
    yield " ".join([*lines, "Empty and truncated: sentences, mean over seeds."])
    if report.bottleneck_caution:
        yield report.bottleneck_caution
    if report.baseline:
        score = "chrF" if report.evaluation.get("bottleneck_score") == "chrf" else "BLEU"
        yield Folded(
            "What the bottleneck index is, and what it is not",
            [
                f"The least-squares slope, over the test sentences, of (sentence score of the system − sentence score of "
                f"{report.baseline}) against source {report.length_unit}, times ten. Sentence scores are {score}. Above 0, "
                "every further ten add that many points to the gap; at 0 the gap, however large, is the same for short and "
                "long sentences. A straight line is laid through what may saturate, so the index depends on the lengths in "
                "this test set and compares systems on it only. Where long sentences also differ in kind, as they do unless "
                "short ones were joined, that is in it."
            ],
        )
    for split, summary in report.other_splits.items():
        rows: list[list[Cell]] = [
            [name, bleu(each), Measured(each.chrf), Measured(each.ter), Measured(each.length_ratio, digits=2)]
            for name, each in summary.systems.items()
        ]
        table = Table(title=split, heads=["system", "BLEU", "chrF", "TER", "length ratio"], rows=rows)
        yield Folded(f"{split}, n = {summary.n:,}", [table])


def _lacking(report: Report, analysis: str) -> Iterator[str]:
    names = [missing.system for missing in report.missing if missing.analysis == analysis]
    if names:
        yield f"Not measured here: {', '.join(names)}."


def _alignment(report: Report) -> Iterator[Part]:
    found = report.alignment
    if found is None:
        return
    count = f", n = {found.n:,} sentences" if found.n else ""
    yield (
        f"Weights read as word links{count}. Uniform and diagonal weights know nothing of the sentence and are the floor. "
        f"{found.conventions}"
    )
    scored = {**found.systems, **{f"{name} (baseline)": each for name, each in found.baselines.items()}}
    rows: list[list[Cell]] = [
        [name, Measured(s.aer, s.low, s.high, 3), *(Measured(v, digits=3) for v in (s.precision, s.recall, s.soft_mass))]
        for name, s in scored.items()
    ]
    linked = "objects" if report.length_unit == "objects" else "words"
    heads = ["system", "alignment error rate", "precision", "recall", f"mass on linked {linked}"]
    yield Table(title="Alignment", heads=heads, rows=rows)
    yield from _lacking(report, "alignment")


_ABOUT_WEIGHTS = {
    "entropy": "entropy (bits)",
    "eos_mass": "mass on end",
    "coverage": "coverage",
    "diagonal_mass": "diagonal mass",
}


def _interventions(report: Report) -> Iterator[Part]:
    found = report.interventions
    if found is None:
        return
    told = "".join(f" `{name}`: {text}." for name, text in found.description.items())
    count = f", n = {found.n:,} sentences" if found.n else ""
    yield f"Weights replaced while translating by greedy search, without retraining{count}.{told}"
    first = next(iter(found.systems.values()))
    about_weights = {**_ABOUT_WEIGHTS, **({"eos_mass": "mass on empty cells"} if report.length_unit == "objects" else {})}

    def about(each: Intervention) -> list[Cell]:
        return [Measured(getattr(each, key), digits=2) for key in about_weights]

    rows: list[list[Cell]]
    if is_crowd(report):
        heads = ["system", *(f"BLEU, {kind}" for kind in first), *about_weights.values()]
        rows = [
            [name, *(Measured(each.bleu) for each in kinds.values()), *about(next(iter(kinds.values())))]
            for name, kinds in found.systems.items()
        ]
    else:
        buckets = next(iter(first.values())).buckets
        shown = [lengths_in_words(bucket.min, bucket.max, unit="") for bucket in buckets]
        heads = ["system", "weights", "BLEU", *shown, *about_weights.values()]
        rows = [
            [name, kind, Measured(each.bleu), *(Measured(part.bleu) for part in each.buckets), *about(each)]
            for name, kinds in found.systems.items()
            for kind, each in kinds.items()
        ]
    yield Table(title="Interventions", heads=heads, rows=rows)
    yield from _lacking(report, "interventions")


def _samples(report: Report, exhibits: Exhibits) -> list[Part]:
    """A few sentences spread over the lengths, the first seed of every system that is in focus; for Markdown only."""
    if exhibits.sources is None or exhibits.references is None:
        return []
    order = sorted(range(len(exhibits.lengths)), key=lambda index: exhibits.lengths[index])
    count = min(SAMPLES, len(order))
    parts: list[Part] = []
    for index in (order[(2 * k + 1) * len(order) // (2 * count)] for k in range(count)):
        texts = {"source": exhibits.sources[index], "reference": exhibits.references[index]}
        texts |= {
            name: next(iter(exhibits.hypotheses[name].values()))[index]
            for name in in_focus(report)
            if name in exhibits.hypotheses
        }
        heads = [f"sentence {index + 1}", f"{exhibits.lengths[index]} source {report.length_unit}"]
        parts.append(Table(heads=heads, rows=[[name, text or "(empty)"] for name, text in texts.items()], words=True))
    return parts


def _judgements(report: Report) -> Iterator[Part]:
    claims = [[c.claim, c.verdict, c.explanation, c.replicates, c.controls] for c in report.claims or ()]
    heads = ["claim", "verdict", "numbers", "replicates", "controls"]
    yield from _tested(Table(title="What textbooks say", heads=heads, rows=claims, words=True), 1)
    checks = checks_table(report)
    if checks.rows:
        yield (
            "Paper against ours: written from the papers and never tuned to pass. Levels of papers are tokenised BLEU on other "
            "data, so only shapes can be compared."
        )
    yield from _tested(checks, 2)


def _tested(table: Table, column: int) -> Iterator[Part]:
    first, rest = tested(table, column)
    if first.rows:
        yield first
    if rest.rows:
        yield Folded(f"{counted(len(rest.rows), 'other')} that this study does not test", [rest])


def _differences(report: Report) -> Iterator[Part]:
    """Every setting that differs, by system; of a crowd each system's differences from the baseline (or the first system)."""
    found, rows = report.config_differences, []
    if not found:
        yield "No setting differs" + (": the study has one system." if len(report.systems) == 1 else ".")
        return
    if is_crowd(report):
        first = report.baseline or next(iter(report.systems))
        heads = ["system", f"differs from {report.baseline or 'the first system'} in"]
        for name in report.systems:
            own = {path: values[name] for path, values in found.items() if name in values and values[name] != values.get(first)}
            rows.append([name, ", ".join(f"{path}: {plain(value)}" for path, value in own.items()) or NONE])
    else:
        heads = ["setting", *report.systems]
        rows = [[Code(path), *(plain(values.get(name, NONE)) for name in report.systems)] for path, values in found.items()]
    table = Table(title="Settings", heads=heads, rows=rows, words=True)
    others = "All other settings are the same. A dash: the system has no such setting."
    yield Folded(counted(len(found), "setting"), [table, others])


def _facts(title: str, values: Mapping[str, Any]) -> Table:
    rows = [[Code(key), plain(value)] for key, value in values.items() if value != {}]
    return Table(title=title, heads=[title, "value"], rows=rows, words=True)


def _provenance(report: Report) -> Iterator[Part]:
    parts: list[Part] = [Block(text) for text in (report.command, report.report_command) if text]
    parts += [_facts("signature", report.signatures), _facts("environment", report.environment)]
    if report.environment_differences:
        differing = {
            key: "; ".join(f"{run}: {plain(value)}" for run, value in values.items())
            for key, values in report.environment_differences.items()
        }
        parts.append(_facts("where runs differ", differing))
    parts.append(
        f"A system's score is the mean over its seeds. Intervals ({report.evaluation['confidence']:.0%}) and p are Student's, "
        "with Satterthwaite's degrees of freedom. The standard error has two sources: sentences, by "
        f"{report.evaluation['resamples']:,} full-size resamples, the same ones for all systems, and seeds, whose variance is "
        "estimated with what the other systems' seeds show. Half-lengths and ranks have percentiles of resampled sentences and "
        "drawn seeds. p is corrected by Holm: on all lengths over systems, in buckets over systems × buckets, of a measure of "
        "what length does over systems. Where no seed variance is known an interval speaks of the choice of sentences only."
    )
    parts.append(_facts("scoring", flatten(report.evaluation)))
    source, reference = (digest or "not at hand" for digest in (report.source_sha256, report.reference_sha256))
    parts.append(f"SHA-256 of the source lines: {source}; of the references: {reference}.")
    heads = ["run", "status", "BLEU", "chrF", "TER", "updates", "target tokens", "minutes", "hypotheses SHA-256"]
    rows: list[list[Cell]] = [
        [
            run_name(name, run.seed),
            run.status,
            *(Measured(score, digits=2) for score in (run.bleu, run.chrf, run.ter)),
            *(Measured(count, digits=0) for count in (run.steps, run.target_tokens)),
            Measured(run.seconds and run.seconds / 60),
            Code(run.hypotheses_sha256[:12]),
        ]
        for name, system in report.systems.items()
        for run in system.runs
    ]
    rows += [[run_name(run.system, run.seed), f"missing: {run.reason}", *[NONE] * 7] for run in report.missing]
    parts.append(Table(title="Every run", heads=heads, rows=rows))
    yield Folded("Commands, environment, scoring, every run", parts)
