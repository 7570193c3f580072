"""What is published holds no sentence of the corpus, and still scores the same."""

import json
import shutil
from pathlib import Path

import pytest

import seq2seq
from seq2seq.config.errors import UserError
from seq2seq.report.runs import read_decoded, unpacked
from seq2seq.report.write import write_report
from seq2seq.study.publish import hide_references
from tests.study.conftest import bytes_of, copy_of

REFERENCES = ["a b c", "d e f", "g h i"]


def hidden(path, lines, references):
    """The hypotheses as they were, and as published."""
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    path.with_suffix(".json").write_text(json.dumps({"truncated": [1], "sentences": len(lines)}))
    before = read_decoded(path)
    hide_references(path, references)
    return before, read_decoded(path)


def test_a_line_that_equals_its_reference_is_left_out_and_comes_back(tmp_path):
    before, after = hidden(tmp_path / "test.txt", ["a b c", "x", "g h i"], REFERENCES)
    assert after.lines == ["", "x", ""]
    assert after.complete_lines(REFERENCES) == before.lines
    assert (after.sha256, after.record.truncated) == (before.sha256, before.record.truncated)
    hide_references(tmp_path / "test.txt", REFERENCES)  # as publishing a study does that was unpacked to go on with it
    assert read_decoded(tmp_path / "test.txt").complete_lines(REFERENCES) == before.lines


def test_another_edition_of_the_corpus_is_refused(tmp_path):
    _, published = hidden(tmp_path / "test.txt", ["a b c", "x", "g h i"], REFERENCES)
    with pytest.raises(UserError, match="do not fit this corpus"):
        published.complete_lines(["A b c", "d e f", "g h i"])


@pytest.fixture
def place(trained_once, tmp_path, capsys, monkeypatch):
    """A finished run, in a checkout of known revision."""
    there = copy_of(trained_once, tmp_path / "place", capsys, monkeypatch)
    path = there.run / "environment.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "revision": "abc123"}))
    return there


@pytest.fixture
def no_pictures(monkeypatch):
    """Every figure is an empty file."""
    monkeypatch.setattr("seq2seq.report.write.save", lambda figure, stem: stem.with_suffix(".png").touch() or [])


@pytest.mark.usefixtures("no_pictures")
def test_what_is_published_has_no_weights_and_no_sentence_and_verifies(place):
    assert place("report", place.runs)[0] == 0  # which also translates sentences of our own
    before = bytes_of(place.runs)
    target = place.folder / "results" / "mine"
    for _ in range(2):  # a study that was published before is replaced
        status, said = place("publish", place.runs, target)
        assert status == 0, said
    assert bytes_of(place.runs) == before
    assert [path.name for path in target.parent.iterdir()] == ["mine"]
    once = bytes_of(target)
    assert Path("report/bleu_by_length.png") in once
    assert {path.name for path in once if path.suffix != ".png"} == {"report.md", "report.json.xz", "runs.tar.xz"}
    with unpacked(target) as folder:
        published = once | bytes_of(folder)
        assert not [path for path in published if path.suffix == ".safetensors" or path.match("attention/test.json")]
        assert {Path("additive/seed-1/attention/own.json"), Path("additive/seed-1/analysis/costs.json")} <= published.keys()
        assert json.loads((folder / "additive/seed-1/hypotheses/test.json").read_text())["as_reference"] == []
    assert not [path for path, content in published.items() if str(place.folder).encode() in content]
    assert str(place.folder) in (place.run / "config.yaml").read_text()
    references = (place.folder / "corpus" / "test.de").read_text().splitlines()
    assert not [name for name, content in published.items() if any(line.encode() in content for line in references)]
    for path in (target, target / "report", target / "report" / "report.json"):
        assert seq2seq.read_report(path).report.environment["revision"] == "abc123"
    assert place("report", target, "--verify")[0] == 0
    for command in (["report", target], ["tune", target], ["train", place.folder / "tiny.yaml", "--out", target]):
        status, said = place(*command)
        assert status == 2
        assert f"check it with: seq2seq report {target} --verify" in said
    assert bytes_of(target) == once
    assert place("publish", target, place.folder / "again")[0] == 2
    (target / "notes.md").write_text("mine")
    status, said = place("publish", place.runs, target)
    assert status == 2
    assert "also holds notes.md" in said


@pytest.mark.usefixtures("no_pictures")
def test_counts_are_left_out_where_everybody_can_derive_the_corpus(place, monkeypatch):
    monkeypatch.setattr("seq2seq.study.publish.is_embedded", lambda _: True)
    target = place.folder / "results"
    assert place("publish", place.runs, target)[0] == 0
    with unpacked(target) as folder:
        assert not list(folder.rglob("statistics"))
    corpus = (place.folder / "corpus").rename(place.folder / "mine")
    monkeypatch.setenv("SEQ2SEQ_DATA", str(place.folder))
    assert place("report", target, "--verify")[0] == 0
    lines = (corpus / "test.de").read_text().splitlines()
    (corpus / "test.de").write_text("".join(f"{line}\n" for line in ["etwas anderes", *lines[1:]]))
    status, said = place("report", target, "--verify")
    assert status == 2
    assert "translations of other sentences than split 'test' holds now" in said


