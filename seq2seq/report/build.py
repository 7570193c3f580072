"""From a study's folder to its report: scores with intervals, comparisons, and what a reader must know beside them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from seq2seq.config.errors import UserError
from seq2seq.config.evaluation import EqualCountBucketSettings, EvaluationSettings, FixedBucketSettings
from seq2seq.config.languages import length_unit
from seq2seq.report import settings as run_settings
from seq2seq.report.analyses import Analyses, read_analyses
from seq2seq.report.cards import attends, system_card
from seq2seq.report.exhibits import Exhibits, collect_exhibits
from seq2seq.report.headline import bottleneck_caution, headline, reading_notes
from seq2seq.report.runs import Run, StudyRuns, read_study
from seq2seq.report.schema import MissingRun, Report, SplitSummary, SystemReport
from seq2seq.report.scoring import ScoredSplit, Texts, score_split
from seq2seq.report.systems import compare_budgets, learning_curve, least_finished, system_report
from seq2seq.scoring import Comparisons, Evidence, compare
from seq2seq.scoring.claims import judge_claims
from seq2seq.scoring.length import length_effects
from seq2seq.scoring.ranking import rank_systems
from seq2seq.scoring.shape_checks import load_papers, run_checks

STATISTICS = 2
"""Version of the methods behind intervals, p and verdicts. 2: seed variance moderated and paired, verdicts with conditions."""


@dataclass(frozen=True)
class BuiltReport:
    """A report, and what is shown beside it but is not part of `report.json`: sentences and attention weights."""

    report: Report
    exhibits: Exhibits


def build_report(
    folder: Path,
    texts: Mapping[str, Texts | None] | None = None,
    *,
    split: str | None = None,
    papers: Path | None = None,
    command: str = "",
    recount: bool = False,
) -> BuiltReport:
    """Score and compare a study's runs.

    Args:
        folder: the study's runs.
        texts: split -> (source lines, reference lines); a split that is absent or None is scored from kept counts.
        split: the split that the report is about; by default the first one with hypotheses.
        papers: the papers' numbers (`data/papers.yaml`); None leaves the shape checks out.
        command: the command that makes this report, for the record.
        recount: score the lines anew instead of using counts that are kept beside the runs.

    Raises:
        UserError: the folder holds no study, or its files do not fit together.
    """
    study = read_study(folder)
    name = _choose_split(study, split, texts or {})
    scored = score_split(study, name, (texts or {}).get(name), study.evaluation, recount=recount)
    runs = study.on(name)
    analyses = read_analyses(folder)
    evidence = _evidence(study, scored, runs, analyses)
    found = compare(evidence)
    systems = _systems(evidence, found, name, runs, study.evaluation)
    report = _assemble(study, name, scored, found, systems, analyses)
    report.other_splits = _other_splits(study, name, texts or {}, recount)
    report.ranking = list(rank_systems(evidence)) if len(systems) > 1 else []
    report.bottleneck_caution = bottleneck_caution(report)
    report.claims = judge_claims(evidence)
    report.shape_checks = None if papers is None else run_checks(load_papers(papers), evidence)
    report.report_command = command
    report.missing += [
        MissingRun(system=run.system, seed=run.seed, reason=f"no hypotheses of {name}")
        for run in study
        if run.decoded and name not in run.decoded
    ]
    report.missing += _missing_from_analyses(report, runs)
    report.notes = [*found.notes, *study.notes, *reading_notes(report)]
    report.headline = headline(report)
    return BuiltReport(report=report, exhibits=collect_exhibits(name, scored, runs, (texts or {}).get(name)))


def _choose_split(study: StudyRuns, split: str | None, texts: Mapping[str, Texts | None]) -> str:
    splits = study.splits()
    if split is not None and split not in splits:
        raise UserError(f"{study.folder}: no hypotheses of split {split!r}; there are: {', '.join(splits)}")
    with_texts = [name for name in texts if name in splits]
    return split or (with_texts or splits)[0]


def _evidence(study: StudyRuns, scored: ScoredSplit, runs: Mapping[str, Sequence[Run]], analyses: Analyses) -> Evidence:
    configs, summaries = ({name: getattr(some[0], what) for name, some in runs.items()} for what in ("config", "summary"))
    facts = run_settings.facts_for_claims(configs, analyses, summaries)
    for name, some in runs.items():
        facts[name]["learning"] = least_finished(some)
    systems = [replace(system, facts=facts[system.name]) for system in scored.systems]
    return Evidence(systems, scored.lengths, study.evaluation)


def _systems(
    evidence: Evidence, found: Comparisons, split: str, runs: Mapping[str, Sequence[Run]], settings: EvaluationSettings
) -> dict[str, SystemReport]:
    """Every system with both kinds of buckets: the study's, and the other kind with its default numbers."""
    other_kind = FixedBucketSettings() if settings.buckets.kind == "equal_count" else EqualCountBucketSettings()
    other, effects = compare(evidence, other_kind), length_effects(evidence)
    changes = run_settings.differences({name: some[0].config for name, some in runs.items()})
    reports = {}
    for result in found.systems:
        cut = [each[result.name].buckets for each in (found, other)]
        fixed, equal = reversed(cut) if settings.buckets.kind == "equal_count" else cut
        reports[result.name] = system_report(result, split, runs[result.name], fixed, equal, effects.get(result.name))
        reports[result.name].card = system_card(runs[result.name][0].config)
        reports[result.name].changes = {path: values.get(result.name) for path, values in changes.items()}
    return reports


