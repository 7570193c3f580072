"""A study's results without its weights and without its corpus: what others need to check every number."""

import gzip
import hashlib
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from seq2seq.config.errors import UserError
from seq2seq.config.probe import is_probe
from seq2seq.report.analyses import Analyses
from seq2seq.report.runs import read_json
from seq2seq.report.study import corpus_of, finished_runs, write_study_report
from seq2seq.run.folder import RunFolder, write_json
from seq2seq.run.trained import find_runs, read_settings

_OF_A_STUDY = ("study.yaml", *(f"{name}.json" for name in Analyses.model_fields))
_OF_A_RUN = ("config.yaml", "summary.json", "environment.json", "log.jsonl", "timing.jsonl")


def publish_study(runs: Path, target: Path, *, arguments: list[str]) -> None:
    """Copy a study's results to a folder that can be put under version control, and write its report there.

    Kept, of every run, finished or not: configs, summaries, environments, logs, hypotheses (gzip, the same bytes each time),
    sentence counts, analyses, the report. Left out: checkpoints, attention weights, TensorBoard events. The embedded corpus
    and the probes are ours, so their sentences may be shown; those of any other corpus are left out of every file.

    Args:
        runs: the study's folder.
        target: where to; a study that was published there before is replaced.
        arguments: the command line, for the record.

    Raises:
        UserError: no finished runs, or `target` holds something else.
    """
    folders = finished_runs(runs)
    if target.exists() and any(target.iterdir()) and not (target / "study.yaml").exists():
        raise UserError(f"{target}: not empty and not a published study; give another folder")
    corpus = read_settings(folders[0]).data.corpus
    embedded = corpus == "grammar" or is_probe(corpus)
    data = corpus_of(folders)
    if data is None and not embedded:
        raise UserError(f"{runs}: the corpus is needed to leave its sentences out; set $SEQ2SEQ_DATA and run this again")
    write_study_report(runs, data, runs / "report", without_text=not embedded, arguments=arguments)
    hidden = {} if embedded or data is None else {n: [s.target(i) for i in range(len(s))] for n, s in data.tests.items()}
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for name in _OF_A_STUDY:
        if (runs / name).exists():
            shutil.copy(runs / name, target / name)
    for folder in find_runs(runs):  # also those that are not finished: the report says what became of them
        _publish_run(folder, target / folder.system / folder.path.name, hidden)
    for kind in ("report", "statistics"):
        if (runs / kind).exists():
            shutil.copytree(runs / kind, target / kind)


def _publish_run(folder: RunFolder, target: Path, hidden: Mapping[str, Sequence[str]]) -> None:
    (target / "hypotheses").mkdir(parents=True)
    for name in _OF_A_RUN:
        if (folder.path / name).exists():
            shutil.copy(folder.path / name, target / name)
    for path in sorted((folder.path / "hypotheses").glob("*.txt")):
        _publish_hypotheses(path, target / "hypotheses", hidden.get(path.stem))
    for path in sorted((folder.path / "statistics").glob("*")):
        (target / "statistics").mkdir(exist_ok=True)
        shutil.copy(path, target / "statistics" / path.name)


def _publish_hypotheses(path: Path, target: Path, references: Sequence[str] | None) -> None:
    """Compress hypotheses; of a line that equals its reference, a sentence of the corpus, only the number is kept."""
    content = path.read_bytes()
    facts = read_json(path.with_suffix(".json"))
    lines = content.decode().split("\n")[:-1]
    if references is not None:
        same = [i for i, (line, reference) in enumerate(zip(lines, references, strict=True)) if line and line == reference]
        facts = {**facts, "as_reference": same, "sha256": hashlib.sha256(content).hexdigest()}
        for i in same:
            lines[i] = ""
    text = "".join(f"{line}\n" for line in lines)
    (target / f"{path.name}.gz").write_bytes(gzip.compress(text.encode(), mtime=0))
    write_json(target / f"{path.stem}.json", facts)