def test_a_damaged_file_is_named_where_it_lies(place):
    """And not in the copy that is made of it, which is gone when the message is read."""
    path = place.runs / "costs.json"
    path.write_text("{")
    status, said = place("publish", place.runs, place.folder / "results")
    assert status == 2
    assert f"error: {path}: not valid JSON" in said


@pytest.mark.usefixtures("no_figures")
def test_a_card_may_allow_text(place, monkeypatch):
    shown = []
    monkeypatch.setattr(
        "seq2seq.study.publish.write_report",
        lambda built, folder, *, without_text: shown.append(without_text) or write_report(built, folder),
    )
    links = (f'<a href="{name}">{name}</a>' for name in ("report.md", "buckets.csv"))
    monkeypatch.setattr("seq2seq.report.write.page", lambda *_: f"Files: {', '.join(links)}</p>")
    card = {"name": "mine", "description": "", "languages": ["en", "de"], "source": "", "licence": "", "publishable": True}
    (place.folder / "card.yaml").write_text(json.dumps(card))
    for path in place.run.glob("config.yaml"):
        path.write_text(path.read_text().replace("corpus: mine", f"corpus: {place.folder / 'card.yaml'}"))
    assert place("publish", place.runs, place.folder / "out", "--with-page")[0] == 0
    assert shown == [False]
    page = (place.folder / "out/report/index.html").read_text(encoding="utf-8")
    assert page == 'Files: <a href="report.md">report.md</a></p>'  # the other is not beside it
    with unpacked(place.folder / "out") as folder:
        assert "as_reference" not in json.loads((folder / "additive/seed-1/hypotheses/test.json").read_text())


@pytest.mark.usefixtures("no_figures")
def test_a_damaged_archive_is_one_line(place):
    assert place("publish", place.runs, place.folder / "out")[0] == 0
    archive = place.folder / "out" / "runs.tar.xz"
    archive.write_bytes(archive.read_bytes()[:2000])
    status, said = place("report", place.folder / "out", "--verify")
    assert status == 2
    assert "runs.tar.xz: cannot be unpacked" in said


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda place: place.runs, "is, contains or lies in"),
        (lambda place: place.folder, "is, contains or lies in"),
        (lambda place: place.runs / "report", "is, contains or lies in"),
        (lambda place: place.runs / "additive" / "new", "is, contains or lies in"),
        (lambda place: link(place.folder / "link", place.runs), "is, contains or lies in"),
        (lambda place: link(place.folder / "link", place.folder) / "runs", "is, contains or lies in"),
        (lambda place: shutil.copytree(place.runs, place.folder / "other"), "not a published study"),
        (lambda place: place.folder / "corpus", "not empty and not a published study"),
        (lambda place: place.folder / "tiny.yaml", "not a folder"),
        (lambda place: link(place.folder / "link", place.folder / "out"), "a link to"),
    ],
)
def test_a_target_that_would_lose_something_is_refused(place, make, reason):
    target = make(place)
    before = everything(place)
    status, said = place("publish", place.runs, target)
    assert status == 2
    assert reason in said
    assert everything(place) == before


def everything(place):
    return {path: content for path, content in bytes_of(place.folder).items() if path.parts[0] != "cache"}


def link(path, target):
    path.symlink_to(target)
    return path


@pytest.mark.usefixtures("no_pictures")
def test_a_publication_that_fails_leaves_the_one_before(place, monkeypatch):
    target, rename = place.folder / "results", Path.rename
    assert place("publish", place.runs, target)[0] == 0
    before = everything(place)
    full, stopped = OSError(28, "No space left on device"), KeyboardInterrupt()
    for name, error in (("write_report", stopped), ("pack_runs", full), ("rename", full), ("rename", stopped)):

        def fail(*_, error=error, **__):
            raise error

        with monkeypatch.context() as patch:
            if name == "rename":
                patch.setattr(Path, name, lambda path, to: fail() if path.suffix == ".publishing" else rename(path, to))
            else:
                patch.setattr(f"seq2seq.study.publish.{name}", fail)
            assert place("publish", place.runs, target)[0] != 0
        assert everything(place) == before


def test_code_of_no_known_revision_is_not_published(place):
    path = place.run / "environment.json"
    for revision in (None, ""):
        path.write_text(json.dumps({**json.loads(path.read_text()), "revision": revision}))
        status, said = place("publish", place.runs, place.folder / "out")
        assert status == 2
        assert "no revision of the code that trained additive seed 1" in said
    assert not (place.folder / "out").exists()
