"""What may be said of joining, and what an old study file gets to hear."""

import pytest

from seq2seq.config.errors import UserError
from seq2seq.config.loading import load_study


def study(tmp_path, data):
    path = tmp_path / "study.yaml"
    path.write_text(f"base:\n  data: {data}\nsystems:\n  none: {{}}\n", encoding="utf-8")
    return load_study(path).systems["none"].data


@pytest.mark.parametrize(
    ("data", "error"),
    [
        ("{corpus: grammar, concatenate: 3}", r"study.yaml:2: .*data: concatenate was replaced by data.join"),
        ("{corpus: grammar, join: {max_pairs: 1}}", r"data.join.max_pairs: input should be greater than or equal to 2, not 1"),
        ("{corpus: grammar, join: {edges: [10, 10]}}", r"data.join.edges: edges must increase, got \[10, 10\]"),
        ("{corpus: grammar, join: {edges: []}}", r"data.join.edges: edges is empty"),
        ("{corpus: grammar, join: {single_shares: 1}}", r"data.join.single_shares: unknown key; did you mean 'single_share'"),
        ("{corpus: probe-copy, join: {}}", r"data: join: does not apply to corpus 'probe-copy'"),
    ],
)
def test_mistakes_are_one_line(tmp_path, data, error):
    with pytest.raises(UserError, match=error):
        study(tmp_path, data)


@pytest.mark.parametrize("data", ["{corpus: grammar}", "{corpus: grammar, join: {}}"])
def test_hierarchical_attention_needs_separators(tmp_path, data):
    path, model = tmp_path / "study.yaml", "{attention: {score: scaled, normaliser: hierarchical}}"
    path.write_text(f"base:\n  data: {data}\n  model: {model}\nsystems:\n  a: {{}}\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"normaliser: hierarchical needs segments, and without data.join.separator: source"):
        load_study(path)
    assert load_study(path, ["data.join.separator=source"]).systems["a"].data.join.separator == "source"


def test_an_old_file_that_joined_nothing_is_read(tmp_path):
    assert study(tmp_path, "{corpus: grammar, concatenate: 1}").join is None


def test_the_defaults(tmp_path):
    join = study(tmp_path, "{corpus: grammar, join: {}}").join
    assert (join.max_pairs, join.single_share, join.edges, join.per_bucket) == (6, 0.5, (10, 20, 30, 40, 50, 60), 170)
