import errno

import numpy as np
import pytest

from seq2seq.scoring.sentences import SentenceStatistics, repeated_ngrams, sentence_statistics, surface_figures

HYPOTHESES = ["a b c d", "", "x y x y x y x y", "same "]
REFERENCES = ["a b d", "b", "x y", "same"]


def same(one, two):
    assert one.signatures == two.signatures
    assert one.truncation_known == two.truncation_known
    assert one.counts.keys() == two.counts.keys()
    for name, rows in one.counts.items():
        np.testing.assert_array_equal(rows, two.counts[name])


def test_surface_figures_by_hand():
    run = sentence_statistics(HYPOTHESES, REFERENCES, metrics=["bleu"], truncated=[False, False, True, False])
    figures = surface_figures([run])
    assert (figures["empty"], figures["truncated"], figures["exact"]) == (1, 1, 1)
    assert figures["length_ratio"] == pytest.approx(13 / 7)
    assert figures["brevity"] == 1
    assert figures["repeated"] == pytest.approx(3 / 6)  # xyxy yxyx xyxy yxyx xyxy: 3 of 5 seen before; abcd: 0 of 1


def test_surface_figures_are_means_over_seeds():
    runs = [sentence_statistics([line], ["a"], metrics=["bleu"]) for line in ("", "a")]
    figures = surface_figures(runs)
    assert (figures["empty"], figures["exact"], figures["brevity"]) == (0.5, 0.5, 0.5)
    assert figures["truncated"] is None


@pytest.mark.parametrize(
    ("line", "expected"),
    [("", (0, 0)), ("a b c", (0, 0)), ("a b c d", (0, 1)), ("a a a a a a", (2, 3)), ("a b c d a b c d", (1, 5))],
)
def test_repeated_ngrams_by_hand(line, expected):
    assert repeated_ngrams(line) == expected


def test_select_keeps_order_and_repeats():
    run = sentence_statistics(HYPOTHESES, REFERENCES)
    chosen = run.select([2, 0, 2])
    assert len(chosen) == 3
    np.testing.assert_array_equal(chosen.counts["chrf"], run.counts["chrf"][[2, 0, 2]])
    assert len(run.select(np.array([True, False, False, True]))) == 2


def test_save_and_load_give_the_same_back(tmp_path):
    run = sentence_statistics(HYPOTHESES, REFERENCES, truncated=[True] * 4)
    run.save(tmp_path / "deep" / "counts.npz")
    same(SentenceStatistics.load(tmp_path / "deep" / "counts.npz"), run)
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["counts.npz"]


def test_a_full_disk_leaves_no_half_of_a_file(tmp_path, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match=r"No space left.*counts\.npz"):
        sentence_statistics(HYPOTHESES, REFERENCES).save(tmp_path / "counts.npz")
    assert not list(tmp_path.iterdir())


def test_a_pickled_array_is_not_loaded(tmp_path):
    np.savez(tmp_path / "evil.npz", about=np.array([{"format": 1}], dtype=object))
    with pytest.raises(ValueError, match="pickle"):
        SentenceStatistics.load(tmp_path / "evil.npz")


@pytest.mark.parametrize("content", [b"", b"not an archive", b"PK\x03\x04 cut short"])
def test_a_damaged_file_is_named(tmp_path, content):
    (tmp_path / "bad.npz").write_bytes(content)
    with pytest.raises(ValueError, match=r"bad\.npz|pickle"):
        SentenceStatistics.load(tmp_path / "bad.npz")


def test_another_format_is_refused(tmp_path):
    np.savez(tmp_path / "old.npz", about=np.array('{"format": 0}'))
    with pytest.raises(ValueError, match="format 0, this version reads 1"):
        SentenceStatistics.load(tmp_path / "old.npz")


@pytest.mark.parametrize("arguments", [{"references": REFERENCES[:2]}, {"truncated": [True]}])
def test_other_numbers_of_lines_are_refused(arguments):
    with pytest.raises(ValueError, match="shorter"):
        sentence_statistics(**{"hypotheses": HYPOTHESES, "references": REFERENCES} | arguments)
