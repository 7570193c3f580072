"""A sentence over the model's limits, in any split, is found before the first update, and the message says what to change."""

import numpy as np
import pytest

from seq2seq.config.errors import UserError
from seq2seq.config.loading import load_study
from seq2seq.corpus.prepare import prepare
from seq2seq.models.build import build_model
from seq2seq.run.train import check_lengths
from tests.tiny import tiny_study, write_study

WORDS = {"train": 5, "valid": 5, "test": 5}
STACK = {"kind": "transformer", "hidden_size": 12, "feedforward_size": 10, "self_attention": {"heads": 2}}


@pytest.mark.parametrize("split", ["train", "valid", "test"])
@pytest.mark.parametrize(
    ("side", "model", "setting"),
    [
        ("en", {"attention": {"score": {"kind": "location", "max_source": 30}}}, "max_source"),
        (
            "en",
            {"encoder": {**STACK, "self_attention": {"heads": 2, "mechanism": {"kind": "linformer", "max_length": 30}}}},
            "max_length",
        ),
        ("de", {"decoder": {**STACK, "positions": {"kind": "learned", "max_positions": 30}}}, "max_positions"),
    ],
)
def test_a_long_sentence_in_any_split(tmp_path, monkeypatch, split, side, model, setting):
    monkeypatch.setenv("SEQ2SEQ_CACHE", str(tmp_path / "cache"))
    for name, words in WORDS.items():
        for language in ("en", "de"):
            lines = [" ".join(f"{language}{i * k % 7}" for k in range(words)) for i in range(40)]
            if (name, language) == (split, side):
                lines[17] = " ".join(lines[17:22])
            (tmp_path / f"{name}.{language}").write_text("\n".join(lines) + "\n")
    study = tiny_study(model=model, tokenizer={"vocabulary_size": "auto"})
    study["base"]["data"] = {"corpus": "mine", "path": str(tmp_path)}
    study["systems"] = {"only": {}}
    settings = load_study(write_study(tmp_path, study)).systems["only"]
    data = prepare(settings.data, settings.tokenizer, report=lambda _: None)
    size = data.source_tokenizer.vocabulary_size
    built = build_model(settings.model, source_vocabulary=size, target_vocabulary=size)
    named = {"train": "training", "valid": "validation", "test": "test"}[split]
    with pytest.raises(UserError, match=rf"{setting} 30 is too small for the {named} split: 1 of \d+ .*Raise {setting}"):
        check_lengths(built, data)


def test_joins_of_short_sentences(tmp_path, monkeypatch):
    monkeypatch.setenv("SEQ2SEQ_CACHE", str(tmp_path / "cache"))
    for name in WORDS:
        for language in ("en", "de"):
            lines = [" ".join(f"{language}{name}{i * k % 7 + i}" for k in range(2 + i % 4)) for i in range(40)]
            (tmp_path / f"{name}.{language}").write_text("\n".join(lines) + "\n")

    def check(positions):
        decoder = {**STACK, "positions": {"kind": "learned", "max_positions": positions}}
        study = tiny_study(model={"decoder": decoder}, tokenizer={"vocabulary_size": "auto"})
        join = {"max_pairs": 3, "edges": [4], "per_bucket": 4}
        study["base"]["data"] = {"corpus": "mine", "path": str(tmp_path), "join": join}
        study["systems"] = {"only": {}}
        settings = load_study(write_study(tmp_path, study)).systems["only"]
        data = prepare(settings.data, settings.tokenizer, report=lambda _: None)
        size = data.source_tokenizer.vocabulary_size
        built = build_model(settings.model, source_vocabulary=size, target_vocabulary=size)
        lengths = [
            examples.target_lengths.max() for examples in (data.joins.examples(np.random.default_rng(i)) for i in range(9))
        ]
        assert max(lengths) <= data.joins.longest()[1]
        check_lengths(built, data)

    check(200)
    with pytest.raises(UserError, match="max_positions 30 is too small for the joined training split: joins may have"):
        check(30)
