"""Reading a study's folder: its runs with their hypotheses, logs and attention, and what of it is missing."""

import hashlib
import json
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from lzma import LZMAError
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pydantic import BaseModel, ConfigDict

from seq2seq.config.base import checked
from seq2seq.config.errors import UserError
from seq2seq.config.evaluation import EvaluationSettings
from seq2seq.config.files import read_json
from seq2seq.config.identity import changes
from seq2seq.config.languages import resolve_tokenizer
from seq2seq.config.loading import plain, read_yaml
from seq2seq.report.schema import MissingRun, Report
from seq2seq.run.folder import RunFolder
from seq2seq.run.trained import find_runs


class StudyFile(BaseModel):
    """`study.yaml` as the trainer leaves it beside the runs; other keys are of no concern here."""

    model_config = ConfigDict(extra="ignore")

    name: str | None = None
    question: str = ""
    evaluation: EvaluationSettings = EvaluationSettings()
    systems: list[str] = []


@dataclass(frozen=True)
class Decoded:
    """The hypotheses of a run on a split.

    Attributes:
        lines: one per sentence.
        sha256: of the file, as it was before lines were left out.
        as_reference: indices of lines that publishing left out, since they are sentences of the corpus.
        truncated: indices cut at the length limit; None where the search did not say.
        facts: what else the search recorded.
    """

    lines: list[str]
    sha256: str
    truncated: list[int] | None
    facts: dict[str, Any]
    as_reference: list[int] = field(default_factory=list)

    def complete_lines(self, references: Sequence[str]) -> list[str]:
        """Return the lines with those put back that publishing left out because they equal their reference.

        Raises:
            UserError: the result is not what was published.
        """
        if not self.as_reference:
            return self.lines
        left_out = set(self.as_reference)
        lines = [references[i] if i in left_out else line for i, line in enumerate(self.lines)]
        if lines_sha256(lines) != self.sha256:
            raise UserError("published hypotheses do not fit this corpus: another edition of it, or a damaged file")
        return lines

    @property
    def truncation_flags(self) -> list[bool] | None:
        """(n,) True where the search stopped at the length limit."""
        if self.truncated is None:
            return None
        cut = set(self.truncated)
        return [index in cut for index in range(len(self.lines))]


@dataclass(frozen=True)
class Run:
    """One training, as its folder shows it."""

    system: str
    seed: int
    folder: Path
    config: dict[str, Any]
    summary: dict[str, Any]
    environment: dict[str, Any]
    log: list[dict[str, Any]]
    decoded: dict[str, Decoded]

    @property
    def name(self) -> str:
        """System and seed, for messages."""
        return f"{self.system} seed {self.seed}"

    def attention(self, split: str) -> list[dict[str, Any]]:
        """Attention weights of some sentences of a split; empty where none were written."""
        path = self.folder / "attention" / f"{split}.json"
        records = read_json(path) if path.exists() else []
        if not isinstance(records, list) or any(not isinstance(r, dict) or "index" not in r for r in records):
            raise UserError(f"{path}: not a list of attention records; remove the file and evaluate the run again")
        return records


@dataclass(frozen=True)
class StudyRuns:
    """A study's folder."""

    folder: Path
    study: StudyFile
    runs: dict[str, list[Run]]
    """By system, in the study's order; systems without a usable run are in `missing` only."""
    missing: list[MissingRun] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The study's name."""
        return self.study.name or self.folder.resolve().name

    def language(self, side: str) -> str:
        """Return the language of the `source` or `target` side, the same for all runs of a study; empty if no run says it."""
        said = (str((run.config.get("data") or {}).get(side) or "") for run in self)
        return next((language for language in said if language), "")

    @property
    def evaluation(self) -> EvaluationSettings:
        """Settings of scoring, with the tokenizer that its target language needs."""
        tokenizer = study_tokenizer(self.study, self.language("target"))
        return self.study.evaluation.model_copy(update={"tokenizer": tokenizer})

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


def read_report(path: Path) -> Report:
    """Read a `report.json`.

    Raises:
        UserError: it is not there, or not one.
    """
    return checked(Report, read_json(path), path, "make the report again")


