from itertools import islice

import pytest
from pydantic import ValidationError

from seq2seq.cli import main
from seq2seq.config.data import DataSettings, TokenizerSettings
from seq2seq.config.embedded import TASKS, ProbeSettings
from seq2seq.config.errors import UserError
from seq2seq.config.loading import load_study
from seq2seq.corpus.embedded import split_of
from seq2seq.corpus.lookup import open_corpus
from seq2seq.corpus.probes import ANSWERS, ProbeCorpus
from seq2seq.corpus.tokenizer import Tokenizer
from seq2seq.report.analysis.probe import match_exactly, probe_run
from seq2seq.report.analysis.runs import probe_study
from seq2seq.run.folder import RunFolder, dump_yaml, write_aside, write_json

SMALL = ProbeSettings(train_pairs=400, valid_pairs=50, test_pairs=300, max_length=9)


@pytest.mark.parametrize(
    ("task", "question", "answer"),
    [
        ("copy", "c a b", "c a b"),
        ("reverse", "c a b", "b a c"),
        ("sort", "c a B b a", "a a b c B"),
        ("recall", "x 4 s 5 a 1 s", "5"),
        ("recall", "x 4 s 5 a 1 a x", "1 4"),
        ("recall", "b 4 c 5 a 1", "1 4 5"),
        ("recall", ". b 4 . . c 5 a 1 .", "1 4 5"),
        ("recall", "b 4 . c 5 . c", "5"),
        ("recall-keys", "b 4 . c 5 a 1 .", "a 1 b 4 c 5"),
        ("recall-keys", "b 4 c 5 c b", "c 5 b 4"),
        ("first", "c a b", "c"),
        ("last", "c a b", "b"),
    ],
)
def test_answers_by_hand(task, question, answer):
    words = question.split()
    assert " ".join(words[place] for place in ANSWERS[task](words)) == answer


def test_recall_asks_for_as_many_different_keys_as_it_is_told():
    settings = ProbeSettings(**SMALL.model_dump(exclude={"test_length"}) | {"questions": 3})
    assert [settings.pairs_in(length) for length in (3, 5, 6, 8, 9, 10, 11)] == [1, 1, 2, 2, 3, 3, 4]
    for pair in ProbeCorpus("recall", settings).pairs("test"):
        words = pair.source.split()
        pairs = sum(map(str.isdigit, words))
        asked = words[2 * pairs :]
        assert len(set(asked)) == len(asked) == min(3, pairs)
        values = dict(zip(words[: 2 * pairs : 2], words[1 : 2 * pairs : 2], strict=True))
        assert pair.target.split() == [values[key] for key in asked]


