"""A model's limits are known before a sentence meets them: what they allow works, one token more is refused."""

import pytest
import torch

from seq2seq.attention.masks import length_mask
from seq2seq.config.errors import UserError
from seq2seq.config.study import RunSettings
from seq2seq.config.training import SearchSettings
from seq2seq.corpus.tokenizer import EOS
from seq2seq.models.build import build_model
from seq2seq.models.limits import Limit, Limits, find_limits
from seq2seq.models.search import search_n_best
from tests.models.hypotheses import search

V = 13
RNN = {"hidden_size": 6, "embedding_size": 6}
STACK = {"kind": "transformer", "hidden_size": 12, "feedforward_size": 10, "layers": 1, "self_attention": {"heads": 2}}
LEARNED = {"kind": "learned", "max_positions": 7}
LINFORMER = {"heads": 2, "mechanism": {"kind": "linformer", "max_length": 9, "rank": 2}}
ONE_STACK = {key: value for key, value in STACK.items() if key != "kind"}
CASES = {
    "location": (
        {"encoder": RNN, "decoder": RNN, "attention": {"score": {"kind": "location", "max_source": 5}}},
        Limits(Limit(5, "max_source"), None, None),
    ),
    "ignored": (
        {"encoder": RNN, "decoder": RNN, "attention": {"score": {"kind": "location", "max_source": 5, "longer": "ignore"}}},
        Limits(None, None, None),
    ),
    "learned": (
        {"encoder": {**STACK, "positions": LEARNED}, "decoder": {**STACK, "positions": {**LEARNED, "max_positions": 4}}},
        Limits(Limit(7, "max_positions"), Limit(4, "max_positions"), None),
    ),
    "tightest": (
        {"encoder": {**STACK, "self_attention": LINFORMER, "positions": LEARNED}, "decoder": RNN},
        Limits(Limit(7, "max_positions"), None, None),
    ),
    "linformer": (
        {"encoder": {**STACK, "self_attention": LINFORMER}, "decoder": STACK},
        Limits(Limit(9, "max_length"), None, None),
    ),
    "one stack": (
        {"architecture": "decoder_only", **ONE_STACK, "positions": LEARNED},
        Limits(Limit(7, "max_positions"), None, Limit(7, "max_positions")),
    ),
}


def build(model):
    torch.manual_seed(1)
    settings = RunSettings.model_validate({"data": {"corpus": "grammar"}, "model": model})
    built = build_model(settings.model, source_vocabulary=V, target_vocabulary=V).eval()
    with torch.no_grad():
        built.output.bias[EOS] = -1e4  # never ends by itself
    return built


def run(model, source, target):
    mask = torch.ones(1, source, dtype=torch.bool)
    return model(torch.full((1, source), 5), mask, torch.full((1, target), 6))


@pytest.mark.parametrize("name", CASES)
def test_what_the_limits_allow_works_and_one_more_is_refused(name):
    settings, expected = CASES[name]
    model = build(settings)
    limits = find_limits(model)
    assert limits == expected
    source, target = limits.source, limits.target
    if limits.both:
        run(model, 3, limits.both.tokens - 3)
        with pytest.raises(UserError):
            run(model, 3, limits.both.tokens - 2)
        return
    run(model, source.tokens if source else 40, target.tokens if target else 40)
    for limit, more in ((source, (1, 0)), (target, (0, 1))):
        if limit:
            with pytest.raises(UserError, match=str(limit.tokens)):
                run(model, (source.tokens if source else 9) + more[0], (target.tokens if target else 9) + more[1])


@pytest.mark.parametrize("beam", [1, 3])
@pytest.mark.parametrize(("name", "written"), [("learned", [3, 3]), ("one stack", [3, 1])])
def test_the_search_stops_where_positions_end(name, written, beam):
    """Sources of 3 and 5 tokens; the settings alone would allow 90 more."""
    mask = length_mask(torch.tensor([3, 5]), 5)
    found = search(
        build(CASES[name][0]), torch.full((2, 5), 5).masked_fill(~mask, 0), mask, SearchSettings(beam=beam, max_extra=90)
    )
    assert [len(hypothesis.tokens) for hypothesis in found] == written
    assert all(hypothesis.truncated for hypothesis in found)


def test_the_best_hypotheses_come_in_order():
    mask = torch.ones(1, 4, dtype=torch.bool)
    torch.manual_seed(2)
    model = build({"encoder": RNN, "decoder": RNN})
    with torch.no_grad():
        model.output.bias[EOS] = 0.0
        model.output.weight.normal_(std=3.0)
    settings = SearchSettings(beam=5, max_extra=12)
    (found,) = search_n_best(model, torch.full((1, 4), 5), mask, settings, n_best=5)
    assert found[0].tokens == search(model, torch.full((1, 4), 5), mask, settings)[0].tokens
    complete = [h for h in found if not h.truncated]
    assert [h.score for h in complete] == sorted((h.score for h in complete), reverse=True)
    assert len({h.tokens for h in found}) == len(found) >= 4
