"""Every member against numbers worked out by hand. Scores of one head, one sentence, and D = 2 unless said."""

import math

import pytest
import torch

from seq2seq.attention.fixed import DiagonalContext, MeanContext, NoContext, RandomFrozenContext, StateContext, UniformContext
from seq2seq.attention.keys import Past
from seq2seq.attention.normalisers import Entmax15, Monotonic, Sigmoid, Softmax, Sparsemax, TopK
from seq2seq.attention.scales import LearnedScale, NoScale, SqrtScale
from seq2seq.attention.scores import (
    AdditiveScore,
    BilinearScore,
    ConcatLinearScore,
    CosineScore,
    CoverageScore,
    DotScore,
    GatedScore,
    LocationAwareScore,
    LocationScore,
    MlpScore,
    ScaledDotScore,
    SumTanhScore,
)
from seq2seq.attention.windows import GlobalWindow, LocalMonotonicWindow, LocalPredictiveWindow
from seq2seq.config.errors import UserError

SIZES = {"heads": 1, "query_size": 2, "memory_size": 2, "attention_size": 2}
HALF = math.log(3) / 2
"""tanh(HALF) = 1/2."""


def fill(parameter, numbers):
    with torch.no_grad():
        parameter.copy_(torch.tensor(numbers).view_as(parameter))


def scores(score, query, keys):
    keys = score.project_keys(torch.tensor(keys)[None, None])
    return score(torch.tensor(query)[None, None, None], keys)[0, 0, 0].detach()


def close(found, expected):
    torch.testing.assert_close(found, torch.tensor(expected), rtol=1e-5, atol=1e-6)


def test_dot():
    close(scores(DotScore(**SIZES), [1.0, 2.0], [[3.0, 4.0], [-1.0, 1.0]]), [11.0, 1.0])


def test_scaled():
    found = scores(ScaledDotScore(**SIZES), [0.0, math.sqrt(2)], [[1.0, 0.0], [0.0, 1.0]])
    close(found.softmax(-1), [1 / (1 + math.e), math.e / (1 + math.e)])


def test_bilinear_is_not_symmetric():
    score = BilinearScore(**SIZES)
    fill(score.key_proj.weight, [[1.0, 2.0], [3.0, 4.0]])
    close(scores(score, [1.0, 0.0], [[1.0, 0.0], [0.0, 1.0]]), [1.0, 2.0])  # the first row of W
    close(scores(score, [1.0, 1.0], [[1.0, 0.0], [0.0, 1.0]]), [4.0, 6.0])


def test_bilinear_of_rank_one():
    score = BilinearScore(**SIZES, rank=1)
    fill(score.query_proj.weight, [[1.0, 2.0]])
    fill(score.key_proj.weight, [[3.0, 4.0]])
    close(scores(score, [1.0, 1.0], [[1.0, 0.0], [0.0, 1.0]]), [9.0, 12.0])
    assert score.width == 1


def identity_sum(score):
    for projection in (score.query_proj, score.key_proj):
        fill(projection.weight, [[1.0, 0.0], [0.0, 1.0]])
    return score


def test_additive():
    score = identity_sum(AdditiveScore(**SIZES))
    fill(score.v, [[1.0, -2.0]])
    close(scores(score, [HALF, 0.0], [[0.0, HALF], [0.0, 0.0]]), [0.5 - 2 * 0.5, 0.5])


def test_additive_with_weight_norm():
    score = identity_sum(AdditiveScore(**SIZES, weight_norm=True))
    close(score.gain.detach(), [[math.sqrt(1 / 2)]])
    fill(score.v, [[3.0, 4.0]])
    fill(score.gain, [[10.0]])
    fill(score.bias, [0.0, HALF])
    close(scores(score, [HALF, 0.0], [[0.0, 0.0]]), [10 * (3 * 0.5 + 4 * 0.5) / 5])


