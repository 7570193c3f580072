"""A study of many systems: ranked, drawn so that it can be read, said in short sentences."""

import csv
import json

import pytest
from PIL import Image

from seq2seq.report import build_report, write_report
from seq2seq.report.crowd import changes_from_baseline, in_focus, named
from seq2seq.report.palette import REST, looks
from tests.report.invented import write_crowd


@pytest.fixture(scope="module")
def crowd(texts, tmp_path_factory):
    folder = tmp_path_factory.mktemp("crowd")
    write_crowd(folder, texts)
    return build_report(folder, {"test": texts})


@pytest.fixture(scope="module")
def folder(crowd, tmp_path_factory):
    place = tmp_path_factory.mktemp("written")
    write_report(crowd, place)
    return place


def test_ranks_follow_bleu_and_have_intervals(crowd, folder):
    report = crowd.report
    scores = [report.systems[place.system].bleu for place in report.ranking]
    assert scores == sorted(scores, reverse=True)
    assert len(report.ranking) == 12
    assert all(place.low <= place.rank <= place.high for place in report.ranking)
    with (folder / "ranking.csv").open() as file:
        assert [row["system"] for row in csv.DictReader(file)] == [place.system for place in report.ranking]


def test_the_ranking_table_has_difference_corrected_p_and_budgets(crowd, folder):
    text = (folder / "report.md").read_text()
    ranking = text[text.index("## Systems") :]
    assert "They differ in" in ranking or "The systems have" in ranking  # no order without the budgets it was reached with
    first = crowd.report.ranking[0]
    row = next(line for line in ranking.splitlines() if line.startswith(f"| {first.system.replace('_', '')} |"))
    assert f"| 1 [{first.low}, {first.high}] |" in text
    assert f"{crowd.report.systems[first.system].comparison.difference:+.1f}" in row
    page = (folder / "index.html").read_text()
    assert page.index('data-figure="ranking"') < page.index('data-figure="bleu_by_length"') < page.index('id="systems-table"')


def test_the_focus_is_baseline_highest_and_lowest_in_colours_of_their_own(crowd):
    focus = in_focus(crowd.report)
    order = [place.system for place in crowd.report.ranking if place.system != "none"]
    assert set(focus) == {"none", *order[:3], *order[-2:]}
    shown = looks(list(crowd.report.systems), focus)
    assert len({shown[name] for name in focus}) == 6
    assert shown["additive-4"] == REST or "additive-4" in focus
    assert set(shown) == set(crowd.report.systems)


def test_sentences_stay_short(crowd):
    assert "the 11 other systems from `" in crowd.report.headline
    assert len(crowd.report.headline) < 900
    assert all(len(note) < 400 for note in crowd.report.notes)
    assert named(["a"] * 9, 9) == "all 9 systems"
    assert named(["a"] * 9, 12) == "9 of 12 systems"
    assert named(["a", "b"], 12) == "a, b"


def test_settings_are_told_against_the_baseline(crowd):
    changes = changes_from_baseline(crowd.report)
    assert changes["none"] == {}
    assert changes["additive-3"]["model.decoder.hidden_size"] == 35
    assert set(changes["additive-3"]) == {"model.decoder.hidden_size", "model.attention.score.kind"}


def test_pictures_stay_readable(folder):
    for name in ("ranking", "bleu_by_length", "attention"):
        with Image.open(folder / f"{name}.png") as image:
            assert 0.3 < image.width / image.height < 4
            assert image.width < 5000
    report = json.loads((folder / "report.json").read_text())
    assert len(report["systems"]) == 12
