"""Translation of lines as they come: every line has its answer, whatever it holds, and the ones that cannot be read are named."""

import io
import json
import os
import select
import threading
from pathlib import Path

import pytest

from seq2seq.config.data import TokenizerSettings
from seq2seq.config.errors import RunError, UserError
from seq2seq.config.study import RunSettings
from seq2seq.corpus.images import ImageTokenizer
from seq2seq.corpus.tokenizer import Tokenizer
from seq2seq.models.build import build_model
from seq2seq.run import lines
from seq2seq.run.folder import RunFolder
from seq2seq.run.lines import LineOptions, translate_lines
from seq2seq.run.trained import TrainedRun
from seq2seq.run.translation import translate_n_best
from tests.study.untrained import LINES, SIZE, make_run


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.train(LINES, TokenizerSettings(vocabulary_size=SIZE))


@pytest.fixture
def use(tokenizer, tmp_path, monkeypatch):
    """Translate with an untrained run of some attention."""

    def make(reverse=False, **attention):
        run = make_run(tokenizer, tmp_path, reverse, **(attention or {"score": "additive"}))
        monkeypatch.setattr(lines, "load_run", lambda *_, **__: run)
        return run

    return make


@pytest.fixture
def see(tokenizer, tmp_path, monkeypatch):
    """Describe pictures with an untrained run of some score."""

    def make(score):
        settings = RunSettings.model_validate(
            {
                "data": {"corpus": "scenes"},
                "tokenizer": {"joint": False},
                "model": {"encoder": {"kind": "image", "hidden_size": 8}, "attention": {"score": score}},
                "search": {"beam": 2, "max_ratio": 0.001, "max_extra": 5},
            }
        )
        source = ImageTokenizer()
        built = build_model(settings.model, source_vocabulary=source.vocabulary_size, target_vocabulary=SIZE).eval()
        run = TrainedRun(RunFolder(tmp_path), settings, built, source, tokenizer, 1)
        monkeypatch.setattr(lines, "load_run", lambda *_, **__: run)

    return make


def translated(text, **options):
    target = io.StringIO()
    assert translate_lines(Path("run"), io.BytesIO(text), target, options=LineOptions(**options)) == len(text.splitlines())
    return target.getvalue().split("\n")[:-1]


def test_every_line_has_its_answer(use, capsys):
    use()
    (alone,) = translated(b"the old man")
    text = b"the old man\n\n  \t\r\nthe old man\r\n\xff\xfe caf\xe9\nthe old man"
    found = translated(text)
    assert (found[0], found[3], found[5]) == (alone, alone, alone)
    assert found[1] == found[2] == ""
    assert found[4] != ""
    assert "1 line with bytes that are not UTF-8" in capsys.readouterr().err


def test_lines_too_long_are_named_left_empty_and_end_in_an_error(use, capsys, monkeypatch):
    use(score={"kind": "location", "max_source": 40})
    monkeypatch.setattr(lines, "_MAX_CHARACTERS", 500)
    monkeypatch.setattr(lines, "_MAX_BYTES", 2004)
    text = b"the old man\n" + b"a house " * 50 + b"\nshe goes\n" + b"x" * 200_000 + b"\nhome"
    target = io.StringIO()
    with pytest.raises(RunError, match="2 of 5 lines were refused and left empty"):
        translate_lines(Path("run"), io.BytesIO(text), target)
    written = target.getvalue().split("\n")
    assert [bool(line) for line in written] == [True, False, True, False, True, False]
    errors = capsys.readouterr().err
    assert "line 2: longer than max_source 40 (399 characters" in errors
    assert "line 4: longer than" in errors


def test_a_line_is_answered_before_the_next_one_comes(use):
    use()
    read, write = os.pipe()
    answers_read, answers_write = os.pipe()
    with os.fdopen(read, "rb") as source, os.fdopen(answers_write, "w") as target:
        thread = threading.Thread(target=translate_lines, args=(Path("run"), source, target), daemon=True)
        thread.start()
        with os.fdopen(answers_read) as answers:
            for line in (b"the old man\n", b"a house is green\n"):
                os.write(write, line)
                assert select.select([answers], [], [], 60)[0]
                assert answers.readline().endswith("\n")
            os.close(write)
            thread.join(60)
    assert not thread.is_alive()


