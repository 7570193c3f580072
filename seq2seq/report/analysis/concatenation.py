"""The concatenation probe: short real pairs joined into long ones, their references joined too.

Long sentences of a corpus differ from short ones in kind, not only in length. Here the same short pairs are translated one by
one, two by two, ... five by five: every number of joined pairs uses every pair exactly once, so that length grows while the
words to translate stay the same. What BLEU loses from k = 1 to k = 5 is the price of length alone, for models that were
trained on one sentence at a time (compare Varis and Bojar 2021, "Sequence length is a domain").
"""

from typing import Any

import numpy as np

from seq2seq.config.errors import UserError, counted
from seq2seq.corpus.join import join_pairs
from seq2seq.corpus.prepare import EncodedSplit, EvaluationData
from seq2seq.report.analysis.store import cached, count_bleu, evaluation_of
from seq2seq.run.trained import TrainedRun
from seq2seq.run.translation import translate

JOINED = (1, 2, 3, 4, 5)
PAIRS = 240
"""Pairs to join, at most."""
LONGEST = 10
"""Source words of a short pair, at most."""
_WHOLE = int(np.lcm.reduce(JOINED))  # a multiple of it leaves no pair over at any number


def choose_pairs(split: EncodedSplit) -> list[int]:
    """Short pairs evenly spread over a split, in an unrelated order, the same for all systems; a `UserError` if too few."""
    short = [i for i in range(len(split)) if 0 < split.length(i) <= LONGEST]
    count = min(PAIRS, len(short)) // _WHOLE * _WHOLE
    if count == 0:
        found = counted(len(short), "source")
        raise UserError(f"the test split has {found} of up to {LONGEST} words; the concatenation probe joins {_WHOLE} or more")
    order = np.random.default_rng(1).permutation(count)
    return [short[k * len(short) // count] for k in order.tolist()]


def concatenate_run(run: TrainedRun, data: EvaluationData) -> dict[str, Any]:
    """Count BLEU of joined pairs of the first test split in `analysis/concatenation.json`, null where refused, or keep that."""
    name, split = next(iter(data.tests.items()))
    key = {"pairs": PAIRS, "search": run.settings.search.model_dump(mode="json"), "tokenizer": evaluation_of(run).tokenizer}
    return cached(run, data, name, "concatenation", lambda: _joined(run, name, split), **key)


def _joined(run: TrainedRun, name: str, split: EncodedSplit) -> dict[str, Any]:
    chosen = choose_pairs(split)
    short, lengths = [split.pair(i) for i in chosen], [split.length(i) for i in chosen]
    between = join.between if (join := run.settings.data.join) else " "
    joined = {size: [join_pairs(short[i : i + size], between) for i in range(0, len(short), size)] for size in JOINED}
    return {
        "split": name,
        "pairs": len(chosen),
        "longest": max(lengths),
        "points": [
            {
                "joined": size,
                "n": len(pairs_of_size),
                "words": sum(lengths) / len(pairs_of_size),
                "counts": _counts(run, [p.source for p in pairs_of_size], [p.target for p in pairs_of_size]),
            }
            for size, pairs_of_size in joined.items()
        ],
    }


def _counts(run: TrainedRun, sources: list[str], references: list[str]) -> list[list[float]] | None:
    """BLEU counts (n, 10) of the translations; None where the model cannot read sources of this length."""
    try:
        found = translate(run.model, run.encode(sources), run.target_tokenizer, run.settings.search)
    except UserError:  # its positions end before: the point stays empty and is shown as refused
        return None
    counts: list[list[float]] = count_bleu(run, found, references).counts["bleu"].tolist()
    return counts