def test_recall_without_questions_asks_for_all_keys_in_their_order():
    settings = ProbeSettings(**SMALL.model_dump(exclude={"test_length"}) | {"questions": 0, "min_length": 4})
    for pair in ProbeCorpus("recall", settings).pairs("test"):
        words = pair.source.split()
        assert sorted(words[::2]) == list("abcdefghijklmnopqrstuvwxyz"[: len(words) // 2])
        values = dict(zip(words[::2], words[1::2], strict=True))
        assert pair.target.split() == [values[key] for key in sorted(values)]


def test_every_doubling_is_as_frequent_as_the_others():
    settings = ProbeSettings(min_length=4, max_length=63, test_length=70, lengths="octaves", valid_pairs=4000)
    lengths = [len(pair.source.split()) for pair in ProbeCorpus("copy", settings).pairs("valid")]
    octaves = [sum(4 << octave <= length < 8 << octave for length in lengths) for octave in range(4)]
    assert sum(octaves) == 4000
    assert all(900 < octave < 1100 for octave in octaves)
    assert max(len(pair.source.split()) for pair in ProbeCorpus("copy", settings).pairs("test")) <= 70


@pytest.mark.parametrize("questions", [0, 2])
def test_dots_fill_what_pairs_leave(questions):
    longer = {"min_length": 4, "questions": questions, "pairs": 3, "say_keys": True}
    settings = ProbeSettings(**SMALL.model_dump(exclude={"test_length"}) | longer)
    for pair in ProbeCorpus("recall", settings).pairs("test"):
        words = pair.source.split()
        pairs = sum(map(str.isdigit, words))
        assert pairs == min(3, settings.pairs_in(len(words)))
        assert words.count(".") == len(words) - 2 * pairs - min(questions, pairs)
        assert pair.target.split() == [words[place] for place in ANSWERS["recall-keys"](words)]
        assert all(pair.source.split()[start] == pair.target.split()[end] for start, end in pair.links)


def test_a_key_and_its_value_can_be_one_word():
    one = {"min_length": 4, "max_length": 12, "questions": 2, "pairs": 3, "one_word": True, "say_keys": True}
    for pair in ProbeCorpus("recall", ProbeSettings(**one)).pairs("valid"):
        words, answer = pair.source.split(), pair.target.split()
        pairs = {word[0]: word[1] for word in words if len(word) == 2}
        assert 4 <= len(words) <= 12
        assert len(pairs) == min(3, len(words) - 2)
        assert answer[::2] == [word for word in words if word in pairs]
        assert answer[1::2] == [pairs[key] for key in answer[::2]]
        assert [end for _, end in sorted(pair.links, key=lambda link: link[1])] == list(range(4))
        assert all(answer[end] in words[start] for start, end in pair.links)


@pytest.mark.parametrize("task", TASKS)
def test_pairs_follow_the_rule_and_links_hold(task):
    corpus = ProbeCorpus(task, SMALL)
    sources = {}
    for split, longest in (("train", 9), ("valid", 9), ("test", 36)):
        pairs = list(corpus.pairs(split))
        assert pairs == list(corpus.pairs(split))
        assert len(pairs) == {"train": 400, "valid": 50, "test": 300}[split]
        lengths = {len(pair.source.split()) for pair in pairs}
        assert min(lengths) == 3
        assert max(lengths) >= longest - 2
        assert max(lengths) <= longest
        for pair in pairs:
            source, target = pair.source.split(), pair.target.split()
            assert target == [source[place] for place in ANSWERS[task](source)]
            assert sorted(answer for _, answer in pair.links) == list(range(len(target)))
            assert all(source[start] == target[end] for start, end in pair.links)
            assert split_of(pair.source) == split
        sources[split] = {pair.source for pair in pairs}
    assert not sources["train"] & (sources["valid"] | sources["test"])


def test_recall_asks_for_a_key_that_stands_once():
    for pair in islice(ProbeCorpus("recall", SMALL).pairs("test"), 100):
        words = pair.source.split()
        assert words[:-1:2].count(words[-1]) == 1
        assert len(set(words[:-1:2])) == len(words) // 2


def test_the_seed_and_the_settings_decide():
    first = ProbeCorpus("copy", SMALL)
    other = ProbeCorpus("copy", SMALL.model_copy(update={"seed": 2}))
    assert list(first.pairs("valid")) != list(other.pairs("valid"))
    assert first.fingerprint("valid") != other.fingerprint("valid")
    assert first.fingerprint("valid") != first.fingerprint("test")


def test_a_study_names_a_probe():
    settings = DataSettings(corpus="probe-sort", probe={"max_length": 5})
    assert (settings.source, settings.target, settings.max_ratio) == ("in", "out", None)
    assert settings.probe.longest_test == 20
    assert DataSettings.model_validate(settings.model_dump()) == settings
    told = []
    assert open_corpus(settings, report=told.append).origin == "the synthetic probe 'sort'"
    assert told == ["corpus probe-sort: embedded"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"corpus": "probe-walk"}, "no probe named 'probe-walk'; there are probe-copy"),
        ({"corpus": "grammar", "probe": {}}, "applies to a corpus probe-... only"),
        ({"corpus": "probe-recall", "probe": {"max_length": 20}}, "39 keys, each different, but there are 26 symbols"),
        ({"corpus": "probe-recall", "probe": {"min_length": 2}}, "min_length to 3"),
        ({"corpus": "probe-copy", "probe": {"min_length": 20}}, "not in order"),
        ({"corpus": "probe-copy", "probe": {"pairs": 4}}, "pairs is for probe-recall"),
        ({"corpus": "probe-first", "probe": {"questions": 5}}, "questions is for probe-recall"),
        ({"corpus": "probe-copy", "path": "somewhere"}, "path: does not apply"),
        ({"corpus": "probe-copy", "grammar": {}}, "grammar: applies to corpus 'grammar' only"),
    ],
)
def test_mistakes_are_told(data, message):
    with pytest.raises(ValidationError, match=message):
        DataSettings.model_validate(data)


