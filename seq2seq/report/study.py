"""From a study's folder to its report: whatever is not yet translated or analysed is, then everything is scored and written."""

from pathlib import Path

from seq2seq.config.data_files import data_path
from seq2seq.config.errors import RunError, UserError
from seq2seq.corpus.prepare import PreparedData, prepare
from seq2seq.report.analysis.runs import analyse_study
from seq2seq.report.build import build_report
from seq2seq.report.schema import Report
from seq2seq.report.scoring import Texts
from seq2seq.report.verify import verify_report
from seq2seq.report.write import write_report
from seq2seq.run.environment import portable_command
from seq2seq.run.folder import RunFolder
from seq2seq.run.trained import find_runs, read_settings


def report_study(runs: Path, *, without_text: bool, allow_code: bool, arguments: list[str]) -> None:
    """Write `<runs>/report/` and print what it says in short.

    Args:
        runs: the study's folder.
        without_text: leave corpus sentences out of every file.
        allow_code: let the runs' configs import classes of their own.
        arguments: the command line, for the record.

    Raises:
        UserError: no finished runs, a damaged one, or one that imports a class and is not allowed to.
    """
    folders = finished_runs(runs)
    data = corpus_of(folders)
    if data is not None:
        analyse_study(runs, allow_code=allow_code, say=print)
    report = write_study_report(runs, data, runs / "report", without_text=without_text, arguments=arguments)
    print(summary_table(report))
    print(f"\nreport: {runs / 'report' / 'index.html'}")


def write_study_report(
    runs: Path, data: PreparedData | None, target: Path, *, without_text: bool, arguments: list[str]
) -> Report:
    """Build the report of finished runs and write its files into `target`."""
    command = portable_command(arguments)
    built = build_report(runs, _texts(data), papers=data_path("papers.yaml"), command=command)
    write_report(built, target, without_text=without_text)
    return built.report


def verify_study(runs: Path) -> None:
    """Score the stored hypotheses again.

    Raises:
        UserError: there is no report.
        RunError: the report differs from what the hypotheses score now.
    """
    folders = find_runs(runs)
    result = verify_report(runs, texts=_texts(corpus_of(folders)), papers=data_path("papers.yaml"))
    print(result.basis)
    if result.differences:
        listed = "; ".join(result.differences[:5])
        again = "; if runs were tuned or trained since, make the report again"
        raise RunError(f"{runs}: {len(result.differences)} numbers of the report differ: {listed}{again}")
    print("the report stands: every number is the same again")


def finished_runs(runs: Path) -> list[RunFolder]:
    """Return the finished runs of a study; says on stdout which are not.

    Raises:
        UserError: there are none.
    """
    folders = find_runs(runs)
    finished = [folder for folder in folders if folder.is_finished()]
    for folder in folders:
        if folder not in finished:
            print(f"not finished, left out: {folder.system} seed {folder.seed}")
    if not finished:
        raise UserError(f"{runs}: no run is finished yet; run the train command again to go on")
    return finished


def corpus_of(folders: list[RunFolder]) -> PreparedData | None:
    """Return the corpus that the runs were tested on, or None, said aloud, where it cannot be had here.

    Raises:
        UserError: the runs were not tested on the same sentences.
    """
    settings = read_settings(folders[0])
    for folder in folders[1:]:
        other = read_settings(folder).data
        tested = (other.corpus, other.source, other.target, other.test, other.concatenate)
        first = settings.data
        if tested != (first.corpus, first.source, first.target, first.test, first.concatenate):
            raise UserError(f"{folder.path}: tested on other sentences than {folders[0].path}; systems of a report share them")
    try:
        return prepare(settings.data, settings.tokenizer, report=lambda _: None)
    except UserError as error:
        print(f"the corpus is not at hand, so stored counts are used and no sentences are shown: {error}")
        return None


def _texts(data: PreparedData | None) -> dict[str, Texts | None]:
    if data is None:
        return {}
    return {
        name: ([split.source(i) for i in range(len(split))], [split.target(i) for i in range(len(split))])
        for name, split in data.tests.items()
    }


def summary_table(report: Report) -> str:
    """Write BLEU by source length for every system as plain text."""
    buckets = next(iter(report.systems.values())).buckets
    names = [f"{b.min}-{b.max}" if b.max is not None else f"{b.min}+" for b in buckets]
    width = max(len(name) for name in ["system", *report.systems])
    lines = [
        f"{'system':{width}}  {'BLEU':>6}  " + "  ".join(f"{name:>6}" for name in names) + f"  source {report.length_unit}"
    ]
    lines.append(f"{'sentences':{width}}  {'':>6}  " + "  ".join(f"{b.n:>6}" for b in buckets))
    for name, system in report.systems.items():
        lines.append(f"{name:{width}}  {system.bleu:6.1f}  " + "  ".join(f"{b.bleu:6.1f}" for b in system.buckets))
    return "\n".join(lines)
