"""Reading a study's folder: its runs with their hypotheses, logs and attention, and what of it is missing."""

import hashlib
import json
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from lzma import LZMAError
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pydantic import BaseModel, ConfigDict

from seq2seq.config.base import checked
from seq2seq.config.errors import UserError, counted
from seq2seq.config.evaluation import EvaluationSettings
from seq2seq.config.files import PACKED, read_json, read_record
from seq2seq.config.identity import changes
from seq2seq.config.languages import resolve_tokenizer
from seq2seq.config.loading import plain, read_yaml
from seq2seq.report.schema import MissingRun, Report
from seq2seq.run.folder import RECORD_ADVICE, RunFolder, damaged_translations
from seq2seq.run.learning import Learning, learning
from seq2seq.run.trained import find_runs


class StudyFile(BaseModel):
    """`study.yaml` as the trainer leaves it beside the runs; other keys are of no concern here."""

    name: str | None = None
    question: str = ""
    evaluation: EvaluationSettings = EvaluationSettings()
    systems: list[str] = []


class SearchRecord(BaseModel):
    """Record of the search beside its translations; `model_extra` has what is only shown."""

    model_config = ConfigDict(extra="allow")

    truncated: list[int] | None = None
    """Indices cut at the length limit; None where the search did not say."""
    sentences: int | None = None
    as_reference: list[int] = []
    """Indices of lines that publishing left out, since they are sentences of the corpus."""
    sha256: str | None = None
    """Of the file as it was before lines were left out."""


@dataclass(frozen=True)
class Decoded:
    """The hypotheses of a run on a split, one a sentence; SHA-256 of their file, as it was before lines were left out."""

    lines: list[str]
    sha256: str
    record: SearchRecord

    def complete_lines(self, references: Sequence[str]) -> list[str]:
        """Return the lines with those put back that publishing left out; a `UserError` if they are not what was published."""
        left_out = set(self.record.as_reference)
        if not left_out:
            return self.lines
        lines = [references[i] if i in left_out else line for i, line in enumerate(self.lines)]
        if lines_sha256(lines) != self.sha256:
            raise UserError("published hypotheses do not fit this corpus: another edition of it, or a damaged file")
        return lines


@dataclass(frozen=True)
class Run:
    """One training, as its folder shows it."""

    folder: RunFolder
    config: dict[str, Any]
    summary: dict[str, Any]
    environment: dict[str, Any]
    log: list[dict[str, Any]]
    decoded: dict[str, Decoded]

    @cached_property
    def learning(self) -> Learning:
        """End of the run, by its log; by its summary's word where no log is kept."""
        found, rising = learning(self.log), self.summary.get("learning_still_rising")
        if found.state != "not known" or rising is None:
            return found
        return Learning("still improving" if rising else "at rest", "the run's summary")


@dataclass(frozen=True)
class StudyRuns:
    """A study's folder; runs by system in the study's order, systems without a usable run in `missing` only."""

    folder: Path
    study: StudyFile
    runs: dict[str, list[Run]]
    missing: list[MissingRun]
    notes: list[str]

    @property
    def name(self) -> str:
        return self.study.name or self.folder.resolve().name

    def language(self, side: str) -> str:
        """Return the language of the `source` or `target` side, the same for all runs of a study; empty if no run says it."""
        said = (str((run.config.get("data") or {}).get(side) or "") for run in self)
        return next((language for language in said if language), "")

    @property
    def evaluation(self) -> EvaluationSettings:
        """Settings of scoring, with the tokenizer that its target language needs."""
        return with_tokenizer(self.study.evaluation, self.language("target"))

    def __iter__(self) -> Iterator[Run]:
        return (run for runs in self.runs.values() for run in runs)

    def splits(self) -> list[str]:
        """Splits that have hypotheses, in the order in which runs mention them."""
        return list(dict.fromkeys(split for run in self for split in run.decoded))

    def on(self, split: str) -> dict[str, list[Run]]:
        """Runs that have hypotheses of a split, by system; systems without one are left out."""
        chosen = {system: [run for run in runs if split in run.decoded] for system, runs in self.runs.items()}
        return {system: runs for system, runs in chosen.items() if runs}


def lines_sha256(lines: Sequence[str]) -> str:
    """SHA-256 of lines, each ended by a line feed."""
    return hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()


def as_stored(path: Path) -> Path:
    """Return a file's own path, or that of its packed form where only that is there."""
    packed = path.parent / f"{path.name}{PACKED}"  # `with_name` refuses a path without a name, "."
    return packed if packed.is_file() and not path.exists() else path


