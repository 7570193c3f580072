"""Short pairs joined to long ones: the same words at every number, kept, gathered, refused by name."""

from dataclasses import dataclass, replace

import pytest

from seq2seq.config.errors import UserError
from seq2seq.corpus.pairs import SentencePair
from seq2seq.report.analyses import read_analyses
from seq2seq.report.analysis import concatenation
from seq2seq.report.analysis.collect import collect_analyses
from seq2seq.report.analysis.concatenation import choose_pairs, concatenate_run
from seq2seq.run.folder import write_aside


@dataclass
class Lines:
    """A split as far as the probe looks at it."""

    sources: list[str]

    def __len__(self):
        return len(self.sources)

    def source(self, index):
        return self.sources[index]

    def pair(self, index):
        return SentencePair(self.sources[index], self.sources[index].upper())

    def length(self, index):
        return len(self.sources[index].split())


@pytest.fixture
def short():
    return Lines([f"the old man sees {number} houses" for number in range(70)] + ["long " * 11] * 5)


def test_pairs_are_short_whole_and_the_same_each_time(short):
    chosen = choose_pairs(short)
    assert len(chosen) == 60  # the largest multiple of 1, 2, 3, 4 and 5 that there is
    assert len(set(chosen)) == 60
    assert max(chosen) < 70
    assert choose_pairs(short) == chosen


def test_too_few_short_pairs_are_told(short):
    with pytest.raises(UserError, match="has 5 sources of up to 10 words; the concatenation probe joins 60 or more"):
        choose_pairs(Lines(short.sources[:5]))


def test_points_are_kept_and_gathered_for_the_report(make_run, data, short, tmp_path):
    data = replace(data, tests={"test": short})
    for seed in (1, 2):
        run = make_run("additive", seed)
        write_aside(run.folder.config, "{}\n")
        found = concatenate_run(run, data)
    assert [(p["joined"], p["n"], len(p["counts"])) for p in found["points"]] == [
        (1, 60, 60), (2, 30, 30), (3, 20, 20), (4, 15, 15), (5, 12, 12)
    ]  # fmt: skip
    assert [p["words"] for p in found["points"]] == [6, 12, 18, 24, 30]
    assert concatenate_run(run, data) == found
    assert collect_analyses(tmp_path) == ["concatenation"]
    gathered = read_analyses(tmp_path).concatenation
    assert (gathered.pairs, gathered.longest) == (60, 6)
    assert [point.joined for point in gathered.systems["additive"]] == [1, 2, 3, 4, 5]
    assert all(point.length_ratio >= 0 for point in gathered.systems["additive"])
    assert all((point.low, point.high) == (None, None) for point in gathered.systems["additive"])  # two seeds: no interval


def test_what_a_model_cannot_read_is_refused_not_scored(make_run, data, short, tmp_path, monkeypatch):
    def refuse(model, split, *_, **__):
        raise UserError("too long for its positions")

    run = make_run("additive")
    write_aside(run.folder.config, "{}\n")
    monkeypatch.setattr(concatenation, "translate", refuse)
    found = concatenate_run(run, replace(data, tests={"test": short}))
    assert [point["counts"] for point in found["points"]] == [None] * 5
    collect_analyses(tmp_path)
    assert [point.bleu for point in read_analyses(tmp_path).concatenation.systems["additive"]] == [None] * 5
