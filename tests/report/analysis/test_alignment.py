import json
from dataclasses import replace

import numpy as np
import pytest

from seq2seq.corpus.batching import collate
from seq2seq.corpus.encoded import EncodedSplit
from seq2seq.report.analysis.alignment import BASELINES, align_run, count_links, hard_links, link_scores
from seq2seq.report.analysis.words import choose_sentences, forced_word_weights
from seq2seq.run.reading import merge_subwords


def test_pieces_are_summed_over_the_source_and_averaged_over_the_target():
    weights = np.array([[0.1, 0.2, 0.3, 0.4], [0.5, 0.1, 0.2, 0.2], [0.0, 0.0, 1.0, 0.0]])
    merged = merge_subwords(weights, target_words=[0, 0, 1], source_words=[0, 1, 1, 2])
    np.testing.assert_allclose(merged, [[0.3, 0.4, 0.3], [0.0, 1.0, 0.0]])


def test_links_go_to_the_heaviest_word():
    words = np.array([[0.2, 0.5, 0.1], [0.3, 0.3, 0.1], [0.1, 0.1, 0.1], [0.0, 0.0, 0.0]])
    links = hard_links(words, end=np.array([0.2, 0.3, 0.7, 0.0]))
    np.testing.assert_allclose(links, [[0, 1, 0], [0.5, 0.5, 0], [0, 0, 0], [0, 0, 0]])


def test_error_rate_by_hand():
    """Three target words linked to source words 0, 1, 1; two links are right, one wrong."""
    words = np.array([[0.9, 0.1, 0.0], [0.2, 0.7, 0.1], [0.1, 0.6, 0.3]])
    scores = link_scores(count_links(words, [(0, 0), (1, 1), (2, 2)]))
    assert scores["precision"] == scores["recall"] == pytest.approx(2 / 3)
    assert scores["aer"] == pytest.approx(1 - (2 + 2) / (3 + 3))
    assert scores["soft_mass"] == pytest.approx((0.9 + 0.7 + 0.3) / 3)


def test_error_rate_by_hand_with_sure_and_possible_links():
    """Three predicted links: one is sure, one only possible, one wrong; another sure one is missed."""
    scores = link_scores(np.array([3.0, 2.0, 1.0, 2.0, 1.9, 3.0]))
    assert scores["precision"] == pytest.approx(2 / 3)
    assert scores["recall"] == pytest.approx(1 / 2)
    assert scores["aer"] == pytest.approx(1 - (1 + 2) / (3 + 2))


def test_perfect_weights_have_no_error():
    gold = [(0, 1), (1, 0), (2, 2)]
    words = np.zeros((3, 3))
    for source, target in gold:
        words[target, source] = 1.0
    assert link_scores(count_links(words, gold)) == {"aer": 0.0, "precision": 1.0, "recall": 1.0, "soft_mass": 1.0}


def test_unlinked_words_lower_precision_and_leave_soft_mass_alone():
    scores = link_scores(count_links(np.eye(2), [(0, 0)]))
    assert scores == {"aer": pytest.approx(1 - 2 / 3), "precision": 0.5, "recall": 1.0, "soft_mass": 1.0}


def test_baselines_by_hand():
    uniform = link_scores(count_links(BASELINES["uniform"](2, 4), [(0, 0), (3, 1)]))
    assert uniform["precision"] == pytest.approx(1 / 4)
    assert uniform["soft_mass"] == pytest.approx(1 / 4)
    np.testing.assert_array_equal(BASELINES["diagonal"](2, 4).argmax(axis=1), [1, 3])
    np.testing.assert_array_equal(BASELINES["diagonal"](4, 2).argmax(axis=1), [0, 0, 1, 1])
    np.testing.assert_array_equal(BASELINES["diagonal"](3, 3), np.eye(3))


@pytest.mark.parametrize("name", ["additive", "before", "transformer"])
def test_words_keep_the_weight_of_their_pieces(make_run, data, name):
    run, split = make_run(name), data.tests["test"]
    found = list(forced_word_weights(run, split, [0, 5, 9]))
    assert sorted(weights.index for weights in found) == [0, 5, 9]
    for weights in found:
        pair = split.pair(weights.index)
        assert weights.words.shape == (len(pair.target.split()), len(pair.source.split()))
        np.testing.assert_allclose(weights.words.sum(axis=1) + weights.end, 1.0, rtol=1e-5)
        pieces = run.model(*_alone(split, weights.index), need_weights=True).weights[0].detach()
        np.testing.assert_allclose(weights.pieces, pieces, atol=1e-5)


def _alone(split, index):
    batch = collate(split, np.array([index]))
    return batch.source, batch.source_mask, batch.inputs


def test_a_reversed_source_is_read_in_its_own_order(make_run, data):
    run, split = make_run("additive"), data.tests["test"]
    reversed_ = EncodedSplit(
        split.source_arrays, split.target_arrays, [split.pair(i) for i in range(len(split))], reverse_source=True
    )
    (found,) = forced_word_weights(run, reversed_, [3])
    fed = run.model(*_alone(reversed_, 3), need_weights=True).weights[0].detach().numpy()
    np.testing.assert_allclose(found.pieces[:, 0], fed[:, -2], atol=1e-6)
    np.testing.assert_allclose(found.pieces[:, -1], fed[:, -1], atol=1e-6)


def test_a_run_is_measured_once(make_run, data, monkeypatch):
    run = make_run("additive")
    result = align_run(run, data, sentences=10)
    assert result["n"] == 10
    assert len(result["counts"]) == 10
    assert 0 < result["aer"] < 1
    assert set(result["baselines"]) == {"uniform", "diagonal"}
    assert json.loads((run.folder.path / "analysis" / "alignment.json").read_text()) == json.loads(json.dumps(result))
    monkeypatch.setattr("seq2seq.report.analysis.alignment.forced_word_weights", None)
    assert align_run(run, data, sentences=10)["aer"] == result["aer"]
    with pytest.raises(TypeError):
        align_run(run, data, sentences=11)


def test_conventions_speak_of_the_end_or_of_empty_cells(make_run, data):
    run, (name, split) = make_run("additive"), next(iter(data.tests.items()))
    told = {}
    for language in ("en", "image"):
        some = split.first(9)
        some.source_language = language
        told[language] = align_run(run, replace(data, tests={name: some}), sentences=len(language))["conventions"]
    assert (
        "the source word with the most weight, ties share the link, and to nothing if the end of the source has" in told["en"]
    )
    assert "summed over the subwords of a source word and averaged over those of a target word" in told["en"]
    assert "the object with the most weight, ties share the link, and to nothing if the empty cells together" in told["image"]
    assert "summed over the cells of an object and averaged over the subwords of a target word" in told["image"]


def test_a_model_without_weights_is_left_out(make_run, data):
    run = make_run("none")
    assert align_run(run, data) is None
    assert not (run.folder.path / "analysis").exists()


def test_sentences_are_spread_over_lengths(data):
    split = data.tests["test"]
    lengths = [len(split.source(i).split()) for i in choose_sentences(split, 9)]
    assert len(lengths) == 9
    assert min(lengths) <= 5
    assert max(lengths) >= 11
    assert choose_sentences(split, 10_000) == list(range(len(split)))
