"""What holds for every member of the family, taken from the tables."""

import pytest
import torch

from seq2seq.attention.build import options
from seq2seq.attention.fixed import FIXED
from seq2seq.attention.mechanisms import MECHANISMS
from seq2seq.attention.normalisers import NORMALISERS
from seq2seq.attention.positions import POSITIONS
from seq2seq.attention.scales import SCALES
from seq2seq.attention.scores import SCORES, Score
from seq2seq.attention.windows import WINDOWS
from seq2seq.config.attention import AttentionSettings
from seq2seq.models.interface import index_rows
from tests.attention.conftest import BATCH, CASES, CONTEXT, LENGTHS, MEMORY, QUERIES, SOURCE, SUMMARY, build, draw

KNOWS_POSITIONS = ("location", "concat_linear", "local_m", "local_p", "diagonal", "random_frozen", "monotonic")
WITHOUT_WEIGHTS = {"none": SUMMARY, "none-state": 0}
"""Fixed contexts that attend to no token, and the features of their context."""
CLOSE = {"rtol": 1e-9, "atol": 1e-11}


def knows_positions(case):
    return any(word in case for word in KNOWS_POSITIONS)


def attend(attention, query, memory, mask, summary, **options):
    """The second step of an attention that reads its past, so that it has one; the only one of others."""
    keys = attention.project_keys(memory, mask, summary)
    past = attention(query.flip(-1), keys, **options).past
    assert (past is None) != attention.reads_past
    return attention(query, keys, past=past, **options)


def test_the_past_is_what_was_attended_to(case, attention):
    query, memory, mask, summary = draw()
    keys = attention.project_keys(memory, mask, summary)
    past, seen = None, []
    for step in range(3):
        output = attention(query.roll(step, dims=-1), keys, past=past)
        past = output.past
        seen.append(output.weights.transpose(1, 2).flatten(0, 1))  # (N, H, S)
        if attention.reads_past:
            torch.testing.assert_close(past.last, seen[-1], rtol=0, atol=0)
            torch.testing.assert_close(past.total, sum(seen), **CLOSE)
    assert (past is None) != attention.reads_past


def test_rows_sum_to_one_or_what_is_stated(case, attention):
    total = attend(attention, *draw()).weights.sum(dim=-1)
    if case in WITHOUT_WEIGHTS:
        assert (total == 0).all()
    elif "sigmoid" in case:
        assert ((total > 0) & (total < LENGTHS[:, None, None])).all()
    elif "monotonic" in case:
        assert ((total > 0) & (total < 1)).all(), "the rest has read past the end"
    elif "local_p" in case or case.endswith("-soft"):
        assert ((total > 0) & (total < 1)).all(), "the Gaussian takes some away"
    else:
        torch.testing.assert_close(total, torch.ones_like(total), **CLOSE)


def test_shapes(case, attention):
    output = attend(attention, *draw())
    assert output.context.shape == (BATCH, QUERIES, attention.context_size)
    assert output.weights.shape == (BATCH, attention.heads, QUERIES, SOURCE)
    assert attention.context_size == WITHOUT_WEIGHTS.get(case, CONTEXT if attention.heads > 1 else MEMORY)


def test_padding_gets_no_weight_and_no_gradient(case, attention):
    query, memory, mask, summary = draw()
    memory.requires_grad_()
    output = attend(attention, query, memory, mask, summary)
    assert (output.weights.masked_select(~mask[:, None, None]) == 0).all()
    if case not in WITHOUT_WEIGHTS:
        (output.context * torch.randn_like(output.context)).sum().backward()
        assert (memory.grad[~mask] == 0).all()
        assert (memory.grad[mask] != 0).any()


@pytest.mark.parametrize("need_weights", [True, False])
def test_padded_equals_truncated_and_alone_equals_in_a_batch(case, attention, need_weights):
    query, memory, mask, summary = draw()
    together = attend(attention, query, memory, mask, summary, need_weights=need_weights)
    for row, length in enumerate(LENGTHS.tolist()):
        one = slice(row, row + 1)
        alone = attend(attention, query[one], memory[one, :length], mask[one, :length], summary[one], need_weights=need_weights)
        torch.testing.assert_close(alone.context, together.context[one], **CLOSE)
        if need_weights:
            torch.testing.assert_close(alone.weights, together.weights[one, ..., :length], **CLOSE)


