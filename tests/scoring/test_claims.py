import dataclasses
import re

import numpy as np
import pytest

from seq2seq.config.evaluation import EvaluationSettings, FixedBucketSettings
from seq2seq.scoring.claims import CLAIMS, FIXED, judge_claims
from seq2seq.scoring.evidence import Evidence, SystemScores

SETTINGS = EvaluationSettings(
    metrics=("bleu",), bottleneck_score="bleu", resamples=200, minimum_bucket=50, buckets=FixedBucketSettings(edges=(25,))
)
ALIGN = "attention weights agree with word alignments"


@pytest.fixture
def judged(simulate, world):
    """Verdicts on systems of planted quality: judged({name: (quality, facts)}) -> {claim: result}.

    Quality is one number for all lengths, or (up to 25 words, above).
    """

    def judge(plan, settings=SETTINGS, seeds=3):
        systems = {}
        for name, (quality, facts) in plan.items():
            short, long = quality if isinstance(quality, tuple) else (quality, quality)
            parts = [simulate(world(sentences=600, seed=0.01, quality=value), 1, seeds=(seeds,)) for value in (short, long)]
            lengths = parts[0][1]
            runs = tuple(
                dataclasses.replace(
                    low,
                    counts={key: np.where((lengths <= 25)[:, None], low.counts[key], high.counts[key]) for key in low.counts},
                )
                for low, high in zip(parts[0][0][0].statistics, parts[1][0][0].statistics, strict=True)
            )
            systems[name] = SystemScores(name=name, seeds=tuple(range(1, seeds + 1)), statistics=runs, facts=facts)
        return {result.claim: result for result in judge_claims(Evidence(list(systems.values()), lengths, settings))}

    return judge


def test_every_claim_is_answered_even_if_nothing_can_be_tested(judged):
    results = judged({"additive": (1.0, {})})
    assert list(results) == list(CLAIMS)
    assert {result.verdict for result in results.values()} == {"not tested"}
    assert all("needs" in result.explanation and result.value is None for result in results.values())


def short_plan(short, **facts):
    return {
        "none": ((short, 0.2), {"bridge_twins": ["additive", "scaled"], **facts}),
        "additive": (1.0, {}),
        "scaled": (1.0, {}),
        "transformer": (3.0, {}),  # no twin: it differs in more than its attention
    }


@pytest.mark.parametrize(("short", "verdict"), [(1.2, "supported"), (0.97, "undecided"), (0.5, "contradicted")])
def test_fine_for_short_sentences_compares_twins_only(judged, short, verdict):
    result = judged(short_plan(short))["no attention is fine for short sentences"]
    assert result.verdict == verdict
    assert result.systems == ["additive", "scaled", "none"]
    assert "1-25 source words" in result.contrast
    assert result.replicates == "3 seeds each"


@pytest.mark.parametrize(
    ("short", "facts", "missing"),
    [
        (-3.0, {}, "a baseline that translates"),
        (0.5, {"learning": "still improving"}, "done learning"),
        (0.5, {"probe": True}, "a probe's answers"),
        (0.5, {"bridge_twins": []}, "differs from none in its attention only"),
    ],
)
def test_fine_for_short_is_not_tested_by_cripples_beginners_and_probes(judged, short, facts, missing):
    result = judged(short_plan(short, **facts))["no attention is fine for short sentences"]
    assert result.verdict == "not tested"
    assert missing in result.explanation


def test_short_sentences_that_are_too_few_decide_nothing(judged):
    settings = SETTINGS.model_copy(update={"minimum_bucket": 500})
    result = judged(short_plan(0.5), settings)["no attention is fine for short sentences"]
    assert result.verdict == "small sample"
    assert result.value > 1


def test_single_seeds_lean(judged):
    assert judged(short_plan(0.5), seeds=1)["no attention is fine for short sentences"].verdict == "leans contradicted"


@pytest.mark.parametrize(("slope", "verdict"), [(3.0, "supported"), (1.0, "undecided"), (0.2, "contradicted")])
def test_cost_of_attention(judged, slope, verdict):
    words = np.arange(5, 60, 5)
    wiggle = np.tile([0.5, -0.5], 6)[:11]
    costs = {factor: list(zip(words, factor * words + wiggle, strict=True)) for factor in (1.0, slope)}
    plan = {"none": (1.0, {"decoding_costs": costs[1.0]}), "additive": (1.0, {"decoding_costs": costs[slope]})}
    result = judged(plan)["attention costs more as length grows"]
    assert result.verdict == verdict
    assert result.value == pytest.approx(slope - 1, abs=0.01)
    assert result.replicates == "timings at 11 lengths"


def width(score, size, quality, **facts):
    return quality, {"score": score, "attention_size": size, **facts}


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
    assert "size 1024 minus at size 64" in result.contrast


