"""From hypotheses to sentence statistics, which are kept beside the runs so that scores can be checked without the corpus."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from seq2seq.config.errors import UserError
from seq2seq.config.evaluation import EvaluationSettings
from seq2seq.config.languages import length_unit
from seq2seq.report.runs import Run, StudyRuns, lines_sha256, read_json
from seq2seq.run.folder import write_json
from seq2seq.scoring import SystemScores, source_words
from seq2seq.scoring.buckets import Lengths
from seq2seq.scoring.sentences import SentenceStatistics, sentence_statistics

Texts = tuple[Sequence[str], Sequence[str]]
"""(source lines, reference lines) of a split."""


@dataclass(frozen=True, kw_only=True)
class ScoredSplit:
    """A split with the counts of every run.

    Attributes:
        lengths: (n,) source words.
        systems: runs by system, in the study's order.
        source_sha256, reference_sha256: of the lines; None if they were never at hand.
        texts_available: whether the counts were made from the lines (now, or by a cache that the lines confirmed).
    """

    lengths: Lengths
    systems: tuple[SystemScores, ...]
    source_sha256: str | None
    reference_sha256: str | None
    texts_available: bool


def score_split(
    study: StudyRuns, split: str, texts: Texts | None, settings: EvaluationSettings, *, recount: bool = False
) -> ScoredSplit:
    """Count every run's hypotheses of a split against the references, or take the counts that were kept.

    Args:
        study: the runs.
        split: one that some run has hypotheses of.
        texts: the split's lines; None to score from kept counts.
        settings: metrics and tokenizer.
        recount: with texts, count anew and use no kept counts, as a verification must.

    Raises:
        UserError: line counts differ, or nothing was kept for hypotheses as they are now.
    """
    systems = study.on(split)
    index_path = study.folder / "statistics" / f"{split}.json"
    unit = length_unit(study.language("source"))
    if texts is None:
        index = _kept_index(index_path, split, unit)
    else:
        sources, references = texts
        index = {
            "source_words": source_words(sources, study.language("source")).tolist(),
            "length_unit": unit,
            "source_sha256": lines_sha256(sources),
            "reference_sha256": lines_sha256(references),
        }
    lengths = np.array(index["source_words"], dtype=np.int64)
    scores = []
    for name, runs in systems.items():
        _check_lines(runs, split, len(lengths))
        counted = tuple(_statistics(run, split, texts, index["reference_sha256"], settings, recount) for run in runs)
        scores.append(SystemScores(name=name, seeds=tuple(run.seed for run in runs), statistics=counted))
    if texts is not None and not recount:
        write_json(index_path, index)
    return ScoredSplit(
        lengths=lengths,
        systems=tuple(scores),
        source_sha256=index["source_sha256"],
        reference_sha256=index["reference_sha256"],
        texts_available=texts is not None,
    )


def _kept_index(path: Path, split: str, unit: str) -> dict[str, Any]:
    index = read_json(path) if path.exists() else None
    if index is None or (isinstance(index, dict) and index.get("length_unit", "words") != unit):
        raise UserError(
            f"{path}: split {split!r} was never scored here and its corpus is not at hand; "
            "make the corpus available (its card says how) and run the report again"
        )
    if not isinstance(index, dict) or not {"source_words", "source_sha256", "reference_sha256"} <= set(index):
        raise UserError(f"{path}: not what the report keeps there; remove it and run the report with the corpus at hand")
    return index


def _check_lines(runs: Sequence[Run], split: str, expected: int) -> None:
    for run in runs:
        found = len(run.decoded[split].lines)
        if found != expected:
            raise UserError(
                f"{run.folder}/hypotheses/{split}.txt: {found} lines, but the split has {expected} sentences; "
                "evaluate the run again"
            )


def _statistics(
    run: Run, split: str, texts: Texts | None, reference_sha256: str, settings: EvaluationSettings, recount: bool
) -> SentenceStatistics:
    """Counts of one run, kept in `<run>/statistics/<split>.npz` beside their cache key."""
    decoded = run.decoded[split]
    place = run.folder / "statistics" / f"{split}.npz"
    question = {
        "hypotheses_sha256": decoded.sha256,
        "reference_sha256": reference_sha256,
        "truncated_sha256": hashlib.sha256(json.dumps(decoded.truncated).encode()).hexdigest(),
        "metrics": list(settings.metrics),
        "tokenizer": settings.tokenizer,
        "sacrebleu": version("sacrebleu"),
    }
    kept = None if recount else _kept(place, question)
    if kept is not None:
        return kept
    if texts is None:
        raise UserError(
            f"{place}: no counts of these hypotheses with these metrics are kept, and the corpus is not at hand to make them; "
            "make the corpus available (its card says how) and run the report again"
        )
    counted = sentence_statistics(
        decoded.complete_lines(texts[1]),
        texts[1],
        metrics=settings.metrics,
        tokenizer=settings.tokenizer,
        truncated=decoded.truncation_flags,
    )
    if not recount:
        counted.save(place)
        write_json(place.with_suffix(".json"), question)
    return counted


def _kept(place: Path, question: dict[str, Any]) -> SentenceStatistics | None:
    """Counts that answer just this question; a damaged file counts as none, for it can be made again."""
    try:
        if json.loads(place.with_suffix(".json").read_text(encoding="utf-8")) != question:
            return None
        return SentenceStatistics.load(place)
    except (OSError, ValueError):
        return None