def test_permuting_memory_permutes_weights_unless_positions_are_known(case, attention):
    query, memory, _, summary = draw()
    everything = torch.ones(BATCH, SOURCE, dtype=torch.bool)
    order = torch.tensor([3, 0, 6, 1, 5, 2, 4])
    straight = attend(attention, query, memory, everything, summary)
    permuted = attend(attention, query, memory[:, order], everything, summary)
    same = torch.allclose(permuted.weights, straight.weights[..., order], **CLOSE)
    assert same != knows_positions(case)
    if same:
        torch.testing.assert_close(permuted.context, straight.context, **CLOSE)


def test_scores_say_whether_they_know_positions():
    for name in SCORES:
        assert build(CASES[name]).score.position_blind != knows_positions(name)
    assert not build(CASES["gated-location"]).score.position_blind


@pytest.mark.parametrize("need_weights", [True, False])
def test_every_query_for_itself(case, attention, need_weights):
    query, memory, mask, summary = draw()
    keys = attention.project_keys(memory, mask, summary)
    at_once = attention(query, keys, need_weights=need_weights)
    for position in range(QUERIES):
        one = slice(position, position + 1)
        step = attention(query[:, one], keys, positions=torch.tensor([position]), need_weights=need_weights)
        torch.testing.assert_close(step.context, at_once.context[:, one], **CLOSE)


def test_hypotheses_of_a_beam_share_keys_and_position(case, attention):
    query, memory, mask, summary = draw()
    keys = attention.project_keys(memory, mask, summary)
    beam = attention(query, keys, positions=torch.full((QUERIES,), 2))
    copied = index_rows(keys, torch.arange(BATCH).repeat_interleave(QUERIES))
    rows = attention(query.flatten(0, 1).unsqueeze(1), copied, positions=torch.tensor([2]))
    torch.testing.assert_close(beam.context.flatten(0, 1), rows.context.squeeze(1), **CLOSE)


def test_a_row_may_have_positions_of_its_own(case, attention):
    query, memory, mask, summary = draw()
    keys = attention.project_keys(memory, mask, summary)
    positions = torch.arange(QUERIES) + torch.tensor([[0], [1]])
    together = attention(query, keys, positions=positions).context
    second = attention(query, keys, positions=positions[1]).context[1]
    torch.testing.assert_close(together[1], second, **CLOSE)


def test_keys_can_be_appended_token_by_token(case, attention):
    query, memory, mask, summary = draw()
    whole = attention.project_keys(memory, mask, summary)
    grown = attention.project_keys(memory[:, :0], mask[:, :0], summary)
    for token in range(SOURCE):
        one = slice(token, token + 1)
        grown = grown.extend(attention.project_keys(memory[:, one], mask[:, one], summary))
    torch.testing.assert_close(attention(query, grown).context, attention(query, whole).context, **CLOSE)


@pytest.mark.parametrize("need_weights", [True, False])
def test_rows_with_nothing_to_attend_to_are_finite(case, attention, need_weights):
    query, memory, mask, summary = draw()
    mask[1] = False
    memory.requires_grad_(), query.requires_grad_(), summary.requires_grad_()
    output = attend(attention, query, memory, mask, summary, need_weights=need_weights)
    output.context.square().sum().backward()
    if case not in WITHOUT_WEIGHTS:
        assert (output.context[1] == 0).all()
        assert torch.isfinite(memory.grad).all()
    assert output.weights is None or (output.weights[1] == 0).all()
    assert torch.isfinite(output.context).all()
    assert query.grad is None or torch.isfinite(query.grad).all()
    assert all(torch.isfinite(p.grad).all() for p in attention.parameters() if p.grad is not None)


@pytest.mark.parametrize("need_weights", [True, False])
def test_a_mask_of_the_queries_is_obeyed(case, attention, need_weights):
    query, memory, mask, summary = draw()
    extra = torch.rand(QUERIES, SOURCE) < 0.5
    extra[3] = False
    keys = attention.project_keys(memory, mask, summary)
    flat = attention(query, keys, mask=extra, need_weights=need_weights)
    full = attention(query, keys, mask=extra.expand(BATCH, -1, -1), need_weights=need_weights)
    torch.testing.assert_close(flat.context, full.context, rtol=0, atol=0)
    if case not in WITHOUT_WEIGHTS:
        assert (flat.context[:, 3] == 0).all()
    assert flat.weights is None or (flat.weights.masked_select(~extra) == 0).all()


