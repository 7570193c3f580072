import math

import numpy as np
import pytest
import sacrebleu
from hypothesis import given, settings
from hypothesis import strategies as st
from sacrebleu.metrics import BLEU, CHRF, TER

from seq2seq.scoring.metrics import METRICS, bleu, brevity_penalty, chrf, length_ratio, ter
from seq2seq.scoring.sentences import sentence_statistics

WORDS = st.sampled_from(
    ["the", "cat", "sat", "on", "mat", "The", "naïve", "café", "你好", "🙂", "3.5", "don't", ".", ",", "(a)", "x-y"]
)
LINES = st.one_of(st.lists(WORDS, max_size=9).map(" ".join), st.sampled_from(["", " ", "<script>", "&amp;", "a  b "]))
PAIRS = st.lists(st.tuples(LINES, LINES), min_size=1, max_size=8)


def theirs(name, hypotheses, references):
    metric = {"bleu": BLEU(force=True), "chrf": CHRF(), "ter": TER()}[name]
    return metric.corpus_score(hypotheses, [references])


@pytest.mark.parametrize("name", ["bleu", "chrf", "ter"])
@settings(deadline=None, max_examples=60)
@given(pairs=PAIRS, data=st.data())
def test_any_resample_scores_as_sacrebleu_scores_the_same_lines(name, pairs, data):
    hypotheses, references = map(list, zip(*pairs, strict=True))
    chosen = data.draw(st.lists(st.integers(0, len(pairs) - 1), min_size=1, max_size=12))
    ours = sentence_statistics(hypotheses, references).select(chosen).score(name)
    score = theirs(name, [hypotheses[i] for i in chosen], [references[i] for i in chosen]).score
    assert ours == pytest.approx(score, abs=1e-9)


def test_chance_is_bleu_against_the_next_reference_by_length():
    hypotheses = ["the cat sat on the mat", "on the mat sat the cat today", "a cat"]
    references = ["the cat sat on a mat", "on the mat the cat sat today", "cats"]
    counts = sentence_statistics(hypotheses, references, metrics=["bleu"], chance=True).counts["chance"]
    others = [references[1], references[0], references[0]]  # the longest has the one before it
    assert bleu(counts.sum(axis=0)) == pytest.approx(theirs("bleu", hypotheses, others).score, abs=1e-9)
    assert "chance" not in sentence_statistics(["a"], ["a"], chance=True).counts


@settings(deadline=None, max_examples=50)
@given(PAIRS)
def test_sentence_bleu_is_sacrebleus(pairs):
    hypotheses, references = map(list, zip(*pairs, strict=True))
    ours = sentence_statistics(hypotheses, references, metrics=["bleu"]).sentence_scores("bleu")
    expected = [sacrebleu.sentence_bleu(h, [r]).score for h, r in zip(hypotheses, references, strict=True)]
    np.testing.assert_allclose(ours, expected, atol=1e-9)


def test_bleu_by_hand():
    # "the cat sat on mat" against "the cat sat on the mat": 5/5, 3/4, 2/3, 1/2, and 5 tokens against 6
    sums = sentence_statistics(["the cat sat on mat"], ["the cat sat on the mat"], metrics=["bleu"]).total("bleu")
    assert sums.tolist() == [5, 6, 5, 3, 2, 1, 5, 4, 3, 2]
    assert bleu(sums) == pytest.approx(100 * math.exp(1 - 6 / 5) * (1 * 3 / 4 * 2 / 3 * 1 / 2) ** (1 / 4))
    assert brevity_penalty(sums) == pytest.approx(math.exp(-0.2))
    assert length_ratio(sums) == pytest.approx(5 / 6)


def test_missing_orders_are_smoothed_by_halves():
    # 3-grams and 4-grams without a match count as 1/2 and 1/4 match
    sums = np.array([6, 6, 4, 2, 0, 0, 6, 5, 4, 3.0])
    assert bleu(sums) == pytest.approx(100 * (4 / 6 * 2 / 5 * 0.5 / 4 * 0.25 / 3) ** (1 / 4))


def test_ter_by_hand():
    assert ter(np.array([2.0, 5.0])) == pytest.approx(40)
    assert ter(np.array([2.0, 0.0])) == 100
    assert ter(np.array([0.0, 0.0])) == 0


@pytest.mark.parametrize(("name", "score"), [("bleu", bleu), ("chrf", chrf), ("ter", ter)])
def test_leading_dimensions_are_independent(name, score):
    sums = np.random.default_rng(0).integers(0, 20, (3, 5, METRICS[name].columns)).astype(float)
    together = score(sums)
    assert together.shape == (3, 5)
    assert together[2, 4] == pytest.approx(float(score(sums[2, 4])), abs=1e-12)


def test_no_sentence_scores_nothing_and_still_has_signatures():
    nothing = sentence_statistics([], [])
    assert {name: nothing.score(name) for name in METRICS} == {"bleu": 0, "chrf": 0, "ter": 0}
    assert "tok:13a" in nothing.signatures["bleu"]


@pytest.mark.parametrize(("name", "metric"), [("bleu", BLEU(force=True)), ("chrf", CHRF()), ("ter", TER())])
def test_signature_is_sacrebleus(name, metric):
    metric.corpus_score(["a b"], [["a b"]])
    assert sentence_statistics(["a b"], ["a b"]).signatures[name] == str(metric.get_signature())


def test_tokenizer_is_passed_on_and_shown():
    by_character = sentence_statistics(["你好"], ["你们好"], metrics=["bleu"], tokenizer="char")
    assert by_character.total("bleu")[:2].tolist() == [2, 3]
    assert "tok:char" in by_character.signatures["bleu"]
