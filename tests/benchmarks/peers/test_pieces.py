import json

from benchmarks.peers import pieces
from seq2seq.config.data import DataSettings, TokenizerSettings
from seq2seq.corpus.prepare import prepare
from tests.tiny import TINY


def test_pieces_are_the_sentences_and_the_vocabulary_knows_them(tmp_path, monkeypatch):
    base = TINY["base"]
    data = prepare(
        DataSettings.model_validate(base["data"]),
        TokenizerSettings.model_validate(base["tokenizer"]),
        report=lambda _: None,
        cache=tmp_path / "cache",
    )
    monkeypatch.setattr(pieces, "prepared", lambda _: data)
    pieces.write_pieces("grammar", tmp_path / "pieces")

    def lines(name):
        return (tmp_path / "pieces" / name).read_text(encoding="utf-8").split("\n")[:-1]

    numbers = json.loads((tmp_path / "pieces" / "ids.json").read_text(encoding="utf-8"))
    assert sorted(numbers.values()) == list(range(data.source_tokenizer.vocabulary_size))
    assert list(numbers)[4:] == lines("pieces.txt")[4:] == [line.split("\t")[0] for line in lines("counts.tsv")]
    for name, split in (("train", data.train), ("valid", data.valid)):
        for language, side in (("de", split.source_lengths), ("en", split.target_lengths)):
            assert [len(line.split(" ")) for line in lines(f"{name}.{language}")] == side.tolist()
    assert {piece for line in lines("train.en") for piece in line.split(" ")} <= set(numbers)
    assert "".join(lines("train.en")[0].split(" ")).replace("▁", " ").strip() == data.train.target(0)
