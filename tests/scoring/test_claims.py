import dataclasses

import numpy as np
import pytest

from seq2seq.config.evaluation import EvaluationSettings, FixedBucketSettings
from seq2seq.scoring import Evidence, SystemScores
from seq2seq.scoring.claims import CLAIMS, FIXED, judge_claims

SETTINGS = EvaluationSettings(
    metrics=("bleu",), bottleneck_score="bleu", resamples=200, minimum_bucket=50, buckets=FixedBucketSettings(edges=(25,))
)


@pytest.fixture
def judged(simulate, world):
    """Verdicts on systems of planted quality: judged({name: (quality, facts)}) -> {claim: result}.

    Quality is one number for all lengths, or (up to 25 words, above).
    """

    def judge(plan, settings=SETTINGS):
        systems = {}
        for name, (quality, facts) in plan.items():
            short, long = quality if isinstance(quality, tuple) else (quality, quality)
            parts = [simulate(world(sentences=600, seed=0.01, quality=value), 1, seeds=(3,)) for value in (short, long)]
            lengths = parts[0][1]
            runs = tuple(
                dataclasses.replace(
                    low,
                    counts={key: np.where((lengths <= 25)[:, None], low.counts[key], high.counts[key]) for key in low.counts},
                )
                for low, high in zip(parts[0][0][0].statistics, parts[1][0][0].statistics, strict=True)
            )
            systems[name] = SystemScores(name=name, seeds=(1, 2, 3), statistics=runs, facts=facts)
        return {result.claim: result for result in judge_claims(Evidence(list(systems.values()), lengths, settings))}

    return judge


def test_every_claim_is_answered_even_if_nothing_can_be_tested(judged):
    results = judged({"additive": (1.0, {})})
    assert list(results) == list(CLAIMS)
    assert {result.verdict for result in results.values()} == {"not tested"}
    assert all("needs" in result.explanation and result.estimate is None for result in results.values())


@pytest.mark.parametrize(("short", "verdict"), [(1.2, "supported"), (1.0, "undecided"), (0.5, "contradicted")])
def test_fine_for_short_sentences(judged, short, verdict):
    result = judged({"none": ((short, 0.2), {}), "additive": (1.0, {}), "scaled": (1.0, {})})[
        "no attention is fine for short sentences"
    ]
    assert result.verdict == verdict
    assert result.systems == ("additive", "scaled", "none")
    assert "1-25 source words" in result.explanation


def test_short_sentences_that_are_too_few_decide_nothing(judged):
    settings = SETTINGS.model_copy(update={"minimum_bucket": 500})
    result = judged({"none": ((0.5, 0.2), {}), "additive": (1.0, {})}, settings)["no attention is fine for short sentences"]
    assert result.verdict == "undecided"
    assert "too few sentences" in result.explanation


@pytest.mark.parametrize(("slope", "verdict"), [(3.0, "supported"), (1.0, "undecided"), (0.2, "contradicted")])
def test_cost_of_attention(judged, slope, verdict):
    words = np.arange(5, 60, 5)
    wiggle = np.tile([0.5, -0.5], 6)[:11]
    costs = {factor: list(zip(words, factor * words + wiggle, strict=True)) for factor in (1.0, slope)}
    plan = {"none": (1.0, {"decoding_costs": costs[1.0]}), "additive": (1.0, {"decoding_costs": costs[slope]})}
    result = judged(plan)["attention costs more as length grows"]
    assert result.verdict == verdict
    assert result.estimate.value == pytest.approx(slope - 1, abs=0.01)


def width(score, size, quality):
    return quality, {"score": score, "attention_size": size}


@pytest.mark.parametrize(("wide_dot", "verdict"), [(0.4, "supported"), (1.0, "undecided"), (1.6, "contradicted")])
def test_dot_at_high_dimension(judged, wide_dot, verdict):
    plan = {
        "a": width("dot", 64, 1.0),
        "b": width("scaled", 64, 1.0),
        "c": width("dot", 1024, wide_dot),
        "d": width("scaled", 1024, 1.0),
    }
    result = judged(plan)["dot needs scaling at high dimension"]
    assert result.verdict == verdict
    assert "size 1024 minus at size 64" in result.number


def test_the_resolved_spelling_of_scaled_is_understood(judged):
    plan = {"a": width("dot", 64, 1.0), "b": width("dot", 64, 1.0), "c": width("dot", 1024, 0.4), "d": width("dot", 1024, 1.0)}
    for name, scale in {"a": "none", "b": "sqrt", "c": "none", "d": "sqrt"}.items():
        plan[name][1]["scale"] = scale
    result = judged(plan)["dot needs scaling at high dimension"]
    assert result.verdict == "supported"
    assert result.systems == ("d", "c", "b", "a")


def test_no_attention_means_every_fixed_context_of_the_attention_table():
    from seq2seq.attention.fixed import FIXED as TABLE

    assert set(TABLE) == FIXED


def test_dot_at_one_size_only_tests_nothing(judged):
    results = judged({"dot": width("dot", 64, 1.0), "scaled": width("scaled", 64, 1.0)})
    assert results["dot needs scaling at high dimension"].verdict == "not tested"


@pytest.mark.parametrize(("qualities", "verdict"), [((0.6, 0.8, 1.0), "supported"), ((1.0, 0.8, 0.6), "contradicted")])
def test_heads(judged, qualities, verdict):
    plan = {f"heads-{n}": (quality, {"heads": n}) for n, quality in zip((1, 2, 4), qualities, strict=True)}
    result = judged(plan)["more heads help"]
    assert result.verdict == verdict
    assert result.number == "BLEU per doubling of heads"


@pytest.mark.parametrize(("beyond", "verdict"), [(0.4, "supported"), (1.0, "undecided"), (1.6, "contradicted")])
def test_positions(judged, beyond, verdict):
    plan = {
        "sinus": ((1.0, beyond), {"positions": "sinusoidal", "trained_words": 25}),
        "rope": (1.0, {"positions": "rope", "trained_words": 25}),
    }
    assert judged(plan)["relative positions generalise better"].verdict == verdict


def test_positions_trained_to_different_lengths_test_nothing(judged):
    plan = {name: (1.0, {"positions": name, "trained_words": limit}) for name, limit in (("rope", 25), ("learned", 30))}
    assert judged(plan)["relative positions generalise better"].verdict == "not tested"


@pytest.mark.parametrize(("rates", "verdict"), [([0.2, 0.25, 0.22], "supported"), ([0.8, 0.75, 0.9], "contradicted")])
def test_weights(judged, rates, verdict):
    result = judged({"additive": (1.0, {"alignment_error_rates": rates, "diagonal_error_rate": 0.5})})[
        "weights are interpretable"
    ]
    assert result.verdict == verdict
    assert result.estimate.value == pytest.approx(0.5 - np.mean(rates))
