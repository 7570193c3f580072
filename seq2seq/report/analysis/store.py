"""Cache of analyses: `<run>/analysis/<name>.json`, each with the key of everything that decides it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seq2seq.report.runs import read_study_file, study_tokenizer
from seq2seq.run.folder import RunFolder, write_json
from seq2seq.run.trained import TrainedRun
from seq2seq.run.translation import Translation, one_line
from seq2seq.scoring.sentences import SentenceStatistics, sentence_statistics


def analysis_path(folder: RunFolder, name: str) -> Path:
    """The file of an analysis of a run."""
    return folder.path / "analysis" / f"{name}.json"


def bleu_tokenizer(run: TrainedRun) -> str:
    """Return sacreBLEU's tokenizer that the run's study is scored with; a run without a study has its language's usual one."""
    return study_tokenizer(read_study_file(run.folder.path.resolve().parents[1] / "study.yaml"), run.settings.data.target)


def count_bleu(run: TrainedRun, found: Sequence[Translation], references: Sequence[str]) -> SentenceStatistics:
    """BLEU's counts of each translation, with the tokenizer of the run's study."""
    lines = [one_line(translation.text) for translation in found]
    return sentence_statistics(lines, references, metrics=["bleu"], tokenizer=bleu_tokenizer(run))


def kept(run: TrainedRun, name: str, question: dict[str, Any]) -> dict[str, Any] | None:
    """Return an analysis that was made before, if it answers this question; a damaged file is made again."""
    known = read_analysis(run.folder, name)
    return known if known is not None and known.get("question") == question else None


def read_analysis(folder: RunFolder, name: str) -> dict[str, Any] | None:
    """Return what lies in a run's folder; None if nothing usable does."""
    try:
        known = json.loads(analysis_path(folder, name).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None  # not made yet, or not readable: it can be made again
    return known if isinstance(known, dict) else None


def write_analysis(run: TrainedRun, name: str, question: dict[str, Any], result: dict[str, Any]) -> dict[str, Any]:
    """Write an analysis with its question and return both."""
    content = {"question": question, **result}
    write_json(analysis_path(run.folder, name), content)
    return content