def test_sum_tanh():
    close(scores(identity_sum(SumTanhScore(**SIZES)), [HALF, 0.0], [[0.0, HALF], [0.0, 0.0]]), [1.0, 0.5])


def past_of(*weights):
    """One query that gave these weights in steps before."""
    steps = torch.tensor(weights)[:, None, None, None]  # (steps, 1, 1, 1, S)
    return Past(last=steps[-1], total=steps.sum(dim=0))


def later_scores(score, past):
    """Scores where query and keys are zero, so that only the past counts."""
    query, keys = torch.zeros(1, 1, 1, 2), torch.zeros(1, 1, past.last.shape[-1], 2)
    return score(query, score.project_keys(keys), past)[0, 0, 0].detach()


def test_location_aware():
    score = LocationAwareScore(**SIZES, filters=1, width=1)
    fill(score.convolution.weight, [1.0, 2.0, 3.0])  # before, at and after the token
    fill(score.past_proj.weight, [[HALF], [0.0]])
    fill(score.v, [[2.0, 5.0]])
    close(
        later_scores(score, past_of([0.0, 0.0, 1.0, 0.0], [0.5, 0.0, 0.0, 0.0])), [2 * 0.5, 2 * math.tanh(HALF / 2), 0.0, 0.0]
    )
    close(later_scores(score, past_of([0.0, 1.0, 0.0])), [2 * math.tanh(3 * HALF), 2 * math.tanh(2 * HALF), 2 * 0.5])


def test_coverage():
    score = CoverageScore(**SIZES)
    fill(score.past_proj.weight, [[HALF], [0.0]])
    fill(score.v, [[2.0, 5.0]])
    close(later_scores(score, past_of([0.25, 0.0, 0.75], [0.75, 0.0, 0.25])), [2 * 0.5, 0.0, 2 * 0.5])


@pytest.mark.parametrize("kind", [CoverageScore, LocationAwareScore])
def test_without_a_past_it_is_additive(kind):
    score, additive = kind(**SIZES), AdditiveScore(**SIZES)
    additive.load_state_dict({name: value for name, value in score.state_dict().items() if name in additive.state_dict()})
    query, keys = [0.3, -0.2], [[1.0, 2.0], [0.5, -1.0]]
    close(scores(score, query, keys), scores(additive, query, keys).tolist())


def test_mlp():
    score = identity_sum(MlpScore(**SIZES))
    fill(score.layers[0].weight, [[math.log(3), 0.0], [0.0, 0.0]])
    fill(score.v, [[4.0, 1.0]])
    close(scores(score, [HALF, 0.0], [[0.0, HALF]]), [2.0])  # tanh(log 3 / 2) = 1/2, times 4


def test_cosine():
    close(scores(CosineScore(**SIZES, temperature=0.1), [3.0, 4.0], [[4.0, 3.0], [6.0, 8.0], [0.0, 0.0]]), [9.6, 10.0, 0.0])


def test_location_looks_at_no_key():
    score = LocationScore(**SIZES, max_source=4)
    fill(score.query_proj.weight, [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [9.0, 9.0]])
    close(scores(score, [2.0, 5.0], [[0.0, 7.0], [7.0, 0.0], [7.0, 7.0]]), [2.0, 5.0, 7.0])


def test_concat_linear():
    score = ConcatLinearScore(**SIZES, max_source=4)
    fill(score.query_proj.weight, [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [9.0, 9.0]])
    fill(score.key_proj.weight, [[1.0, 1.0], [2.0, 0.0], [0.0, 3.0], [9.0, 9.0]])
    fill(score.bias, [0.0, 10.0, 20.0, 90.0])
    close(scores(score, [2.0, 5.0], [[1.0, 1.0], [1.0, 1.0], [1.0, 1.0]]), [2 + 2.0, 5 + 2 + 10.0, 7 + 3 + 20.0])