def test_dot_is_compared_at_one_learning_rate(judged):
    pairs = {f"{kind}-{size}": (kind, size) for kind in ("dot", "scaled") for size in (64, 1024)}
    plan = {name: width(kind, size, 1.0, learning_rate=0.001 * size / 64) for name, (kind, size) in pairs.items()}
    assert judged(plan)["dot needs scaling at high dimension"].verdict == "not tested"
    plan = {name: width(kind, size, 1.0, learning_rate=0.004) for name, (kind, size) in pairs.items()}
    assert "learning rates: 0.004" in judged(plan)["dot needs scaling at high dimension"].controls


def test_the_resolved_spelling_of_scaled_is_understood(judged):
    plan = {"a": width("dot", 64, 1.0), "b": width("dot", 64, 1.0), "c": width("dot", 1024, 0.4), "d": width("dot", 1024, 1.0)}
    for name, scale in {"a": "none", "b": "sqrt", "c": "none", "d": "sqrt"}.items():
        plan[name][1]["scale"] = scale
    result = judged(plan)["dot needs scaling at high dimension"]
    assert result.verdict == "supported"
    assert result.systems == ["d", "c", "b", "a"]


def test_no_attention_means_every_fixed_context_of_the_attention_table():
    from seq2seq.attention.fixed import FIXED as TABLE

    assert set(TABLE) == FIXED


@pytest.mark.parametrize(("qualities", "verdict"), [((0.6, 0.8, 1.0), "supported"), ((1.0, 0.8, 0.6), "contradicted")])
def test_heads(judged, qualities, verdict):
    names = [f"heads-{n}" for n in (1, 2, 4)]
    plan = {
        name: (quality, {"heads": int(name[6:]), "head_twins": [other for other in names if other != name]})
        for name, quality in zip(names, qualities, strict=True)
    }
    result = judged(plan)["more heads help"]
    assert result.verdict == verdict
    assert result.contrast == "BLEU per doubling of heads"


def positions(kind, limit=25):
    return {"positions": kind, "trained_words": limit, "position_twins": ["another"]}


@pytest.mark.parametrize(("beyond", "verdict"), [(0.4, "supported"), (1.0, "undecided"), (1.6, "contradicted")])
def test_positions(judged, beyond, verdict):
    plan = {"sinus": ((1.0, beyond), positions("sinusoidal")), "rope": (1.0, positions("rope"))}
    assert judged(plan)["relative positions generalise better"].verdict == verdict


def test_a_lead_at_every_length_that_is_smaller_beyond_is_no_contradiction(judged):
    plan = {"sinus": ((0.5, -0.5), positions("sinusoidal")), "rope": ((1.5, 0.45), positions("rope"))}
    result = judged(plan)["relative positions generalise better"]
    within, beyond = map(float, re.findall(r"([+-][\d.]+) \[", result.explanation.split("minus absolute: ")[1]))
    assert within > beyond > 0  # in points the lead shrinks
    assert result.verdict != "contradicted"


@pytest.mark.parametrize(
    ("claim", "plan"),
    [
        ("dot needs scaling at high dimension", {name: width(name, 64, 1.0) for name in ("dot", "scaled")}),  # one size
        ("more heads help", {f"heads-{n}": (1.0, {"heads": n, "head_twins": []}) for n in (1, 4)}),  # other parameters
        ("relative positions generalise better", {"rope": (1.0, positions("rope")), "a": (1.0, positions("learned", 30))}),
    ],
)
def test_systems_that_differ_in_more_than_the_claim_test_nothing(judged, claim, plan):
    assert judged(plan)[claim].verdict == "not tested"


def rated(*rates, **facts):
    return {"alignment_error_rates": list(rates), "diagonal_error_rate": 0.5, "alignment_half_width": 0.01, **facts}


@pytest.mark.parametrize(("rates", "verdict"), [([0.2, 0.25, 0.22], "supported"), ([0.8, 0.75, 0.9], "contradicted")])
def test_weights_against_links_are_replicated_over_seeds(judged, rates, verdict):
    plan = {"additive": (1.0, rated(*rates)), "dot": (1.0, rated(*rates)), "none": (1.0, rated(0.9, 0.9, 0.9))}
    result = judged(plan)[ALIGN]
    assert result.verdict == verdict
    assert result.systems == ["additive", "dot"]  # fixed contexts are controls
    assert result.value == pytest.approx(0.5 - np.mean(rates))
    assert result.replicates == "3 seeds each"


def test_many_systems_of_one_seed_are_no_replicates(judged):
    plan = {f"additive-{n}": (1.0, rated(0.1 + 0.01 * n)) for n in range(4)}
    assert judged(plan)[ALIGN].verdict == "leans supported"
