"""Scores of a run on a probe: exact match by source length and, word by word, by position."""

from collections.abc import Iterable, Sequence
from itertools import pairwise, zip_longest
from typing import Any

from seq2seq.config.embedded import PROBE
from seq2seq.config.errors import UserError, counted
from seq2seq.corpus.prepare import read_tests
from seq2seq.report.analysis.store import analysis_path
from seq2seq.report.runs import read_decoded
from seq2seq.run.folder import RunFolder, damaged_translations, write_json
from seq2seq.run.hypotheses import check_sentences
from seq2seq.run.trained import read_settings

SPLIT = "test"


def match_exactly(sources: Sequence[str], references: Sequence[str], hypotheses: Sequence[str], trained: int) -> dict[str, Any]:
    """Compare n answers with the right ones word for word; `trained` is the words of the longest source that was trained on.

    Returns exact: share of answers that are right in every word, 0 to 1; within, beyond: the same up to so many source words
    and above, None where there are none; by_position: of the answers that should have a word at a position, counted from 0, the
    share that has the right one there; lengths, right: of every question.
    """
    right = [hypothesis.split() == reference.split() for hypothesis, reference in zip(hypotheses, references, strict=True)]
    lengths = [len(source.split()) for source in sources]
    by_position: dict[int, list[bool]] = {}
    for hypothesis, reference in zip(hypotheses, references, strict=True):
        for position, (word, given) in enumerate(zip_longest(reference.split(), hypothesis.split())):
            if word is not None:
                by_position.setdefault(position, []).append(word == given)
    return {
        "exact": share(right),
        "within": share(r for r, length in zip(right, lengths, strict=True) if length <= trained),
        "beyond": share(r for r, length in zip(right, lengths, strict=True) if length > trained),
        "trained": trained,
        "by_position": [{"position": at, "n": len(words), "right": share(words)} for at, words in sorted(by_position.items())],
        "lengths": lengths,
        "right": "".join("01"[each] for each in right),
    }


def share(values: Iterable[bool]) -> float | None:
    """Share that is true, 0 to 1; None of nothing."""
    known = list(values)
    return sum(known) / len(known) if known else None


def probe_run(folder: RunFolder) -> dict[str, Any]:
    """Score a run's hypotheses on its probe in `analysis/probe.json`, without a model; a `UserError` if either is missing."""
    data = read_settings(folder).data
    if data.probe is None or SPLIT not in data.test:
        raise UserError(f"{folder.config}: trained on corpus '{data.corpus}', which is no probe; see configs/probes.yaml")
    text = read_tests(data, [SPLIT])[SPLIT]
    path = folder.hypotheses(SPLIT)
    if not path.exists():
        raise UserError(f"{path}: no such file; let the run finish: seq2seq train STUDY")
    check_sentences(path, folder.decoding(SPLIT), text.fingerprint)
    hypotheses = read_decoded(path).lines
    if len(hypotheses) != len(text.sources):
        why = f"{counted(len(hypotheses), 'line')}, but the probe has {counted(len(text.sources), 'pair')}"
        raise damaged_translations(path, why)
    result = match_exactly(text.sources, text.references, hypotheses, data.probe.max_length)
    question = {"task": data.corpus.removeprefix(PROBE), "probe": data.probe.model_dump(mode="json")}
    content = {"question": question, "task": question["task"], **result}
    write_json(analysis_path(folder, "probe"), content)
    return content


def length_ranges(trained: int, longest: int) -> list[tuple[int, int]]:
    """(shortest, longest) question of each row: halves of the L words trained on, then every L more; beyond 4 L, doublings."""
    further = [2, 3] if longest <= 4 * trained else [2**power for power in range(1, (longest // trained).bit_length())]
    edges = sorted({min(edge, longest) for edge in (trained // 2 or 1, *(times * trained for times in (1, *further)), longest)})
    return [(low + 1, high) for low, high in pairwise((0, *edges))]
