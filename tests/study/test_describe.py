import pytest

from seq2seq.cli import main
from seq2seq.config.errors import UserError
from seq2seq.config.loading import load_study
from seq2seq.corpus.prepare import prepare
from seq2seq.study.describe import describe_study
from tests.tiny import TINY, tiny_study, write_study


@pytest.fixture(scope="module", autouse=True)
def _cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEQ2SEQ_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    return describe_study(load_study(write_study(tmp_path_factory.mktemp("study"))))


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
    assert "at S = T = 25," in card


def test_matched_widths_are_shown(tmp_path):
    study = describe_study(load_study(write_study(tmp_path, {**TINY, "match": {"parameters": "5%", "to": "additive"}})))
    assert "matched none: as written" in study or "matched none: model" in study


def test_a_warm_start_is_described(tmp_path):
    study = tiny_study(training={"pretrain": {"kind": "causal", "steps": 4}})
    text = " ".join(describe_study(load_study(write_study(tmp_path, study))).split())
    assert "4 updates first: p(y_t | y_<t) of the decoder, every context zero. Radford et al. 2018" in text


@pytest.mark.parametrize(("size", "problem"), [(100, "is too small: characters, bytes"), (9000, "the largest possible is")])
def test_a_vocabulary_that_training_refuses_is_refused(tmp_path, size, problem):
    study = load_study(write_study(tmp_path, tiny_study(tokenizer={"vocabulary_size": size})))
    with pytest.raises(UserError, match=rf"^tokenizer\.vocabulary_size: {size} .*{problem}") as described:
        describe_study(study)
    settings = study.systems["none"]
    with pytest.raises(UserError) as prepared:
        prepare(settings.data, settings.tokenizer, report=lambda _: None)
    assert str(described.value) == str(prepared.value)


def test_a_corpus_need_not_be_there(tmp_path):
    study = tiny_study()
    study["base"]["data"] = {"path": str(tmp_path / "nowhere")}
    assert "== additive ==" in describe_study(load_study(write_study(tmp_path, study)))


def test_the_demo_can_be_described(capsys):
    sizes = {"train_pairs": 300, "valid_pairs": 9, "test_pairs": 9, "max_words": 12}
    smaller = ["--set", f"data.grammar={sizes}", "--set", "tokenizer.vocabulary_size=500"]
    assert main(["describe", "configs/demo.yaml", *smaller]) == 0
    assert "== additive ==" in capsys.readouterr().out