RUNS = "runs.tar.xz"
"""A published study's runs."""


def is_published(folder: Path) -> bool:
    """Whether a folder holds a study's results as `publish` leaves them, which are evidence and not written again."""
    return (folder / RUNS).is_file()


@contextmanager
def unpacked(folder: Path) -> Iterator[Path]:
    """Yield a study's folder; the runs of a published study are unpacked to a temporary one.

    Raises:
        UserError: the runs of a published study cannot be read.
    """
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
        yield runs


def study_folders(folder: Path) -> tuple[list[RunFolder], list[str]]:
    """Return the runs of a study in its own order, and a note on each system in its folder that `study.yaml` does not have.

    A run's own folder is a study of one run.

    Raises:
        UserError: no runs there.
    """
    runs = find_runs(folder)
    systems = read_study_file(folder / "study.yaml").systems
    if not systems:
        return runs, []
    own = [run for run in runs if run.system in systems]
    if not own:
        raise UserError(
            f"{folder}: no runs of its systems ({', '.join(systems)}); train them, or rename the folders of renamed ones"
        )
    strangers = sorted({run.system for run in runs} - set(systems))
    notes = [
        f"{name}: its runs lie in the folder, but the study has no system of that name, so they are left out; if it was "
        "renamed, rename its folder as well."
        for name in strangers
    ]
    return sorted(own, key=lambda run: systems.index(run.system)), notes  # stable: seeds stay in order


def finished_runs(folder: Path) -> list[RunFolder]:
    """Return the finished runs of a study, in its order.

    Raises:
        UserError: there are none.
    """
    finished = [run for run in study_folders(folder)[0] if run.is_finished()]
    if not finished:
        raise UserError(f"{folder}: no run is finished yet; run the train command again to resume")
    return finished


def read_study(folder: Path) -> StudyRuns:
    """Read every run of a study.

    Raises:
        UserError: no runs there, a file that cannot be read, or seeds of one system that were trained differently.
    """
    places, notes = study_folders(folder)
    study = read_study_file(folder / "study.yaml")
    runs: dict[str, list[Run]] = {}
    for place in places:
        runs.setdefault(place.system, []).append(_read_run(place.path, place.system, notes))
    for some in runs.values():
        _check_alike(some)
    if not any(run.decoded for system in runs.values() for run in system):
        raise UserError(
            f"{folder}: no hypotheses of any run (<system>/seed-<n>/hypotheses/<split>.txt); let a run finish, or give the "
            "folder of the study itself"
        )
    missing = [absent for system in study.systems or runs for absent in _missing(system, runs.get(system, []))]
    notes += _earlier_notes(places)
    return StudyRuns(folder=folder, study=study, runs=runs, missing=missing, notes=notes)


def _earlier_notes(places: Iterable[RunFolder]) -> list[str]:
    """Say which other translations the runs have kept: of an earlier search, of fewer steps, of other sentences."""
    kept = {f"{place.system} seed {place.seed}": len([*place.path.glob("hypotheses/earlier/*/*.json")]) for place in places}
    named = [f"{name} ({count})" for name, count in kept.items() if count]
    if not named:
        return []
    more = f" and {len(named) - 5} other runs" if len(named) > 5 else ""
    listed = f"{', '.join(named[:5])}{more}"
    return [f"Earlier translations, with another search, other weights or text, are kept in hypotheses/earlier/: {listed}."]


def _check_alike(runs: Sequence[Run]) -> None:
    first, *others = runs
    for run in others:
        found = changes(first.config, run.config)
        if differing := [*found.identity, *found.raised]:
            raise UserError(
                f"{run.folder}: not trained like {first.folder} ({'; '.join(differing[:5])}); the seeds of a system differ in "
                "nothing else, so train them alike, or move one out of the study's folder"
            )


def study_tokenizer(study: StudyFile, language: str) -> str:
    """Return sacreBLEU's tokenizer for a study's target language.

    Raises:
        UserError: the study asks for one that cannot serve the language.
    """
    try:
        return resolve_tokenizer(study.evaluation.tokenizer, language)
    except ValueError as error:
        raise UserError(f"study.yaml: evaluation.tokenizer: {error}") from None