def test_scores_and_n_best_are_a_table(use):
    use()
    rows = [line.split("\t") for line in translated(b"the old man\n\nshe goes home\n", n_best=3, beam=4, max_length=3)]
    of = {number: [row[1:] for row in rows if row[0] == number] for number in "123"}
    assert sum(map(len, of.values())) == len(rows)
    assert of["2"] == [["", "", ""]]
    for some in (of["1"], of["3"]):
        assert 1 < len(some) <= 3
        ended = [float(score) for score, cut, _ in some if not cut]
        assert ended == sorted(ended, reverse=True)
    best = translated(b"the old man\nshe goes home\n", beam=4, max_length=3)
    assert [of["1"][0][2], of["3"][0][2]] == best
    (record,) = map(json.loads, translated(b"the old man\n", beam=4, max_length=3, attention=True))
    assert [token != "</s>" for token in record["translations"][0]["tokens"]].count(True) <= 3
    with pytest.raises(UserError, match="--n-best 3: the beam keeps 2; give --beam 3 or more"):
        translated(b"a\n", n_best=3)


def test_cut_translations_are_counted(use, capsys):
    use()
    translated(b"the old man\na small house\n", beam=1, max_length=1)
    assert "2 translations cut at the length limit, of lines 1, 2" in capsys.readouterr().err


@pytest.mark.parametrize("reverse", [False, True])
def test_attention_is_json_with_its_subwords(use, reverse):
    run = use(reverse)
    first, empty = map(json.loads, translated(b"the old man sees\n\n", attention=True))
    assert first["source"] == [*run.source_tokenizer.pieces(run.source_tokenizer.encode("the old man sees")), "</s>"]
    (only,) = first["translations"]
    assert len(only["attention"]) == len(only["tokens"])
    assert all(len(row) == len(first["source"]) for row in only["attention"])
    assert all(sum(row) == pytest.approx(1, abs=0.01) for row in only["attention"])
    assert (only["tokens"][-1] == "</s>") != only["truncated"]
    assert empty == {"line": 2, "source": ["</s>"], "translations": []}


def test_attention_on_a_reversed_source_is_in_reading_order(use):
    run = use(reverse=True)
    (record,) = map(json.loads, translated(b"the old man sees\n", attention=True))
    split = run.encode(["the old man sees"])
    ((best,),) = translate_n_best(run.model, split, run.target_tokenizer, run.settings.search, need_weights=True)
    fed = best.hypothesis.weights[:, : len(record["source"])]
    read = [[*row[:-1][::-1], row[-1]] for row in fed.tolist()]
    assert record["translations"][0]["attention"] == [[pytest.approx(weight, abs=1e-4) for weight in row] for row in read]


def test_a_line_has_segments_for_a_model_that_knows_them(use):
    line = "the old man \u2029 sees\u2029\n".encode()
    for normaliser, ends in ({}, 1), ({"normaliser": "hierarchical"}, 2):
        use(score="scaled", **normaliser)
        (record,) = map(json.loads, translated(line, attention=True))
        assert record["source"].count("</s>") == ends


def test_a_fixed_context_has_no_attention_to_show(use):
    use(score="none")
    (only,) = map(json.loads, translated(b"the old man sees\n", attention=True))
    assert only["translations"][0]["attention"] is None


def test_the_source_of_attention_over_a_picture_is_its_cells(see):
    cells = ["\u2581"] * 16
    cells[9] = "\u2581small_red_circle_12_20"
    for score in ("additive", "none"):
        see(score)
        seen, empty = map(json.loads, translated(b"small_red_circle_12_20\n\n", attention=True))
        assert seen["source"] == cells
        attention = seen["translations"][0]["attention"]
        assert attention is None if score == "none" else {len(row) for row in attention} == {16}
        assert empty == {"line": 2, "source": ["\u2581"] * 16, "translations": []}


def test_lines_that_are_no_scene_are_named_and_the_others_answered(see, capsys):
    see("additive")
    target = io.StringIO()
    with pytest.raises(RunError, match="2 of 5 lines were refused and left empty"):
        translate_lines(
            Path("run"), io.BytesIO(b"small_red_circle_12_20\nhello\n\nsmall_red_circle_12_32\nsmall_red_ring_3_3\n"), target
        )
    assert [bool(line) for line in target.getvalue().split("\n")] == [True, False, False, False, True, False]
    errors = capsys.readouterr().err
    for line, word in ((2, "hello"), (4, "small_red_circle_12_32")):
        assert f"line {line}: '{word}' is no object of a scene" in errors
    assert errors.count("left empty") == 2
