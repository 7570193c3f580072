"""One difference of nested settings for everyone, and which settings make a run."""

import math

from seq2seq.config.differences import described, differences, differing
from seq2seq.config.identity import changes, identity


def test_differences_name_the_path():
    before, after = {"a": {"b": 1}, "c": 2, "e": [1, {"f": 2}]}, {"a": {"b": 3}, "d": 4, "e": [1, {"f": 5}]}
    assert described(before, after) == [
        "a.b: 1 there, 3 here",
        "c: 2 there, None here",
        "e.1.f: 2 there, 5 here",
        "d: None there, 4 here",
    ]
    assert described([1], [1, 2]) == [": [1] there, [1, 2] here"]


def test_an_option_that_is_not_used_is_no_difference():
    assert described({"a": None, "b": {}}, {"b": {"c": None}}) == []


def test_parts_of_different_kinds_are_one_difference():
    before = {"encoder": {"kind": "rnn", "cell": "gru"}, "tie": "none", "size": 1}
    after = {"encoder": {"kind": "transformer", "layers": 3}, "tie": "none", "size": 2}
    assert list(differences(before, after)) == [("encoder", "rnn", "transformer"), ("size", 1, 2)]


def test_leaves_may_be_compared_otherwise():
    assert list(differences({"a": [1.0]}, {"a": [1.0 + 1e-12]}, equal=math.isclose)) == []


def test_many_side_by_side():
    assert differing({"x": {"a": 1, "b": 2}, "y": {"a": 1, "b": 3}, "z": {"a": 1}}) == {"b": {"x": 2, "y": 3}}


def test_the_identity_of_a_run_is_what_decides_its_weights():
    config = {
        "data": {"corpus": "/home/cards/mine.yaml", "path": "p", "test": ["t"], "max_words": 9},
        "training": {"seeds": [1], "max_steps": 3, "learning_rate": 0.1},
        "search": {"beam": 2},
    }
    assert identity(config) == {"data": {"corpus": "mine.yaml", "max_words": 9}, "training": {"learning_rate": 0.1}}


def test_limits_are_raised_or_lowered():
    def config(**limits):
        return {"training": limits}

    assert changes(config(max_steps=3), config(max_steps=4)).raised == ["training.max_steps: 3 there, 4 here"]
    assert changes(config(max_minutes=3.0), config(max_minutes=None)).raised
    assert changes(config(max_minutes=None), config(max_minutes=3.0)).identity
    assert changes(config(max_steps=3), config(max_steps=2)).identity == ["training.max_steps: 3 there, 2 here"]
    assert changes(config(seeds=[1]), config(seeds=[2])) == ([], [])
