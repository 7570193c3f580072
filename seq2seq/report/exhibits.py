"""Exhibits: hypotheses side by side, and attention of all systems on one sentence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from pydantic import BaseModel, Field

from seq2seq.config.files import read_record
from seq2seq.corpus.prepare import SplitText
from seq2seq.report.runs import Run
from seq2seq.run.hypotheses import OWN
from seq2seq.run.reading import Reading
from seq2seq.scoring.evidence import Evidence


class Forced(BaseModel):
    """Attention while the reference was fed."""

    reference: list[str]
    weights: list[list[float]]


class AttentionMap(BaseModel):
    """Weights of one system on one sentence: rows are target subwords, columns source subwords, or cells of a picture."""

    index: int
    source: list[str]
    hypothesis: list[str]
    weights: list[list[float]]
    forced: Forced | None = None
    picture: str = Field(default="", pattern=r"^(data:image/png;base64,[A-Za-z0-9+/=]+)?$")
    """The source where it is a picture: columns are then the cells of a square grid over it, row by row."""

    @property
    def attends(self) -> bool:
        """False for a fixed context vector, whose weights are all zero: it attends to no token."""
        rows = [*self.weights, *(self.forced.weights if self.forced else ())]
        return not rows or any(weight > 0 for row in rows for weight in row)

    def words(self) -> "AttentionMap":
        """The same by words: a word's weight is the sum over its source subwords and the mean over its target subwords."""

        def read(target: list[str], weights: list[list[float]]) -> tuple[Reading, list[list[float]]]:
            found = Reading(self.source, target, np.asarray(weights) if weights else None).by_words()
            return found, [] if found.weights is None else found.weights.round(4).tolist()  # ties as in figures made before

        (own, rows), forced = read(self.hypothesis, self.weights), self.forced
        if forced is not None:
            given, given_rows = read(forced.reference, forced.weights)
            forced = Forced(reference=given.target, weights=given_rows)
        return self.model_copy(update={"source": own.source, "hypothesis": own.target, "weights": rows, "forced": forced})


@dataclass(frozen=True, kw_only=True)
class Exhibits:
    """Sentences and weights; sources and references are None where they must not be shown or are not at hand."""

    lengths: list[int] = field(default_factory=list)
    """(n,) source words."""
    sources: list[str] | None = None
    references: list[str] | None = None
    hypotheses: dict[str, dict[int, list[str]]] = field(default_factory=dict)
    """System -> seed -> n lines."""
    sentence_scores: dict[str, dict[int, list[float]]] = field(default_factory=dict)
    """System -> seed -> n scores, of `sentence_metric`: chrf, or bleu."""
    sentence_metric: str = "chrf"
    attention: dict[int, dict[str, AttentionMap]] = field(default_factory=dict)
    """Sentence -> system -> weights of the system's first seed that has them."""
    own_attention: dict[int, dict[str, AttentionMap]] = field(default_factory=dict)
    """The same on sentences of our own, which may always be shown."""

    def without_text(self) -> "Exhibits":
        """The same without any sentence of the corpus; hypotheses stay, and attention is shown on sentences of our own."""
        return replace(self, sources=None, references=None, attention=self.own_attention)


def collect_exhibits(split: str, evidence: Evidence, runs: Mapping[str, Sequence[Run]], texts: SplitText | None) -> Exhibits:
    """Gather what there is to look at on a split."""
    metric = "chrf" if "chrf" in evidence.metrics else "bleu"
    return Exhibits(
        lengths=evidence.source_words.tolist(),
        sources=texts.sources if texts else None,
        references=texts.references if texts else None,
        hypotheses={name: {run.folder.seed: run.decoded[split].lines for run in some} for name, some in runs.items()},
        sentence_scores={
            system.name: {
                seed: counted.sentence_scores(metric).round(1).tolist()
                for seed, counted in zip(system.seeds, system.statistics, strict=True)
            }
            for system in evidence.systems.values()
        },
        sentence_metric=metric,
        attention=_attention(split, runs),
        own_attention=_attention(OWN, runs),
    )


def _attention(split: str, runs: Mapping[str, Sequence[Run]]) -> dict[int, dict[str, AttentionMap]]:
    found: dict[int, dict[str, AttentionMap]] = {}
    for system, some in runs.items():
        advice = "remove the file and the run's hypotheses, and a report makes both again"
        kept = (read_record(run.folder.attention(split), list[AttentionMap], advice) for run in some)
        for shown in next((maps for maps in kept if maps), []):
            found.setdefault(shown.index, {})[system] = shown
    return dict(sorted(found.items()))