def read_study_file(path: Path) -> StudyFile:
    """Read the `study.yaml` beside runs; without one everything is as usual.

    Raises:
        UserError: it is damaged.
    """
    if not path.exists():
        return StudyFile()
    raw = plain(read_yaml(path))
    if isinstance(raw, dict) and isinstance(raw.get("systems"), Mapping):
        raw["systems"] = list(raw["systems"])
    return checked(StudyFile, raw, path, "mend it, or copy it from another folder of runs")


def _read_run(folder: Path, system: str, notes: list[str]) -> Run:
    def optional(name: str) -> dict[str, Any]:
        found = read_json(folder / name) if (folder / name).exists() else {}
        if not isinstance(found, dict):
            raise UserError(f"{folder / name}: expected a JSON object")
        return found

    config = plain(read_yaml(folder / "config.yaml")) if (folder / "config.yaml").exists() else {}
    return Run(
        system=system,
        seed=int(folder.name.removeprefix("seed-")),
        folder=folder,
        config=config if isinstance(config, dict) else {},
        summary=optional("summary.json"),
        environment=optional("environment.json"),
        log=[*_read_log(folder / "log.jsonl", notes), *_read_log(folder / "timing.jsonl", notes)],
        decoded={path.stem: _read_decoded(path) for path in sorted((folder / "hypotheses").glob("*.txt"))},
    )


def _read_log(path: Path, notes: list[str]) -> list[dict[str, Any]]:
    """Records of a log; a last line that an interruption cut short is left out and said."""
    if not path.exists():
        return []
    lines = path.read_bytes().split(b"\n")  # a line that is no UTF-8 is no record either
    records = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except ValueError:
            if number < len(lines):
                raise UserError(f"{path}:{number}: not a JSON record; the log is damaged, train the run again") from None
            notes.append(
                f"{path.parent.parent.name} {path.parent.name}: the last line of {path.name} was cut short and is left out."
            )
            continue
        if isinstance(record, dict):
            records.append(record)
    return records


def _read_decoded(path: Path) -> Decoded:
    """Hypotheses of a split."""
    try:
        content = path.read_bytes()
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text (byte {error.start}); evaluate the run again") from None
    except OSError as error:
        raise UserError(f"{path}: not readable ({error.strerror}); evaluate the run again") from None
    lines = text.removesuffix("\n").split("\n") if text else []
    beside = path.with_suffix(".json")
    facts = read_json(beside) if beside.exists() else {}
    if not isinstance(facts, dict) or not all(isinstance(i, int) for i in facts.get("truncated") or []):
        raise UserError(f"{beside}: not what the search writes; remove the file and evaluate the run again")
    expected = facts.get("sentences", len(lines))
    if expected != len(lines):
        raise UserError(f"{path}: {len(lines)} lines, but {beside.name} says {expected} sentences; evaluate the run again")
    kept = {key: value for key, value in facts.items() if key not in ("truncated", "sentences", "as_reference", "sha256")}
    left_out = facts.get("as_reference") or []
    if not all(isinstance(i, int) and 0 <= i < len(lines) for i in left_out):
        raise UserError(f"{beside}: as_reference names lines that are not there; publish the study again")
    digest = str(facts["sha256"]) if left_out and "sha256" in facts else hashlib.sha256(content).hexdigest()
    return Decoded(lines=lines, sha256=digest, truncated=facts.get("truncated"), facts=kept, as_reference=left_out)


def _missing(system: str, runs: list[Run]) -> list[MissingRun]:
    """Seeds that the config asked for and that have no folder, and folders without hypotheses."""
    if not runs:
        return [MissingRun(system=system, seed=None, reason="no run folder; train it")]
    absent = [
        MissingRun(system=system, seed=run.seed, reason=f"no hypotheses; status: {run.summary.get('status', 'not finished')}")
        for run in runs
        if not run.decoded
    ]
    training = runs[0].config.get("training")
    wanted = training.get("seeds", []) if isinstance(training, dict) else []
    there = {run.seed for run in runs}
    return absent + [
        MissingRun(system=system, seed=seed, reason="no run folder; train it") for seed in wanted if seed not in there
    ]
