import json

import numpy as np
import pytest
import torch

from seq2seq.attention.normalisers import NORMALISERS, Sigmoid
from seq2seq.config.training import SearchSettings
from seq2seq.report.analysis.interventions import (
    REPLACEMENTS,
    argmax,
    bridges,
    describe_weights,
    intervene,
    intervened,
    permuted,
    random_cycle,
    row_entropies,
    shifted,
    uniform,
)
from seq2seq.report.analysis.words import WordWeights
from seq2seq.run.translation import translate

WEIGHTS = torch.tensor([[[[0.5, 0.2, 0.3, 0.0]]]])
MASK = torch.tensor([[[[True, True, True, False]]]])


def test_replacements_by_hand():
    close = torch.testing.assert_close
    close(uniform(WEIGHTS, MASK), torch.tensor([[[[1 / 3, 1 / 3, 1 / 3, 0.0]]]]))
    close(argmax(WEIGHTS, MASK), torch.tensor([[[[1.0, 0.0, 0.0, 0.0]]]]))
    close(shifted(WEIGHTS, MASK), torch.tensor([[[[0.3, 0.5, 0.2, 0.0]]]]))
    cycle = random_cycle(3)
    close(permuted(WEIGHTS, MASK)[0, 0, 0, :3], WEIGHTS[0, 0, 0, cycle])


def test_holes_in_the_mask_are_stepped_over():
    weights = torch.tensor([[[[0.0, 0.7, 0.0, 0.3]]]])
    mask = torch.tensor([[[[False, True, False, True]]]])
    torch.testing.assert_close(shifted(weights, mask), torch.tensor([[[[0.0, 0.3, 0.0, 0.7]]]]))
    torch.testing.assert_close(permuted(weights, mask), torch.tensor([[[[0.0, 0.3, 0.0, 0.7]]]]))


def test_a_permutation_moves_every_token():
    for count in range(2, 40):
        cycle = random_cycle(count)
        assert sorted(cycle.tolist()) == list(range(count))
        assert (cycle != torch.arange(count)).all()


@pytest.mark.parametrize("kind", REPLACEMENTS)
def test_rows_keep_their_sum_and_never_leave_the_mask(kind):
    lengths = torch.tensor([5, 1, 0, 3])
    mask = (torch.arange(5) < lengths[:, None])[:, None, None].expand(4, 2, 3, 5)
    trained = Sigmoid()(torch.randn(4, 2, 3, 5), mask)
    replaced = REPLACEMENTS[kind](trained, mask)
    torch.testing.assert_close(replaced.sum(dim=-1), trained.sum(dim=-1))
    assert not replaced[~mask].any()
    alone = REPLACEMENTS[kind](trained[3:, :, :, :3], mask[3:, :, :, :3])  # padding and other rows change nothing
    torch.testing.assert_close(replaced[3:, :, :, :3], alone)


@pytest.mark.parametrize("name", ["additive", "before", "transformer"])
def test_the_model_translates_with_other_weights_and_is_itself_again(make_run, data, name):
    run, split = make_run(name), data.tests["test"]
    assert len(bridges(run.model)) == (2 if name == "transformer" else 1)

    def weights():
        search = SearchSettings(beam=2)
        found = translate(run.model, split, run.target_tokenizer, search, sentences=[4], need_weights=True)
        return found[0].hypothesis.weights

    before = weights()
    with intervened(run.model, "uniform"):
        even = weights()
    size = even.shape[1]
    torch.testing.assert_close(even, torch.full(even.shape, 1 / size))
    with intervened(run.model, "argmax"):
        assert set((2 * weights()).round(decimals=4).flatten().tolist()) <= {0.0, 1.0, 2.0}  # heads are averaged
    torch.testing.assert_close(weights(), before)
    assert type(bridges(run.model)[0].normaliser) is NORMALISERS["softmax"]


def test_the_normaliser_comes_back_after_an_error(make_run):
    run = make_run("additive")
    with pytest.raises(RuntimeError), intervened(run.model, "uniform"):
        raise RuntimeError
    assert type(bridges(run.model)[0].normaliser) is NORMALISERS["softmax"]


def test_entropy_of_known_rows():
    rows = np.array([[0.25, 0.25, 0.25, 0.25], [0.0, 2.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0], [0.5, 0.5, 0.0, 0.0]])
    np.testing.assert_allclose(row_entropies(rows), [2.0, 0.0, 1.0])


def test_what_weights_look_like_by_hand():
    words = np.array([[0.8, 0.0, 0.0, 0.1], [0.0, 0.2, 0.0, 0.3]])
    sentence = WordWeights(index=0, pieces=np.array([[1.0, 0.0], [0.5, 0.5]]), words=words, end=np.array([0.1, 0.5]))
    found = describe_weights([sentence])
    assert found["entropy"] == pytest.approx(0.5)
    assert found["eos_mass"] == pytest.approx((0.1 + 0.5) / 2)
    assert found["coverage"] == pytest.approx(1 / 4)  # only the first of four words gets 0.5
    assert found["diagonal_mass"] == pytest.approx((0.9 + 0.5) / 2)  # places 1 and 3, two words on each side


def test_a_run_is_measured_under_every_intervention(make_run, data, monkeypatch):
    run = make_run("transformer")
    study = {"evaluation": {"buckets": {"kind": "fixed", "edges": [6]}}}
    (run.folder.path.resolve().parents[1] / "study.yaml").write_text(json.dumps(study))
    result = intervene(run, data, sentences=6)
    assert list(result["kinds"]) == ["original", "uniform", "argmax", "permuted", "shifted"]
    for found in result["kinds"].values():
        assert set(found) == {"bleu", "buckets", "entropy", "eos_mass", "coverage", "diagonal_mass"}
        assert sum(bucket["n"] for bucket in found["buckets"]) == 6
        assert [bucket["max"] for bucket in found["buckets"]] == [6, None]  # the study's
    assert result["kinds"]["argmax"]["entropy"] < result["kinds"]["original"]["entropy"] < result["kinds"]["uniform"]["entropy"]
    assert json.loads((run.folder.path / "analysis" / "interventions.json").read_text())["n"] == 6
    monkeypatch.setattr("seq2seq.report.analysis.interventions.translate", None)
    assert intervene(run, data, sentences=6)["kinds"] == json.loads(json.dumps(result["kinds"]))


@pytest.mark.parametrize("name", ["none", "decoder_only"])
def test_what_has_no_bridge_is_left_out(make_run, data, name):
    assert intervene(make_run(name), data) is None
