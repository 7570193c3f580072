"""Scores of translations: counts per sentence (sacreBLEU's) and vectorised scores of their sums."""

from seq2seq.metrics.scores import METRICS, Metric, bleu, brevity_penalty, chrf, length_ratio, ter
from seq2seq.metrics.sentences import (
    SentenceStatistics,
    SurfaceFigures,
    repeated_ngrams,
    sentence_statistics,
    surface_figures,
)

__all__ = [
    "METRICS",
    "Metric",
    "SentenceStatistics",
    "SurfaceFigures",
    "bleu",
    "brevity_penalty",
    "chrf",
    "length_ratio",
    "repeated_ngrams",
    "sentence_statistics",
    "surface_figures",
    "ter",
]
