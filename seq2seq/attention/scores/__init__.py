"""Scores: how query and key are compared. Each is one formula, a class, and a line in `SCORES`."""

from seq2seq.attention.scores.additive import AdditiveScore, CoverageScore, LocationAwareScore, MlpScore, SumTanhScore
from seq2seq.attention.scores.base import ProductScore, Score
from seq2seq.attention.scores.gated import GatedScore
from seq2seq.attention.scores.positional import ConcatLinearScore, LocationScore
from seq2seq.attention.scores.products import BilinearScore, CosineScore, DotScore, ScaledDotScore

__all__ = ["SCORES", "GatedScore", "ProductScore", "Score"]

SCORES: dict[str, type[Score]] = {
    "dot": DotScore,
    "scaled": ScaledDotScore,
    "bilinear": BilinearScore,
    "additive": AdditiveScore,
    "sum_tanh": SumTanhScore,
    "location_aware": LocationAwareScore,
    "coverage": CoverageScore,
    "cosine": CosineScore,
    "mlp": MlpScore,
    "location": LocationScore,
    "concat_linear": ConcatLinearScore,
    "gated": GatedScore,
}