@pytest.mark.parametrize("kind", [LocationScore, ConcatLinearScore])
def test_a_source_longer_than_the_rows(kind):
    real, padded = torch.ones(1, 5, dtype=torch.bool), torch.tensor([[True, True, True, False, False]])
    refusing, ignoring = (kind(**SIZES, max_source=3, longer=longer) for longer in ("refuse", "ignore"))
    with pytest.raises(UserError, match=r"source of 5 tokens is longer than max_source 3; raise max_source.*longer: ignore"):
        refusing.limit(real)
    assert torch.equal(refusing.limit(padded), padded), "padding past the rows is no reason to stop"
    assert torch.equal(ignoring.limit(real), padded)
    assert scores(ignoring, [1.0, 1.0], [[1.0, 1.0]] * 5)[3:].tolist() == [0.0, 0.0]


def test_gated():
    sizes = {"heads": 1, "query_size": 4, "memory_size": 4, "attention_size": 2}
    score = GatedScore(members=[DotScore(**sizes), ScaledDotScore(**sizes)], **sizes)
    fill(score.gate.weight, [[0.0] * 4] * 2)
    fill(score.gate.bias, [math.log(3), 0.0])  # shares 3/4 and 1/4
    close(scores(score, [2.0] * 4, [[1.0] * 4]), [0.75 * 8 + 0.25 * 4])


def test_gates_are_chosen_by_the_query():
    score = GatedScore(members=[DotScore(**SIZES), ScaledDotScore(**SIZES)], **SIZES)
    fill(score.gate.weight, [[100.0, 0.0], [0.0, 100.0]])
    fill(score.gate.bias, [0.0, 0.0])
    close(scores(score, [2.0, 0.0], [[1.0, 1.0]]), [2.0])
    close(scores(score, [0.0, 2.0], [[1.0, 1.0]]), [math.sqrt(2)])


def test_scales():
    given = torch.full((1, 2, 1, 1), 6.0)
    assert NoScale(heads=2, width=9)(given).flatten().tolist() == [6.0, 6.0]
    close(SqrtScale(heads=2, width=9)(given).flatten(), [2.0, 2.0])
    learned = LearnedScale(heads=2, width=9)
    close(learned(given).flatten().detach(), [2.0, 2.0])
    fill(learned.gain, [1.0, -1.0])
    close(learned(given).flatten().detach(), [6.0, -6.0])


@pytest.mark.parametrize(
    ("normaliser", "given", "expected"),
    [
        (Softmax(), [0.0, math.log(3)], [0.25, 0.75]),
        (Sparsemax(), [0.0, 0.5], [0.25, 0.75]),  # tau = -1/4
        (Sparsemax(), [0.0, 1.0], [0.0, 1.0]),
        (Entmax15(), [0.0, 0.4], [0.36, 0.64]),  # 0.6^2 and 0.8^2; 0.8 - 0.6 = 0.4 / 2
        (Entmax15(), [0.0, 2.0], [0.0, 1.0]),
        (Sigmoid(), [math.log(2), math.log(6)], [0.5, 0.75]),  # n = 2: sigmoid(0), sigmoid(log 3)
        (TopK(k=2), [-1.0, 0.0, math.log(3), -9.0], [0.0, 0.25, 0.75, 0.0]),
        (TopK(k=1), [3.0, 3.0, 0.0], [0.5, 0.5, 0.0]),  # a tie stays in
    ],
)
def test_normalisers(normaliser, given, expected):
    open_mask = torch.ones(len(given), dtype=torch.bool)
    close(normaliser(torch.tensor(given), open_mask), expected)
    higher = torch.tensor([*given, 99.0])  # a forbidden score changes nothing, however high
    close(normaliser(higher, torch.tensor([True] * len(given) + [False])), [*expected, 0.0])


def monotonic(probabilities, last=None, **options):
    normaliser = Monotonic(**{"offset": 2.0, "noise": 0.0, "at_test": "soft"} | options)
    energies = torch.logit(torch.tensor([[[probabilities]]])) - 2.0
    past = None if last is None else past_of(last)
    return normaliser.eval()(energies, torch.ones(len(probabilities), dtype=torch.bool), past)[0, 0, 0].detach()


