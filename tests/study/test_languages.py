"""Studies into Chinese and Japanese are validated, scored and cut by length as sacreBLEU and their writing ask."""

import json

import pytest
from sacrebleu.metrics import BLEU

from seq2seq.cli import main
from seq2seq.config.errors import UserError
from seq2seq.scoring.metrics import check_tokenizer
from tests.tiny import write_study

LINES = {
    "en": ["we read a book {n}", "she sees the big house {n}", "today it rains {n}", "the dog sleeps under the old table {n}"],
    "zh": ["我们读第{n}本书。", "她看见了{n}座大房子。", "今天下了{n}次雨。", "{n}只狗睡在旧桌子下面。"],
    "ja": ["私たちは{n}冊の本を読みます。", "彼女は{n}軒の大きな家を見ます。", "今日は{n}回雨が降りました。", "{n}匹の犬が机の下で寝ています。"],
}  # fmt: skip


def write_corpus(folder, source, target):
    for split, count in (("train", 80), ("valid", 8), ("test", 8)):
        for language in (source, target):
            lines = [LINES[language][i % 4].format(n=i // 4) for i in range(count)]
            (folder / f"{split}.{language}").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


@pytest.fixture
def trained(tmp_path, monkeypatch):
    """Train an untaught system on lines of our own and put nearly right translations in its place."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEQ2SEQ_CACHE", str(tmp_path / "cache"))

    def train(source, target, **evaluation):
        write_corpus(tmp_path, source, target)
        base = {
            "data": {"corpus": "mine", "path": str(tmp_path), "source": source, "target": target, "drop_duplicates": False},
            "tokenizer": {"vocabulary_size": 330},
            "model": {
                "encoder": {"hidden_size": 4, "embedding_size": 4},
                "decoder": {"hidden_size": 4, "embedding_size": 4},
                "attention": {"score": "additive"},
            },
            "training": {"max_steps": 2, "validate_every": 2, "batch_tokens": 400, "precision": "fp32"},
            "search": {"beam": 1, "max_extra": 3},
        }
        study = {"jobs": 1, "evaluation": {"metrics": "bleu", "bottleneck_score": "bleu", "resamples": 100, **evaluation}}
        write_study(tmp_path, {**study, "base": base, "systems": {"additive": {}}})
        assert main(["train", "tiny.yaml"]) == 0
        references = (tmp_path / f"test.{target}").read_text(encoding="utf-8").splitlines()
        hypotheses = [line.replace("的", "之").replace("雨", "雪") for line in references]
        run = tmp_path / "runs" / "tiny" / "additive" / "seed-1"
        (run / "hypotheses" / "test.txt").write_text("".join(f"{line}\n" for line in hypotheses), encoding="utf-8")
        assert main(["report", "runs/tiny"]) == 0
        report = json.loads((tmp_path / "runs/tiny/report/report.json").read_text(encoding="utf-8"))
        return report, hypotheses, references, run

    return train


@pytest.mark.usefixtures("no_figures")
@pytest.mark.parametrize(("language", "tokenizer"), [("zh", "zh"), ("ja", "ja-mecab")])
def test_a_study_is_scored_as_sacrebleu_scores_it(trained, language, tokenizer):
    if language == "ja":
        pytest.importorskip("MeCab")
    report, hypotheses, references, run = trained("en", language)
    theirs = BLEU(trg_lang=language).corpus_score(hypotheses, [references])
    assert 20 < theirs.score < 99
    assert report["systems"]["additive"]["bleu"] == pytest.approx(theirs.score, abs=1e-9)
    assert f"tok:{tokenizer}" in report["signature"]
    assert report["length_unit"] == "words"
    validation = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines() if '"validation"' in line]
    assert f"tok:{tokenizer}" in validation[-1]["bleu_signature"]
    analyses = json.loads((run / "analysis" / "interventions.json").read_text())
    assert analyses["question"]["tokenizer"] == tokenizer
    assert analyses["question"]["search"]["max_extra"] == 3


@pytest.mark.usefixtures("no_figures")
def test_a_source_without_spaces_is_counted_in_characters(trained, capsys):
    report, _, _, run = trained("zh", "en", buckets={"edges": [8, 10]})
    assert report["length_unit"] == "characters"
    lengths = json.loads((run.parents[1] / "statistics" / "test.json").read_text())
    assert lengths["source_words"] == [8, 10, 8, 11, 8, 10, 8, 11]
    assert [(b["min"], b["max"], b["n"]) for b in report["systems"]["additive"]["buckets"]] == [
        (1, 8, 4),
        (9, 10, 2),
        (11, None, 2),
    ]
    assert "source characters" in capsys.readouterr().out


@pytest.mark.usefixtures("no_figures")
def test_a_tokenizer_of_the_study_reaches_validation_and_report(trained):
    report, _, _, run = trained("en", "zh", tokenizer="char")
    assert "tok:char" in report["signature"]
    assert "tok:char" in (run / "log.jsonl").read_text()


def test_a_tokenizer_that_does_not_know_the_language_is_refused_before_training(tmp_path, capsys):
    write_corpus(tmp_path, "en", "zh")
    data = {"corpus": "mine", "path": str(tmp_path), "source": "en", "target": "zh"}
    path = write_study(tmp_path, {"evaluation": {"tokenizer": "13a"}, "base": {"data": data}, "systems": {"a": {}}})
    assert main(["train", str(path), "--out", str(tmp_path / "runs")]) == 2
    assert "evaluation.tokenizer: 13a takes a whole sentence of 'zh' for one word" in capsys.readouterr().err


@pytest.mark.parametrize("language", ["ja", "ko"])
def test_a_missing_extra_is_named(monkeypatch, language):
    monkeypatch.setattr("seq2seq.scoring.metrics.find_spec", lambda _: None)
    with pytest.raises(
        UserError, match=rf"needs {language}-mecab, which is not installed; run pip install 'seq2seq\[{language}\]'"
    ):
        check_tokenizer(f"{language}-mecab")


def test_a_model_that_cannot_be_fetched_is_one_line(monkeypatch):
    def refuse(*_):
        raise OSError("no network")

    monkeypatch.setattr("seq2seq.scoring.metrics._counter", refuse)
    with pytest.raises(UserError, match=r"the model of flores200 cannot be fetched \(no network\)"):
        check_tokenizer("flores200")
