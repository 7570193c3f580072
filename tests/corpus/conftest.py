"""Small corpora made on the spot."""

import random

import pytest

from seq2seq.config.data import DataSettings


@pytest.fixture
def said():
    """What was reported, line by line."""
    return []


@pytest.fixture
def corpus_folder(tmp_path, monkeypatch):
    """A folder under $SEQ2SEQ_DATA with the corpus `toy` in languages en and xx, without a card."""
    folder = tmp_path / "data" / "toy"
    folder.mkdir(parents=True)
    monkeypatch.setenv("SEQ2SEQ_DATA", str(tmp_path / "data"))
    for split, number, seed in (("train", 300, 1), ("valid", 20, 2), ("test", 30, 3)):
        choose = random.Random(seed)
        words = [
            [f"{a}{b}" for _ in range(choose.randint(1, 9)) for a, b in [choose.sample("abdegiklmnoprstu", 2)]]
            for _ in range(number)
        ]
        write_lines(folder / f"{split}.en", [" ".join(line) for line in words])
        write_lines(folder / f"{split}.xx", [" ".join(word[::-1] * (1 + (word[0] < "e")) for word in line) for line in words])
    return folder


@pytest.fixture
def toy(corpus_folder):
    """Settings for it."""
    return DataSettings(corpus="toy", source="en", target="xx")


def write_lines(path, lines):
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="")