def _assemble(
    study: StudyRuns,
    split: str,
    scored: ScoredSplit,
    found: Comparisons,
    systems: dict[str, SystemReport],
    analyses: Analyses,
) -> Report:
    runs = study.on(split)
    environment, environment_differences = run_settings.shared_environment([run for some in runs.values() for run in some])
    comparisons = [
        found_cell
        for result in found.systems
        for cells in zip(*result.comparisons.values(), strict=True)  # a bucket's metrics together
        for found_cell in cells
    ]
    return Report(
        study=study.name,
        question=study.study.question,
        headline="",
        notes=[],
        split=split,
        n=found.n,
        length_unit=length_unit(study.language("source")),
        source_sha256=scored.source_sha256,
        reference_sha256=scored.reference_sha256,
        texts_available=scored.texts_available,
        signature=found.signatures["bleu"],
        signatures=dict(found.signatures),
        baseline=found.baseline,
        evaluation=study.evaluation.model_dump(mode="json"),
        systems=systems,
        comparisons=comparisons,
        primary=study.study.evaluation.primary,
        statistics=STATISTICS,
        learning_curves={name: [learning_curve(run) for run in some] for name, some in runs.items()},
        config_differences=run_settings.differences({name: some[0].config for name, some in runs.items()}),
        fairness=compare_budgets(systems),
        missing=list(study.missing),
        environment=environment,
        environment_differences=environment_differences,
        command=run_settings.commands([run for some in runs.values() for run in some]),
        report_command="",
        **{name: getattr(analyses, name) for name in Analyses.model_fields},
    )


def _missing_from_analyses(report: Report, runs: Mapping[str, Sequence[Run]]) -> list[MissingRun]:
    """Systems that an analysis of other systems lacks; where weights are asked for, only those that have some."""
    weighing = {name for name, some in runs.items() if attends(some[0].config)}
    expected = {"costs": set(runs), "beam_sweep": set(runs), "probe": set(runs), "concatenation": set(runs)}
    expected |= {"alignment": weighing, "interventions": weighing}
    found = {name: getattr(report, name) for name in expected}
    return [
        MissingRun(system=system, seed=None, analysis=name, reason=f"not in the analysis {name}; repeat it with its weights")
        for name, analysis in found.items()
        if analysis is not None
        for system in runs
        if system in expected[name] and system not in getattr(analysis, "systems", analysis)
    ]


def _other_splits(study: StudyRuns, chosen: str, texts: Mapping[str, Texts | None], recount: bool) -> dict[str, SplitSummary]:
    """The same systems on the other splits whose texts are at hand."""
    summaries = {}
    for split in study.splits():
        lines = texts.get(split)
        if split == chosen or lines is None:
            continue
        scored = score_split(study, split, lines, study.evaluation, recount=recount)
        found = compare(Evidence(scored.systems, scored.lengths, study.evaluation))
        summaries[split] = SplitSummary(n=found.n, systems={result.name: result.overall for result in found.systems})
    return summaries