def read_report(path: Path) -> Report:
    """Read a `report.json`, or the `report.json.xz` of a published study; a `UserError` if it is not there, or not one."""
    place = as_stored(path)
    advice = "give a study's folder or its report.json, or make the report again"
    return checked(Report, read_json(place, advice), place, advice)


RUNS = "runs.tar.xz"
"""A published study's runs."""


def is_published(folder: Path) -> bool:
    """Whether a folder holds a study's results as `publish` leaves them, which are evidence and not written again."""
    return (folder / RUNS).is_file()


def refuse_published(folder: Path) -> None:
    """Refuse, with a `UserError`, a published study, which stays as it is."""
    if is_published(folder):
        raise UserError(
            f"{folder}: a published study, which stays as it is; check it with: seq2seq report {folder} --verify, or go on "
            f"with it in another folder: unpack {folder / RUNS} there"
        )


@contextmanager
def unpacked(folder: Path) -> Iterator[Path]:
    """Yield a study's folder; the runs of a published study are unpacked to a temporary one, or a `UserError` says why not."""
    if not is_published(folder):
        yield folder
        return
    with TemporaryDirectory() as place:
        runs = Path(place) / folder.resolve().name
        try:
            with tarfile.open(folder / RUNS) as archive:
                archive.extractall(runs, filter="data")
        except (OSError, EOFError, tarfile.TarError, LZMAError) as error:
            raise UserError(f"{folder / RUNS}: cannot be unpacked ({error}); take it from where it was published") from None
        with named(runs, folder / RUNS):
            yield runs


@contextmanager
def named(copy: Path, original: Path) -> Iterator[None]:
    """Name the original in errors about files of a temporary copy, which is gone when a person reads them."""
    try:
        yield
    except UserError as error:
        raise UserError(str(error).replace(str(copy), str(original))) from None


def study_folders(folder: Path) -> tuple[list[RunFolder], list[str]]:
    """Return a study's runs in its order (of a run's folder, that run), and notes on systems that `study.yaml` lacks."""
    refuse_published(folder)
    runs = find_runs(folder)
    notes = [
        f"{bare.name}: its folder has no config.yaml, so it is left out; put the file back, or remove the folder."
        for bare in map(RunFolder, sorted(folder.glob("*/seed-*")))
        if not bare.config.exists() and bare.has_trained()
    ]
    systems = read_study_file(folder / "study.yaml").systems
    if not systems:
        return runs, notes
    own = [run for run in runs if run.system in systems]
    if not own:
        raise UserError(
            f"{folder}: no runs of its systems ({', '.join(systems)}); train them, or rename the folders of renamed ones"
        )
    strangers = sorted({run.system for run in runs} - set(systems))
    notes += [
        f"{name}: its runs lie in the folder, but the study has no system of that name, so they are left out; if it was "
        "renamed, rename its folder as well."
        for name in strangers
    ]
    return sorted(own, key=lambda run: systems.index(run.system)), notes  # stable: seeds stay in order


def finished_runs(folder: Path) -> list[RunFolder]:
    """Return the finished runs of a study, in its order; a `UserError` if there are none."""
    finished = [run for run in study_folders(folder)[0] if run.is_finished()]
    if not finished:
        raise UserError(f"{folder}: no run is finished yet; let one finish, the same train command resumes it")
    return finished


def read_study(folder: Path) -> StudyRuns:
    """Read every run of a study; a `UserError` if one cannot be read, or seeds of a system were trained differently."""
    places, notes = study_folders(folder)
    study = read_study_file(folder / "study.yaml")
    runs: dict[str, list[Run]] = {}
    for place in places:
        runs.setdefault(place.system, []).append(_read_run(place, notes))
    for some in runs.values():
        _check_alike(some)
    if not any(run.decoded for system in runs.values() for run in system):
        raise UserError(
            f"{folder}: no hypotheses of any run (<system>/seed-<n>/hypotheses/<split>.txt); let a run finish, or give the "
            "folder of the study itself"
        )
    missing = [absent for system in study.systems or runs for absent in _missing(system, runs.get(system, []))]
    kept = {place.name: len([*place.path.glob("hypotheses/earlier/*/*.json")]) for place in places}
    if named := [f"{name} ({count})" for name, count in kept.items() if count]:
        more = f" and {counted(len(named) - 5, 'other run')}" if len(named) > 5 else ""
        notes.append(
            "Earlier translations, with another search, other weights or text, are kept in hypotheses/earlier/: "
            f"{', '.join(named[:5])}{more}."
        )
    return StudyRuns(folder=folder, study=study, runs=runs, missing=missing, notes=notes)


