"""From a study's folder to its report: whatever is not yet translated or analysed is, then everything is scored and written."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from seq2seq.config.data import with_tests
from seq2seq.config.differences import described
from seq2seq.config.errors import UserError
from seq2seq.corpus.prepare import SplitText, read_tests
from seq2seq.report.analysis.runs import analyse_study
from seq2seq.report.build import build_report
from seq2seq.report.headline import MEASURES, half_length_in_words, kept_share
from seq2seq.report.runs import finished_runs, read_decoded, study_folders
from seq2seq.report.schema import Report
from seq2seq.report.score_tables import contrast, length_table
from seq2seq.report.values import as_text
from seq2seq.report.write import write_report
from seq2seq.run.environment import portable_command
from seq2seq.run.folder import RunFolder
from seq2seq.run.hypotheses import check_sentences
from seq2seq.run.trained import check_code, read_settings


def report_study(
    runs: Path, *, split: str | None, retranslate: bool, without_text: bool, allow_code: bool, arguments: list[str]
) -> None:
    """Write `<runs>/report/`, or `<runs>/report-<split>/` about another split of the corpus, and print what it says in short.

    Runs translate a split where they have not; with `retranslate` also what was translated by other weights, with another
    search or of other sentences. The other options are those of the command. A `UserError` says why there can be no report: no
    finished runs, a damaged one, one that imports a class and is not allowed to, or a published study.
    """
    folders = study_runs(runs)
    check_code(folders, allow_code=allow_code)
    further = [] if split is None else [split]
    for folder in folders:  # damage is noticed before minutes of analyses
        for name in translated_splits([folder]):
            read_decoded(folder.hypotheses(name))
    texts = texts_of(folders, further)
    if not retranslate:
        check_texts(folders, texts)
    if {*read_settings(folders[0]).data.test, *further} <= set(texts):
        analyse_study(runs, allow_code=allow_code, further=further, again=retranslate)
    check_texts(folders, texts)
    built = build_report(runs, texts, split=split, command=portable_command(arguments))
    write_report(built, report_folder(runs, split), without_text=without_text)
    print(summary_table(built.report))
    print(f"\nreport: {report_folder(runs, split) / 'index.html'}")


def report_folder(runs: Path, split: str | None) -> Path:
    """Return where the report of a study is, or the one on a further split."""
    return runs / ("report" if split is None else f"report-{split}")


def study_runs(runs: Path) -> list[RunFolder]:
    """Return the finished runs of a study; prints which are not, and which do not belong to it."""
    if (runs / "config.yaml").is_file():
        raise UserError(f"{runs}: the folder of a single run; give the study's, {runs.resolve().parent.parent}")
    folders, notes = study_folders(runs)
    for note in notes:
        print(f"left out: {note}")
    for folder in folders:
        if not folder.is_finished():
            print(f"not finished, left out: {folder.name}")
    return finished_runs(runs)


def texts_of(folders: Sequence[RunFolder], further: Sequence[str] = ()) -> dict[str, SplitText]:
    """Return the sentences of every split that runs were tested on, by name; none, with a message, if they are not there."""
    texts: dict[str, SplitText] = {}
    settings = with_tests(read_settings(folders[0]).data, further)
    for name in dict.fromkeys((*further, *settings.test, *translated_splits(folders))):
        try:
            texts |= read_tests(with_tests(settings, [name]), [name])
        except UserError as error:
            if name in further:
                raise
            print(f"the corpus is not at hand, so stored counts are used and no sentences of {name} are shown: {error}")
    return texts


def translated_splits(folders: Sequence[RunFolder]) -> list[str]:
    """Return the splits that have hypotheses."""
    return list(dict.fromkeys(path.stem for folder in folders for path in sorted(folder.path.glob("hypotheses/*.txt"))))


def check_texts(folders: Sequence[RunFolder], texts: Mapping[str, SplitText]) -> None:
    """Check that all runs translated the same sentences, and that those at hand are the same; a `UserError` if not."""
    for name in translated_splits(folders):
        known = {folder: facts for folder in folders if (facts := folder.decoding(name) or {}).get("fingerprint") is not None}
        for folder, facts in known.items():
            first = next(iter(known))
            if facts["fingerprint"] != known[first]["fingerprint"]:
                raise _other_sentences(name, first, folder)
        for folder, facts in known.items() if name in texts else ():
            check_sentences(folder.hypotheses(name), facts, texts[name].fingerprint)


def _other_sentences(split: str, first: RunFolder, other: RunFolder) -> UserError:
    found = described(*(read_settings(folder).data.model_dump(mode="json") for folder in (first, other)))
    why = f"data.{'; data.'.join(found[:3])}" if found else "it changed in between: report --retranslate translates it again"
    return UserError(
        f"{other.path}: split '{split}' held other sentences than for {first.path} ({why}); systems in one table translate the "
        "same text, so make them two studies, or move one out of the folder"
    )


def summary_table(report: Report) -> str:
    """Write BLEU by source length for every system as plain text, and what length does to it, points and proportion."""
    lines = [f"BLEU by source {report.length_unit}", as_text(length_table(report)), ""]
    for name, system in report.systems.items():
        if (effect := system.length) is None:
            continue
        half = half_length_in_words(effect.half_length, report.length_unit)
        lines.append(f"{name} keeps {kept_share(effect)} above {effect.long_min - 1} {report.length_unit}; L50 {half}")
        if effect.points is not None:
            labels = {"log_ratio": "log-ratio", "points": "points", "bottleneck_index": "index"}
            said = "; ".join(f"{label} {contrast(report, name, key)}" for key, label in labels.items())
            lines.append(f"  against {report.baseline}: {said}")
    planned = f"planned: {MEASURES[report.primary]}" if report.primary else "no measure was planned before the run"
    return "\n".join([*lines, planned])
