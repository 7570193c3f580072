"""What is published holds no sentence of the corpus, and still scores the same."""

import gzip
import json

import pytest

from seq2seq.config.errors import UserError
from seq2seq.report.runs import _read_decoded
from seq2seq.study.publish import _publish_hypotheses

REFERENCES = ["a b c", "d e f", "g h i"]


def publish(tmp_path, lines, references):
    path = tmp_path / "test.txt"
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    path.with_suffix(".json").write_text(json.dumps({"truncated": [1], "sentences": len(lines)}))
    (tmp_path / "out").mkdir()
    _publish_hypotheses(path, tmp_path / "out", references)
    return _read_decoded(path), tmp_path / "out" / "test.txt.gz"


def test_a_line_that_equals_its_reference_is_left_out_and_comes_back(tmp_path):
    before, published = publish(tmp_path, ["a b c", "x", "g h i"], REFERENCES)
    assert gzip.decompress(published.read_bytes()).decode() == "\nx\n\n"
    after = _read_decoded(published)
    assert after.complete_lines(REFERENCES) == before.lines
    assert (after.sha256, after.truncated) == (before.sha256, before.truncated)


def test_another_edition_of_the_corpus_is_refused(tmp_path):
    _, published = publish(tmp_path, ["a b c", "x", "g h i"], REFERENCES)
    with pytest.raises(UserError, match="do not fit this corpus"):
        _read_decoded(published).complete_lines(["A b c", "d e f", "g h i"])


def test_the_embedded_corpus_is_ours_and_stays(tmp_path):
    before, published = publish(tmp_path, REFERENCES, None)
    after = _read_decoded(published)
    assert after.lines == before.lines == after.complete_lines(REFERENCES)


def test_the_same_hypotheses_give_the_same_bytes(tmp_path):
    (tmp_path / "1").mkdir()
    (tmp_path / "2").mkdir()
    one, two = (publish(tmp_path / name, ["a b c", "x", "y"], REFERENCES)[1] for name in ("1", "2"))
    assert one.read_bytes() == two.read_bytes()
