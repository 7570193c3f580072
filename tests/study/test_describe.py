import time

import pytest

from seq2seq.cli import main
from seq2seq.config.loading import load_study
from seq2seq.study.describe import describe_study
from tests.tiny import TINY, write_study


@pytest.fixture
def text(tmp_path):
    return describe_study(load_study(write_study(tmp_path)))


def test_each_system_has_a_card(text):
    assert "== none ==" in text
    card = " ".join(text[text.index("== additive ==") :].split())
    assert "AdditiveScore: score = v . tanh(W_q q + W_k k). Bahdanau et al. 2015" in card
    assert "Expected: scores bounded by the length of v" in card
    assert "Softmax: softmax(score)" in card
    assert "(in decoder.attention.score)" in card
    assert "against none: model.attention.score: none -> additive" in card


def test_numbers_are_those_of_the_models(text):
    card = " ".join(text.split())
    parameters = 2 * 600 * 12 + 2 * 3 * 8 * (12 + 8 + 2) + 3 * 16 * (12 + 16 + 16 + 2) + 16 * 16 + 16 + 16 * 32 + 600 * 17
    assert f"parameters: {parameters:,} = " in card
    assert "S = T = 50: 0.00 MB, S = T = 500: 0.00 MB" in card
    assert "at S = T = 25:" in card


def test_matched_widths_are_shown(tmp_path):
    study = describe_study(load_study(write_study(tmp_path, {**TINY, "match": {"parameters": "5%", "to": "additive"}})))
    assert "matched none: as written" in study or "matched none: model" in study


def test_a_part_that_refuses_long_sources_says_so(tmp_path):
    score = {"kind": "location", "max_source": 60}
    study = {**TINY, "systems": {"location": {"model": {"attention": {"score": score}}}}}
    assert "S = T = 500: refused" in " ".join(describe_study(load_study(write_study(tmp_path, study))).split())


def test_the_demo_takes_seconds(capsys):
    began = time.process_time()
    assert main(["describe", "configs/demo.yaml"]) == 0
    assert time.process_time() - began < 10  # about 3 on a quiet core
    assert "== additive ==" in capsys.readouterr().out