def _check_alike(runs: Sequence[Run]) -> None:
    first, *others = runs
    for run in others:
        found = changes(first.config, run.config)
        if differing := [*found.identity, *found.raised]:
            raise UserError(
                f"{run.folder.path}: not trained like {first.folder.path} ({'; '.join(differing[:5])}); the seeds of a system "
                "differ in nothing else, so train them alike, or move one out of the study's folder"
            )


def with_tokenizer(evaluation: EvaluationSettings, language: str) -> EvaluationSettings:
    """Return the settings with sacreBLEU's tokenizer for a target language; a `UserError` if theirs cannot serve it."""
    return evaluation.model_copy(update={"tokenizer": resolve_tokenizer(evaluation.tokenizer, language)})


def read_study_file(path: Path) -> StudyFile:
    """Read the `study.yaml` beside runs; without one everything is as usual, a damaged one is a `UserError`."""
    if not path.exists():
        return StudyFile()
    raw = plain(read_yaml(path))
    if isinstance(raw, dict) and isinstance(raw.get("systems"), Mapping):
        raw["systems"] = list(raw["systems"])
    return checked(StudyFile, raw, path, "mend it, or copy it from another folder of runs")


def _read_run(place: RunFolder, notes: list[str]) -> Run:
    return Run(
        folder=place,
        config=checked(dict[str, Any], plain(read_yaml(place.config)), place.config, "copy it from where the run was trained"),
        summary=place.read_summary(),
        environment=place.read_environment(),
        log=[*_read_log(place.log, notes), *_read_log(place.timing, notes)],
        decoded={path.stem: read_decoded(path) for path in sorted((place.path / "hypotheses").glob("*.txt"))},
    )


def _read_log(path: Path, notes: list[str]) -> list[dict[str, Any]]:
    """Records of a log; a last line that an interruption cut short is left out and said."""
    lines = path.read_bytes().split(b"\n") if path.exists() else []  # a line that is no UTF-8 is no record either
    records = []
    for number, line in enumerate(lines, start=1):
        try:
            record = json.loads(line) if line.strip() else None
        except ValueError:
            if number < len(lines):
                raise UserError(
                    f"{path}:{number}: not a JSON record; remove the line, and the report does without it"
                ) from None
            run = f"{path.parent.parent.name} {path.parent.name}"
            notes.append(f"{run}: the last line of {path.name} was cut short and is left out.")
            continue
        if isinstance(record, dict):
            records.append(record)
    return records


def read_decoded(path: Path) -> Decoded:
    """Read the hypotheses of a split; a `UserError` if they and the record beside them are damaged or do not fit together."""
    try:
        content = path.read_bytes()
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise damaged_translations(path, f"not UTF-8 text (byte {error.start})") from None
    except OSError as error:
        raise damaged_translations(path, f"not readable ({error.strerror})") from None
    lines = text.removesuffix("\n").split("\n") if text else []
    beside = path.with_suffix(".json")
    record = read_record(beside, SearchRecord, RECORD_ADVICE) or SearchRecord()
    if record.sentences not in (None, len(lines)):
        found, said = counted(len(lines), "line"), counted(record.sentences, "sentence")
        raise damaged_translations(path, f"{found}, but {beside.name} says {said}")
    if not all(0 <= i < len(lines) for i in record.as_reference):
        raise UserError(f"{beside}: as_reference names lines that are not there; publish the study again")
    published = record.sha256 if record.as_reference else None
    return Decoded(lines, published or hashlib.sha256(content).hexdigest(), record)


def _missing(system: str, runs: list[Run]) -> list[MissingRun]:
    """Folders without hypotheses, and seeds that the config asked for and that have no folder; None for the seed of no run."""
    training = runs[0].config.get("training") if runs else {"seeds": [None]}
    wanted = training.get("seeds", []) if isinstance(training, dict) else []
    reasons: dict[int | None, str] = {
        run.folder.seed: "" if run.decoded else f"no hypotheses; status: {run.summary.get('status', 'not finished')}"
        for run in runs
    }
    reasons |= {seed: "no run folder; train it" for seed in wanted if seed not in reasons}
    return [MissingRun(system=system, seed=seed, reason=reason) for seed, reason in reasons.items() if reason]
