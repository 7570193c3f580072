"""From hypotheses to sentence statistics, which are kept beside the runs so that scores can be checked without the corpus."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel

from seq2seq.config.errors import UserError, counted
from seq2seq.config.evaluation import EvaluationSettings
from seq2seq.config.files import read_record
from seq2seq.config.languages import length_unit
from seq2seq.corpus.prepare import SplitText
from seq2seq.report.runs import Run, StudyRuns, lines_sha256
from seq2seq.run.folder import damaged_translations, write_json
from seq2seq.scoring.buckets import source_words
from seq2seq.scoring.evidence import Evidence, SystemScores
from seq2seq.scoring.sentences import CHANCE, SentenceStatistics, sentence_statistics

SLOW = "ter"
"""The metric whose search takes minutes where the others take seconds."""


class SplitIndex(BaseModel):
    """`<study>/statistics/<split>.json`: the lengths of a split's sources and which lines were counted."""

    source_words: list[int]
    length_unit: str = "words"
    source_sha256: str
    reference_sha256: str


def score_split(
    study: StudyRuns,
    split: str,
    texts: SplitText | None,
    facts: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    recount: bool = False,
) -> tuple[Evidence, SplitIndex]:
    """Count every run's hypotheses of a split against the references, or take the counts that were kept.

    Without texts there are only these. With texts `recount` counts anew, as a verification must; TER's search takes minutes, so
    its kept counts are taken if they are of just these lines. `facts` are those of each system for claims. A `UserError` if
    line counts differ, or nothing was kept for hypotheses as they are now.
    """
    path, language = study.folder / "statistics" / f"{split}.json", study.language("source")
    unit, settings = length_unit(language), study.evaluation
    if texts is None:
        index = _kept_index(path, split, unit)
    else:
        index = SplitIndex(
            source_words=source_words(texts.sources, language).tolist(),
            length_unit=unit,
            source_sha256=lines_sha256(texts.sources),
            reference_sha256=lines_sha256(texts.references),
        )
    scores = []
    for name, runs in study.on(split).items():
        for run in runs:
            if (found := len(run.decoded[split].lines)) != (expected := len(index.source_words)):
                why = f"{counted(found, 'line')}, but the split has {counted(expected, 'sentence')}"
                raise damaged_translations(run.folder.hypotheses(split), why)
        counts = tuple(_statistics(run, split, texts, index.reference_sha256, settings, recount) for run in runs)
        seeds = tuple(run.folder.seed for run in runs)
        scores.append(SystemScores(name=name, seeds=seeds, statistics=counts, facts=(facts or {}).get(name, {})))
    if texts is not None and not recount:
        write_json(path, index.model_dump())
    return Evidence(scores, np.array(index.source_words, dtype=np.int64), settings, unit), index


def _kept_index(path: Path, split: str, unit: str) -> SplitIndex:
    advice = "remove it and run the report with the corpus at hand"
    index = read_record(path, SplitIndex, advice)
    if index is None or index.length_unit != unit:
        raise UserError(
            f"{path}: split {split!r} was never scored here and its corpus is not at hand; "
            "make the corpus available (its card says how) and run the report again"
        )
    return index


def _statistics(
    run: Run, split: str, texts: SplitText | None, reference_sha256: str, settings: EvaluationSettings, recount: bool
) -> SentenceStatistics:
    """Counts of one run, kept in `<run>/statistics/<split>.npz` beside their cache key."""
    decoded, cut = run.decoded[split], run.decoded[split].record.truncated
    place = run.folder.path / "statistics" / f"{split}.npz"
    key = {
        "hypotheses_sha256": decoded.sha256,
        "reference_sha256": reference_sha256,
        "truncated_sha256": hashlib.sha256(json.dumps(cut).encode()).hexdigest(),
        "metrics": list(settings.metrics),
        "tokenizer": settings.tokenizer,
        "sacrebleu": version("sacrebleu"),
    }
    kept = _kept(place, key)
    if kept is not None and not recount and (texts is None or CHANCE in kept.counts):
        return kept
    if texts is None:
        raise UserError(
            f"{place}: no counts of these hypotheses with these metrics are kept, and the corpus is not at hand to make them; "
            "make the corpus available (its card says how) and run the report again"
        )
    counted = sentence_statistics(
        decoded.complete_lines(texts.references),
        texts.references,
        metrics=[name for name in settings.metrics if kept is None or name != SLOW],
        tokenizer=settings.tokenizer,
        truncated=None if cut is None else np.isin(np.arange(len(decoded.lines)), cut).tolist(),
        chance=True,
    )
    if kept is not None and SLOW in settings.metrics:
        counts = {**counted.counts, SLOW: kept.counts[SLOW]}
        counted = replace(counted, counts=counts, signatures={**counted.signatures, SLOW: kept.signatures[SLOW]})
    if not recount:
        counted.save(place)
        write_json(place.with_suffix(".json"), key)
    return counted


def _kept(place: Path, key: dict[str, Any]) -> SentenceStatistics | None:
    """Counts under this key; a damaged file counts as none, for it can be made again."""
    try:
        if json.loads(place.with_suffix(".json").read_text(encoding="utf-8")) != key:
            return None
        return SentenceStatistics.load(place)
    except (OSError, ValueError):
        return None
