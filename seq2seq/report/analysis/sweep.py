"""Beam and length penalty chosen for each system on the validation split: the mean BLEU over its seeds decides."""

from collections.abc import Sequence
from typing import Any

from seq2seq.corpus.prepare import EvaluationData
from seq2seq.report.analysis.store import cached, count_bleu, evaluation_of
from seq2seq.report.analysis.words import choose_sentences
from seq2seq.run.trained import TrainedRun
from seq2seq.run.translation import translate

BEAMS = (1, 2, 5, 10)
PENALTIES = (0.0, 0.6, 1.0, 1.4)
SENTENCES = 200
"""Sentences that are translated, evenly spaced over lengths, at most."""
_CLOSE = 0.005  # BLEU below which two ways to search are equally good; the smaller beam, then the smaller penalty, is taken


def tune_run(run: TrainedRun, data: EvaluationData) -> dict[str, Any]:
    """Score every beam with every length penalty on the validation split and write `analysis/beam_sweep.json`."""
    name = run.settings.data.valid
    valid = data.tests[name]
    chosen = choose_sentences(valid, SENTENCES)
    references = [valid.target(i) for i in chosen]

    def score_all() -> dict[str, Any]:
        points = []
        for beam in BEAMS:
            for penalty in PENALTIES if beam > 1 else PENALTIES[:1]:  # no penalty changes a single hypothesis
                settings = run.settings.search.model_copy(update={"beam": beam, "length_penalty": penalty})
                found = translate(run.model, valid, run.target_tokenizer, settings, sentences=chosen)
                bleu = count_bleu(run, found, references).score("bleu")
                points.append({"beam": beam, "length_penalty": penalty, "bleu": bleu})
        return {"split": name, "points": points, "n": len(chosen)}

    search = run.settings.search.model_dump(mode="json", exclude={"beam", "length_penalty"})
    tried = {"beams": list(BEAMS), "penalties": list(PENALTIES), "search": search, "tokenizer": evaluation_of(run).tokenizer}
    return cached(run, data, name, "beam_sweep", score_all, sentences=SENTENCES, **tried)


def choose(points: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The best of some ways to search; of equally good ones the cheapest."""
    best = max(point["bleu"] for point in points)
    good = [point for point in points if point["bleu"] >= best - _CLOSE]
    return min(good, key=lambda point: (point["beam"], point["length_penalty"]))
