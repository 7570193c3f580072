"""Statistics: intervals over seeds and sentences, tests, length buckets, what length does, papers and claims."""

from seq2seq.scoring.bootstrap import Estimate
from seq2seq.scoring.buckets import EVERYTHING, Bucket, build_buckets, source_words
from seq2seq.scoring.comparison import Comparisons, SystemResult, compare
from seq2seq.scoring.evidence import Evidence, SystemScores, Term

__all__ = [
    "EVERYTHING",
    "Bucket",
    "Comparisons",
    "Estimate",
    "Evidence",
    "SystemResult",
    "SystemScores",
    "Term",
    "build_buckets",
    "compare",
    "source_words",
]
