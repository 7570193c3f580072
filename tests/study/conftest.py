"""A small corpus of files and one finished run on it, for tests of what commands do to what is there."""

import json
import shutil

import pytest

from seq2seq.cli import main
from tests.tiny import tiny_study, write_study

NUMBERS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
SMALL = {"max_steps": 4, "validate_every": 2, "save_every": 2, "log_every": 1, "validation_bleu_sentences": 2}


def sentences(count, start):
    return [" ".join(NUMBERS[(i * k + start) % 10] for k in range(1, 4 + i % 9)) + f" {start + i}" for i in range(count)]


def write_split(folder, name, count, start):
    lines = sentences(count, start)
    (folder / f"{name}.en").write_text("".join(f"{line}\n" for line in lines))
    (folder / f"{name}.de").write_text("".join(f"{' '.join(line.split()[::-1])} z\n" for line in lines))


def study_of(folder, *, evaluation=None, **parts):
    study = tiny_study(training=SMALL, tokenizer={"vocabulary_size": 340})
    study["base"]["data"] = {"corpus": "mine", "source": "en", "target": "de", "path": str(folder / "corpus")}
    study["evaluation"] = {"metrics": ["bleu", "chrf"], "resamples": 100, **(evaluation or {})}
    for part, values in parts.items():
        study["base"][part].update(values)
    return study


class Place:
    """A folder with a corpus, a study and its runs, and the commands on them."""

    def __init__(self, folder, capsys, monkeypatch):
        self.folder, self.capsys = folder, capsys
        self.runs = folder / "runs"
        self.run = self.runs / "additive" / "seed-1"
        monkeypatch.setenv("SEQ2SEQ_CACHE", str(folder / "cache"))
        if not (folder / "corpus").exists():
            (folder / "corpus").mkdir(parents=True)
            for name, count, start in (("train", 60, 0), ("valid", 8, 100), ("test", 12, 200), ("more", 10, 300)):
                write_split(folder / "corpus", name, count, start)

    def train(self, study=None, *options):
        """Train `additive`; returns (status, what was said)."""
        path = write_study(self.folder, study or study_of(self.folder))
        chosen = [] if "--system" in options else ["--system", "additive"]
        return self("train", path, "--out", self.runs, "--jobs", 1, *chosen, *options)

    def __call__(self, *arguments):
        status = main([str(argument) for argument in arguments])
        said = self.capsys.readouterr()
        return status, said.out + said.err

    def report(self, name="report"):
        return json.loads((self.runs / name / "report.json").read_text())

    def facts(self, split="test"):
        return json.loads((self.run / "hypotheses" / f"{split}.json").read_text())

    def earlier(self):
        return sorted(self.run.glob("hypotheses/earlier/*/*.txt"))


@pytest.fixture(scope="session")
def trained_once(tmp_path_factory):
    """A folder with one finished run, copied by each test."""
    folder = tmp_path_factory.mktemp("once")
    with pytest.MonkeyPatch.context() as patch:
        place = Place(folder, None, patch)
        path = write_study(folder, study_of(folder))
        assert main(["train", str(path), "--out", str(place.runs), "--jobs", "1", "--system", "additive"]) == 0
    return folder


def copy_of(folder, target, capsys, monkeypatch):
    """A copy of a place that a test may change."""
    shutil.copytree(folder, target)
    for path in target.rglob("config.yaml"):
        path.write_text(path.read_text().replace(str(folder), str(target)))
    capsys.readouterr()
    return Place(target, capsys, monkeypatch)


def bytes_of(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