def test_the_fused_kernel_is_the_plain_formula(case, attention):
    query, memory, mask, summary = draw()
    query.requires_grad_(), memory.requires_grad_(), summary.requires_grad_()
    inputs = [query, memory, summary, *attention.parameters()]
    plain, fused = (attend(attention, query, memory, mask, summary, need_weights=need).context for need in (True, False))
    torch.testing.assert_close(fused, plain, **CLOSE)
    upstream = torch.randn_like(plain)
    of_plain, of_fused = (torch.autograd.grad(found, inputs, upstream, allow_unused=True) for found in (plain, fused))
    for one, other in zip(of_plain, of_fused, strict=True):
        if one is not None:
            torch.testing.assert_close(other, one, rtol=1e-8, atol=1e-10)


def test_gradients_are_those_of_the_formula(case, attention):
    query, memory, mask, summary = draw(queries=2)
    inputs = [query.requires_grad_(), memory.requires_grad_(), summary.requires_grad_(), *attention.parameters()]
    # gradcheck nudges its inputs in place, so the parameters may be read where they are
    assert torch.autograd.gradcheck(lambda *_: attend(attention, query, memory, mask, summary).context, inputs, fast_mode=True)


def test_every_parameter_is_of_use(case, attention):
    query, memory, mask, summary = draw()
    attend(attention, query, memory.requires_grad_(), mask, summary.requires_grad_()).context.square().sum().backward()
    assert all(parameter.grad is not None for parameter in attention.parameters())


def test_dropout_drops_weights_in_training_only_and_shows_them_whole(case):
    sure = build(CASES[case])
    dropping = build(CASES[case] | {"dropout": 0.5})
    dropping.load_state_dict(sure.state_dict())
    inputs = draw()
    torch.testing.assert_close(attend(dropping, *inputs).context, attend(sure, *inputs).context, rtol=0, atol=0)
    dropping.train()
    trained = attend(dropping, *inputs)
    assert torch.equal(trained.context, attend(sure, *inputs).context) == (case in WITHOUT_WEIGHTS)
    torch.testing.assert_close(trained.weights, attend(sure, *inputs).weights, rtol=0, atol=0)
    fused = attend(dropping, *inputs, need_weights=False).context
    assert torch.allclose(fused, attend(sure, *inputs).context, **CLOSE) == (case in WITHOUT_WEIGHTS)


def test_half_precision_is_finite(case):
    attention, (query, memory, mask, summary) = build(CASES[case]).float(), draw()
    mask[1] = False
    with torch.autocast("cpu", dtype=torch.bfloat16):
        for need_weights in (True, False):
            inputs = query.float(), memory.float(), mask, summary.float()
            context = attend(attention, *inputs, need_weights=need_weights).context
            assert torch.isfinite(context).all()


@pytest.mark.parametrize("kind", NORMALISERS)
def test_weights_of_half_precision_scores_are_exact(kind):
    """Autocast leaves scores in bf16; what is made of them is in fp32, as all sums are."""
    settings = AttentionSettings(normaliser=kind).normaliser
    normaliser = NORMALISERS[kind](**options(settings)).eval()
    scores, mask = 3 * torch.randn(2, 1, 5, 41, dtype=torch.bfloat16), torch.arange(41) < 37
    torch.testing.assert_close(normaliser(scores, mask), normaliser.double()(scores.double(), mask).float())


@pytest.mark.gpu
@pytest.mark.parametrize("need_weights", [True, False])
def test_an_accelerator_computes_the_same(case, attention, need_weights):
    inputs = draw()
    here = attend(attention, *inputs, need_weights=need_weights).context
    there = attend(attention.cuda(), *(value.cuda() for value in inputs), need_weights=need_weights).context
    torch.testing.assert_close(there.cpu(), here, rtol=1e-7, atol=1e-9)


def test_every_member_has_a_card():
    for table in (SCORES, SCALES, NORMALISERS, WINDOWS, FIXED, MECHANISMS, POSITIONS):
        for member in table.values():
            assert member.formula
            assert member.source
            assert member.expects


def test_help_on_a_score_names_the_texts_of_its_card():
    assert all(f"`{name}`" in Score.__doc__ for name in ("formula", "source", "expects"))