def test_monotonic():
    """Each step begins at the token where the one before stopped, and passes token s with probability 1 - p_s."""
    probabilities = [0.5, 0.25, 0.75]
    first = [0.5, 0.5 * 0.25, 0.5 * 0.75 * 0.75]
    close(monotonic(probabilities), first)
    second = [0.5 * 0.5, 0.25 * (0.125 + 0.5 * 0.5), 0.75 * (0.28125 + 0.75 * 0.125 + 0.5 * 0.75 * 0.5)]
    close(monotonic(probabilities, first), second)
    close(monotonic(probabilities, [0.0, 0.0, 0.0]), [0.0, 0.0, 0.0])


def test_hard_monotonic_stops_at_the_first_that_is_more_likely_than_not():
    probabilities = [0.1, 0.6, 0.9, 0.2]
    assert monotonic(probabilities, at_test="hard").tolist() == [0.0, 1.0, 0.0, 0.0]
    assert monotonic(probabilities, [0.0, 1.0, 0.0, 0.0], at_test="hard").tolist() == [0.0, 1.0, 0.0, 0.0]
    assert monotonic(probabilities, [0.0, 0.0, 1.0, 0.0], at_test="hard").tolist() == [0.0, 0.0, 1.0, 0.0]
    assert monotonic(probabilities, [0.0, 0.0, 0.0, 1.0], at_test="hard").tolist() == [0.0, 0.0, 0.0, 0.0], "past the end"


def test_monotonic_has_noise_in_training_only():
    normaliser, energies = Monotonic(offset=0.0, noise=1.0, at_test="soft"), torch.zeros(1, 1, 1, 5)
    mask = torch.ones(5, dtype=torch.bool)
    assert not torch.equal(normaliser(energies, mask), normaliser(energies, mask))
    assert torch.equal(normaliser.eval()(energies, mask), normaliser(energies, mask))


def view(window, position, length, size=5):
    mask = torch.arange(size)[None] < length
    inside, factor = window(torch.zeros(1, 1, 1, 2), torch.tensor([position]), mask)
    return (
        None if inside is None else inside.expand(1, 1, 1, size).flatten().tolist(),
        None if factor is None else factor.flatten().detach(),
    )


def test_global_window():
    assert view(GlobalWindow(heads=1, query_size=2), 3, 5) == (None, None)


def test_local_m():
    window = LocalMonotonicWindow(heads=1, query_size=2, width=1, gaussian=False)
    assert view(window, 2, 5) == ([False, True, True, True, False], None)
    assert view(window, 9, 4) == ([False, False, True, True, True], None), "past the end: around the last real token, 3"


def test_local_m_with_soft_edges():
    window = LocalMonotonicWindow(heads=1, query_size=2, width=2, edges="soft", gaussian=True)
    inside, factor = view(window, 1, 5)
    assert inside is None
    close(factor, [math.exp(-1 / 2), 1.0, math.exp(-1 / 2), math.exp(-4 / 2), math.exp(-9 / 2)])  # sigma = 1


def test_local_p():
    window = LocalPredictiveWindow(heads=1, query_size=2, width=2, gaussian=True)
    inside, factor = view(window, 0, 4)  # the query is zero: p = 4 sigmoid(0) = 2, sigma = 1
    assert inside == [True] * 5
    close(factor, [math.exp(-2), math.exp(-1 / 2), 1.0, math.exp(-1 / 2), math.exp(-2)])


def test_local_p_predicts():
    window = LocalPredictiveWindow(heads=1, query_size=2, width=1, gaussian=False)
    fill(window.hidden_proj.weight, [[1.0, 0.0], [0.0, 1.0]])
    fill(window.place_proj.weight, [[2 * math.log(2), 0.0]])
    query = torch.tensor([HALF, 0.0]).view(1, 1, 1, 2)  # sigmoid(2 log 2 * 1/2) = 2/3, p = 4 * 2/3
    inside, factor = window(query, torch.tensor([0]), torch.ones(1, 4, dtype=torch.bool))
    assert inside.flatten().tolist() == [False, False, True, True]
    assert factor is None


