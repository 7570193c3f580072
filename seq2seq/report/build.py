"""From a study's folder to its report: scores with intervals, comparisons, and what a reader must know beside them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from seq2seq.config.data_files import data_path
from seq2seq.config.differences import differing
from seq2seq.config.errors import UserError
from seq2seq.config.identity import comparable
from seq2seq.corpus.prepare import SplitText
from seq2seq.report.analyses import Analyses, read_analyses
from seq2seq.report.cards import attends
from seq2seq.report.exhibits import Exhibits, collect_exhibits
from seq2seq.report.headline import bottleneck_caution, headline, reading_notes
from seq2seq.report.runs import Run, StudyRuns, read_study
from seq2seq.report.schema import MissingRun, Report, SplitSummary
from seq2seq.report.scoring import score_split
from seq2seq.report.systems import compare_budgets, facts_for_claims, learning_curve, shared_environment, system_reports
from seq2seq.scoring.claims import judge_claims
from seq2seq.scoring.comparison import compare, notes, rank_systems
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
    texts: Mapping[str, SplitText] | None = None,
    *,
    split: str | None = None,
    command: str = "",
    recount: bool = False,
) -> BuiltReport:
    """Score and compare a study's runs; a `UserError` if the folder holds no study, or its files do not fit together.

    `texts` has the lines of splits; a split without lines is scored from the counts kept beside the runs, and with `recount`
    only such a split is. `split` is by default the first one with hypotheses.
    """
    study, texts = read_study(folder), texts or {}
    name = _choose_split(study, split, texts)
    by_system, analyses = study.on(name), read_analyses(folder)
    runs = [run for some in by_system.values() for run in some]
    evidence, index = score_split(study, name, texts.get(name), facts_for_claims(by_system, analyses), recount=recount)
    found = compare(evidence)
    changes = differing({system: comparable(some[0].config) for system, some in by_system.items()})
    systems = system_reports(evidence, found, name, by_system, changes)
    environment, environment_differences = shared_environment(runs)
    report = Report(
        study=study.name,
        question=study.study.question,
        headline="",  # the texts are made from the numbers below
        notes=[],
        split=name,
        n=evidence.sentences(),
        length_unit=evidence.unit,
        source_sha256=index.source_sha256,
        reference_sha256=index.reference_sha256,
        texts_available=name in texts,
        signature=evidence.signatures["bleu"],
        signatures=evidence.signatures,
        baseline=evidence.baseline,
        evaluation=study.evaluation.model_dump(mode="json"),
        systems=systems,
        comparisons=[each for result in found.values() for each in result.comparisons],
        ranking=rank_systems(evidence) if len(systems) > 1 else [],
        primary=study.study.evaluation.primary,
        statistics=STATISTICS,
        other_splits=_other_splits(study, name, texts, recount),
        learning_curves={system: [learning_curve(run) for run in some] for system, some in by_system.items()},
        config_differences=changes,
        fairness=compare_budgets(systems),
        missing=[*study.missing, *_missing(study, name, by_system, analyses)],
        environment=environment,
        environment_differences=environment_differences,
        command="\n".join(dict.fromkeys(str(c) for run in runs if (c := run.environment.get("command")))),
        report_command=command,
        **{field: getattr(analyses, field) for field in Analyses.model_fields},
        claims=judge_claims(evidence),
        shape_checks=run_checks(load_papers(data_path("papers.yaml")), evidence),
    )
    report.bottleneck_caution = bottleneck_caution(report)
    report.notes = [*notes(evidence), *study.notes, *reading_notes(report)]
    report.headline = headline(report)
    return BuiltReport(report=report, exhibits=collect_exhibits(name, evidence, by_system, texts.get(name)))


def _choose_split(study: StudyRuns, split: str | None, texts: Mapping[str, SplitText]) -> str:
    splits = study.splits()
    if split is not None and split not in splits:
        raise UserError(f"{study.folder}: no hypotheses of split {split!r}; there are: {', '.join(splits)}")
    with_texts = [name for name in texts if name in splits]
    return split or (with_texts or splits)[0]


def _missing(study: StudyRuns, split: str, runs: Mapping[str, Sequence[Run]], analyses: Analyses) -> Iterator[MissingRun]:
    """Runs without the split, and systems that an analysis of other systems lacks; of weights, only those that have some."""
    for run in study:
        if run.decoded and split not in run.decoded:
            yield MissingRun(system=run.folder.system, seed=run.folder.seed, reason=f"no hypotheses of {split}")
    for name in ("costs", "beam_sweep", "probe", "concatenation", "alignment", "interventions"):
        analysis = getattr(analyses, name)
        for system in runs if analysis is not None else ():
            expected = name not in ("alignment", "interventions") or attends(runs[system][0].config)
            if expected and system not in getattr(analysis, "systems", analysis):
                reason = f"not in the analysis {name}; repeat it with its weights"
                yield MissingRun(system=system, seed=None, analysis=name, reason=reason)


def _other_splits(study: StudyRuns, chosen: str, texts: Mapping[str, SplitText], recount: bool) -> dict[str, SplitSummary]:
    """The same systems on the other splits whose texts are at hand, or whose counts were kept."""
    summaries = {}
    for split in study.splits():
        lines = texts.get(split)
        if split == chosen:
            continue
        try:
            evidence, _ = score_split(study, split, lines, recount=recount and lines is not None)
        except UserError:
            if lines is not None:
                raise
            continue  # never scored here as it is now, and its sentences are not at hand
        found = compare(evidence)
        summaries[split] = SplitSummary(n=evidence.sentences(), systems={name: each.overall for name, each in found.items()})
    return summaries
