"""Cache of analyses: `<run>/analysis/<name>.json`, each with the key of everything that decides it."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from seq2seq.config.evaluation import EvaluationSettings
from seq2seq.corpus.prepare import EvaluationData
from seq2seq.report.runs import read_study_file, with_tokenizer
from seq2seq.run.folder import RunFolder, write_json
from seq2seq.run.trained import TrainedRun
from seq2seq.run.translation import Translation, one_line
from seq2seq.scoring.sentences import SentenceStatistics, sentence_statistics


def analysis_path(folder: RunFolder, name: str) -> Path:
    """The file of an analysis of a run."""
    return folder.path / "analysis" / f"{name}.json"


def evaluation_of(run: TrainedRun) -> EvaluationSettings:
    """Return how the run's study is scored, with the tokenizer of its target language; a run without a study as usual."""
    study = read_study_file(run.folder.path.resolve().parents[1] / "study.yaml")
    return with_tokenizer(study.evaluation, run.settings.data.target)


def count_bleu(run: TrainedRun, found: Sequence[Translation], references: Sequence[str]) -> SentenceStatistics:
    """BLEU's counts of each translation, with the tokenizer of the run's study."""
    lines = [one_line(translation.text) for translation in found]
    return sentence_statistics(lines, references, metrics=["bleu"], tokenizer=evaluation_of(run).tokenizer)


def read_analysis(folder: RunFolder, name: str) -> dict[str, Any] | None:
    """Return what lies in a run's folder; None if nothing usable does."""
    try:
        known = json.loads(analysis_path(folder, name).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None  # not made yet, or not readable: it can be made again
    return known if isinstance(known, dict) else None


def cached(
    run: TrainedRun, data: EvaluationData, split: str, name: str, make: Callable[[], dict[str, Any]], **more: Any
) -> dict[str, Any]:
    """Return an analysis of a run on a split, made and written anew where none lies under the key of all that decides it."""
    key = {"split": split, "fingerprint": data.fingerprints[split], "step": run.step, **more}
    known = read_analysis(run.folder, name)
    if known is not None and known.get("question") == key:
        return known
    content = {"question": key, **make()}
    write_json(analysis_path(run.folder, name), content)
    return content