MEMORY = torch.tensor([[[1.0, 0.0], [3.0, 0.0], [0.0, 8.0], [9.0, 9.0]]])
MASK = torch.tensor([[True, True, True, False]])
SUMMARY = torch.tensor([[5.0, 6.0, 7.0]])


def fixed(context, queries=2, **options):
    return context(torch.zeros(1, queries, 2), context.project_keys(MEMORY, MASK, SUMMARY), **options)


def test_none_is_the_summary_at_every_step():
    output = fixed(NoContext(summary_size=3, context_size=3))
    assert output.context.tolist() == [[[5.0, 6.0, 7.0]] * 2]
    assert output.weights.tolist() == [[[[0.0] * 4] * 2]]
    assert not list(NoContext(summary_size=3, context_size=3).parameters())


def test_none_projects_to_another_size():
    context = NoContext(summary_size=3, context_size=1)
    fill(context.output_proj.weight, [[1.0, 1.0, 2.0]])
    assert fixed(context).context.flatten().tolist() == [25.0, 25.0]


def test_none_needs_a_summary():
    context = NoContext(summary_size=3, context_size=3)
    with pytest.raises(ValueError, match="summary"):
        context.project_keys(MEMORY, MASK)


def test_none_state_is_nothing():
    output = fixed(StateContext())
    assert output.context.shape == (1, 2, 0)
    assert output.weights.tolist() == [[[[0.0] * 4] * 2]]
    assert not list(StateContext().parameters())


def test_mean():
    output = fixed(MeanContext(memory_size=2))
    close(output.weights[0, 0, 1], [1 / 3, 1 / 3, 1 / 3, 0.0])
    close(output.context[0, 1], [4 / 3, 8 / 3])


def test_uniform_is_the_mean_between_two_matrices():
    context = UniformContext(memory_size=2, value_size=1, context_size=2)
    fill(context.value_proj.weight, [[3.0, 6.0]])
    fill(context.output_proj.weight, [[1.0], [10.0]])
    close(fixed(context).context[0, 0].detach(), [20.0, 200.0])  # 3 * 4/3 + 6 * 8/3


def test_diagonal():
    weights = fixed(DiagonalContext(memory_size=2), queries=5).weights[0, 0]
    assert weights.argmax(dim=-1).tolist() == [0, 1, 2, 2, 2], "past the end: the last real token"
    assert weights.sum(dim=-1).tolist() == [1.0] * 5


def test_diagonal_with_a_gaussian():
    weights = fixed(DiagonalContext(memory_size=2, deviation=1.0)).weights[0, 0, 0]
    total = 1 + math.exp(-0.5) + math.exp(-2)
    close(weights, [1 / total, math.exp(-0.5) / total, math.exp(-2) / total, 0.0])


def test_random_frozen_is_drawn_once_and_repeats():
    one, same, other = (RandomFrozenContext(memory_size=2, seed=seed) for seed in (1, 1, 2))
    positions = torch.tensor([0, 3, 256])
    weights = fixed(one, queries=3, positions=positions).weights[0, 0]
    close(weights[0, :3] / weights[0, 0], (one.scores[0, :3] - one.scores[0, 0]).exp().tolist())
    assert torch.equal(weights[0], weights[2])
    assert not torch.equal(weights[0], weights[1])
    assert torch.equal(weights, fixed(same, queries=3, positions=positions).weights[0, 0])
    assert not torch.equal(weights, fixed(other, queries=3, positions=positions).weights[0, 0])
    assert not list(one.parameters())


def test_sizes_that_must_be_equal():
    with pytest.raises(ValueError, match="DotScore needs query_size 3 to equal memory_size 2"):
        DotScore(heads=1, query_size=3, memory_size=2, attention_size=2)