def test_what_cannot_be_had_is_told():
    with pytest.raises(UserError, match="no split 'dev'"):
        list(ProbeCorpus("copy", SMALL).pairs("dev"))
    empty = ({"train", "valid", "test"} - {split_of("a"), split_of("b")}).pop()  # two sources are in two splits at most
    with pytest.raises(UserError, match="raise min_length or symbols"):
        list(ProbeCorpus("copy", ProbeSettings(symbols=2, min_length=1, max_length=1, test_length=1)).pairs(empty))


def test_the_config_gives_every_symbol_a_piece():
    study = load_study("configs/probes.yaml")
    corpus = ProbeCorpus("reverse", SMALL)
    lines = [pair.source for pair in corpus.pairs("test")]
    tokenizer = Tokenizer.train(lines, study.systems["none"].tokenizer)
    assert len(tokenizer.encode(" ".join("abcdefghijklmnopqrstuvwxyz"))) == 26
    assert isinstance(study.systems["none"].tokenizer, TokenizerSettings)


def test_exact_match_by_hand():
    found = match_exactly(["a b", "c d", "e f g", "h"], ["b a", "d c", "g f e", "h"], ["b a", "d d", "g f", ""], trained=2)
    assert found["exact"] == 0.25
    assert found["within"] == pytest.approx(1 / 3)
    assert found["beyond"] == 0.0
    assert (found["lengths"], found["right"]) == ([2, 2, 3, 1], "1000")
    assert [(row["n"], row["right"]) for row in found["by_position"]] == [(4, 0.75), (3, 2 / 3), (1, 0.0)]


def make_run(folder, corpus="probe-copy", lines=None):
    run = RunFolder(folder / "additive" / "seed-1")
    probe = {"test_pairs": 20, "max_length": 4}
    data = {"corpus": corpus, **({"probe": probe} if corpus != "grammar" else {})}
    write_aside(run.config, dump_yaml({"data": data}))
    write_json(run.summary, {"status": "finished"})
    pairs = list(ProbeCorpus("copy", ProbeSettings(**probe)).pairs("test"))
    answers = [pair.target if len(pair.source.split()) <= 4 else "z" for pair in pairs]
    if lines != 0:
        write_aside(run.hypotheses("test"), "".join(f"{line}\n" for line in answers[:lines]))
    return run


def test_a_study_of_a_probe_is_scored(tmp_path, capsys):
    run = make_run(tmp_path)
    assert probe_run(run)["within"] in (1.0, None)
    assert probe_run(run)["beyond"] == 0.0
    assert "additive seed 1" in probe_study(tmp_path)
    assert main(["probe", str(tmp_path)]) == 0
    assert "1-2 words" in capsys.readouterr().out
    assert (run.path / "analysis" / "probe.json").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"corpus": "grammar"}, "which is no probe"),
        ({"lines": 0}, "no such file"),
        ({"lines": 3}, "3 lines, but the probe has 20"),
    ],
)
def test_runs_that_cannot_be_scored(tmp_path, options, message):
    with pytest.raises(UserError, match=message):
        probe_run(make_run(tmp_path, **options))


def test_damaged_answers_are_one_clear_line(tmp_path):
    run = make_run(tmp_path)
    run.hypotheses("test").write_bytes(b"\xff\n")
    with pytest.raises(UserError, match="not UTF-8 text"):
        probe_run(run)


def test_unfinished_runs_are_no_answer(tmp_path):
    make_run(tmp_path).summary.unlink()
    with pytest.raises(UserError, match="no run is finished"):
        probe_study(tmp_path)
