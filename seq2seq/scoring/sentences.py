"""Counts of every sentence of a hypothesis file, and their file."""

import io
import json
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from seq2seq.config.files import write_aside
from seq2seq.scoring.metrics import METRICS, Counts, Scores, bleu, brevity_penalty, length_ratio

REPETITION_ORDER = 4
CHANCE = "chance"
"""Name of the BLEU counts against the reference of another sentence as long."""
SURFACE = ("sentences", "empty", "truncated", "exact", "repeated_ngrams", "ngrams")
_FORMAT = 1


@dataclass(frozen=True)
class SentenceStatistics:
    """Additive counts of every sentence of one hypothesis file; a score of any subset is a function of the subset's sums."""

    counts: Mapping[str, Counts]  # by metric, (n, its columns); "surface" (n, 6), named in `SURFACE`; maybe `CHANCE`
    signatures: Mapping[str, str]  # metric name -> sacreBLEU's signature
    truncation_known: bool = False  # whether the search said which hypotheses hit the length limit; else that column is 0

    def __len__(self) -> int:
        return len(self.counts["surface"])

    def select(self, sentences: ArrayLike) -> Self:
        """The same counts for some sentences: a boolean mask (n,) or indices, which may repeat."""
        index = np.asarray(sentences)
        chosen = {name: rows[index] for name, rows in self.counts.items()}
        return type(self)(counts=chosen, signatures=self.signatures, truncation_known=self.truncation_known)

    def total(self, name: str) -> Counts:
        """(columns,) sums over all sentences."""
        return np.asarray(self.counts[name].sum(axis=0))

    def score(self, name: str) -> float:
        """Corpus score of these sentences, in points; equal to sacreBLEU's."""
        return float(METRICS[name].score(self.total(name)))

    def sentence_scores(self, name: str) -> Scores:
        """(n,) one score per sentence; BLEU with effective order, as sacreBLEU's `sentence_bleu`."""
        return bleu(self.counts[name], effective_order=True) if name == "bleu" else METRICS[name].score(self.counts[name])

    def save(self, path: Path) -> None:
        """Write an .npz without pickled objects; another process never sees half a file."""
        about = {"format": _FORMAT, "signatures": dict(self.signatures), "truncation_known": self.truncation_known}
        arrays: dict[str, Any] = {f"counts.{name}": rows.astype(np.uint32) for name, rows in self.counts.items()}
        archive = io.BytesIO()
        np.savez(archive, about=np.array(json.dumps(about)), **arrays)  # published runs are compressed together
        write_aside(path, archive.getvalue())

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote; a ValueError if it is not such an archive, is damaged or has another format."""
        if not zipfile.is_zipfile(path):
            raise ValueError(f"{path}: not an archive of sentence statistics")
        try:
            with np.load(path, allow_pickle=False) as archive:
                about = json.loads(str(archive["about"]))
                counts = {
                    name.removeprefix("counts."): archive[name].astype(np.float64) for name in archive.files if name != "about"
                }
        except (KeyError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise ValueError(f"{path}: unreadable sentence statistics ({error})") from error
        if about.get("format") != _FORMAT:
            raise ValueError(f"{path}: sentence statistics of format {about.get('format')}, this version reads {_FORMAT}")
        return cls(counts=counts, signatures=about["signatures"], truncation_known=about["truncation_known"])


def surface_figures(runs: Sequence[SentenceStatistics]) -> dict[str, float | None]:
    """Figures of `results.Scores` that need no metric: of one run, or the mean over a system's; counts stay counts per run."""
    tokens = np.stack([run.total("bleu") for run in runs])
    surface = np.stack([run.total("surface") for run in runs])
    mean = dict(zip(SURFACE, surface.mean(axis=0).tolist(), strict=True))
    return {
        "brevity": float(brevity_penalty(tokens).mean()),
        "length_ratio": float(length_ratio(tokens).mean()),
        "empty": mean["empty"],
        "truncated": mean["truncated"] if all(run.truncation_known for run in runs) else None,
        "exact": mean["exact"],
        "repeated": float((surface[:, 4] / np.maximum(surface[:, 5], 1)).mean()),
    }


def repeated_ngrams(line: str, order: int = REPETITION_ORDER) -> tuple[int, int]:
    """(n-grams said before in the same line, all n-grams); seq-rep-n of Welleck et al. 2020, arXiv:1908.04319, section 6.1."""
    words = line.split()
    ngrams = [tuple(words[start : start + order]) for start in range(len(words) - order + 1)]
    return len(ngrams) - len(set(ngrams)), len(ngrams)


def _surface(hypotheses: Sequence[str], references: Sequence[str], truncated: Sequence[bool]) -> Counts:
    """(n, 6) counts named in `SURFACE`."""
    rows = [
        (1, not hypothesis.strip(), cut, hypothesis.strip() == reference.strip(), *repeated_ngrams(hypothesis))
        for hypothesis, reference, cut in zip(hypotheses, references, truncated, strict=True)
    ]
    return np.array(rows, dtype=np.float64).reshape(len(rows), len(SURFACE))


def _next_by_length(lines: Sequence[str]) -> list[str]:
    """The line that follows each one in the order of their characters; for the longest it is the one before."""
    order = np.argsort([len(line) for line in lines], kind="stable")
    found = list(lines)
    for place, line in enumerate(order):
        found[line] = lines[order[place + 1 if place + 1 < len(order) else place - 1]]
    return found


def sentence_statistics(
    hypotheses: Sequence[str],
    references: Sequence[str],
    *,
    metrics: Sequence[str] = tuple(METRICS),
    tokenizer: str = "13a",
    truncated: Sequence[bool] | None = None,
    chance: bool = False,
) -> SentenceStatistics:
    """Count every sentence of n detokenised lines and their references.

    `metrics` has BLEU among them, whose `tokenizer` is sacreBLEU's; `truncated` is (n,), True where the search stopped at the
    length limit, None if that is not known. With `chance` every hypothesis is counted against another reference too, that of
    the next sentence by length. A ValueError if the numbers of lines differ.
    """
    surface = _surface(hypotheses, references, [False] * len(hypotheses) if truncated is None else truncated)
    counted = {name: METRICS[name].count(hypotheses, references, tokenizer=tokenizer) for name in metrics}
    counts = {**{name: rows for name, (rows, _) in counted.items()}, "surface": surface}
    if chance and len(references) > 1:
        others = _next_by_length(references)
        counts[CHANCE], _ = METRICS["bleu"].count(hypotheses, others, tokenizer=tokenizer)
    return SentenceStatistics(
        counts=counts,
        signatures={name: signature for name, (_, signature) in counted.items()},
        truncation_known=truncated is not None,
    )
