"""A study of many systems: ranked, drawn so that it can be read, said in short sentences."""

import pytest
from PIL import Image

from seq2seq.report.build import build_report
from seq2seq.report.crowd import in_focus, named
from seq2seq.report.document import sections
from seq2seq.report.drawing import save
from seq2seq.report.figures import report_figures
from seq2seq.report.page import page
from seq2seq.report.palette import REST, looks
from seq2seq.report.score_tables import systems_table
from seq2seq.report.tables import report_rows
from tests.report.invented import write_crowd


@pytest.fixture(scope="module")
def crowd(texts, tmp_path_factory):
    folder = tmp_path_factory.mktemp("crowd")
    write_crowd(folder, texts)
    return build_report(folder, {"test": texts})


def test_ranks_follow_bleu_and_have_intervals_and_a_table_with_differences(crowd):
    report = crowd.report
    scores = [report.systems[place.system].bleu for place in report.ranking]
    assert scores == sorted(scores, reverse=True)
    assert len(report.ranking) == 12
    assert all(place.low <= place.rank <= place.high for place in report.ranking)
    assert [row["system"] for row in report_rows(report)["ranking"]] == [place.system for place in report.ranking]
    first, row = report.ranking[0], systems_table(report).select(["system", "rank", "difference"]).rows[0]
    assert row[0] == first.system
    assert str(row[1]) == f"1 [{first.low}, {first.high}]"
    assert row[2].value == report.systems[first.system].comparison.difference


def test_figures_of_a_crowd_come_before_the_table(crowd, tmp_path):
    figures = report_figures(crowd.report, crowd.exhibits)
    html = page(crowd.report, crowd.exhibits, figures)
    assert html.index('data-figure="ranking"') < html.index('data-figure="bleu_by_length"') < html.index('id="systems-table"')
    save(figures[0], tmp_path / "ranking")
    with Image.open(tmp_path / "ranking.png") as image:
        assert 0.3 < image.width / image.height < 4


def test_the_focus_is_baseline_highest_and_lowest_in_colours_of_their_own(crowd):
    focus = in_focus(crowd.report)
    order = [place.system for place in crowd.report.ranking if place.system != "none"]
    assert set(focus) == {"none", *order[:3], *order[-2:]}
    shown = looks(list(crowd.report.systems), focus)
    assert len({shown[name] for name in focus}) == 6
    assert shown["additive-4"] == REST or "additive-4" in focus
    assert set(shown) == set(crowd.report.systems)


def test_sentences_stay_short(crowd):
    assert len(crowd.report.headline) < 900
    assert all(len(note) < 400 for note in crowd.report.notes)
    assert named(["a"] * 9, 9) == "all 9 systems"
    assert named(["a"] * 9, 12) == "9 of 12 systems"
    assert named(["a", "b"], 12) == "a, b"


def test_settings_are_told_against_the_baseline(crowd):
    (folded,) = next(each for each in sections(crowd.report, crowd.exhibits, []) if each.name == "differences").parts
    rows = dict(folded.parts[0].rows)
    assert rows["none"] == "–"
    assert set(rows["additive-3"].split(", ")) == {"model.decoder.hidden_size: 35", "model.attention.score.kind: additive"}
