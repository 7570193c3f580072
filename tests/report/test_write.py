"""Every output exists, is valid, escapes what it shows and leaves out what it must."""

import csv
import dataclasses
import gzip
import json
import re
import xml.etree.ElementTree as ElementTree
from base64 import b64decode
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from PIL import Image

from seq2seq.report.build import BuiltReport
from seq2seq.report.charts import Line, Point, Style, line_chart
from seq2seq.report.document import SAMPLES
from seq2seq.report.drawing import missing_scripts, save
from seq2seq.report.figures import report_figures
from seq2seq.report.headline import answer
from seq2seq.report.markdown import markdown, prose
from seq2seq.report.page import SIZE_LIMIT, linked, marked, pack, page, quantised, script_hash, vega
from seq2seq.report.palette import KNOWN, looks
from seq2seq.report.schema import Report
from seq2seq.report.study import summary_table
from seq2seq.report.tables import report_rows
from seq2seq.report.values import Measured, Table, as_latex, code_block, escape_latex, escape_markdown
from seq2seq.report.verify import compare_reports
from seq2seq.report.write import write_report
from tests.report.invented import HOSTILE


def exhibits_of(html: str, name: str = "exhibits-data") -> dict:
    packed = re.search(rf'<script type="text/plain" id="{name}">(.*?)</script>', html, re.S).group(1)
    return json.loads(gzip.decompress(b64decode(packed)))


def page_of(built) -> str:
    return page(built.report, built.exhibits, report_figures(built.report, built.exhibits))


FIGURES = ("bleu_by_length", "learning_curves", "cost", "cost_by_length", "beam", "concatenation", "attention")


def test_every_file_is_there(folder):
    names = {path.name for path in folder.iterdir()}
    assert names == {
        "index.html", "report.md", "report.json", "table.tex", "table_full.tex", "systems.csv", "buckets.csv",
        "runs.csv", "comparisons.csv", "learning_curves.csv", "sentences.csv", "ranking.csv", "concatenation.csv",
        *(f"{figure}.{kind}" for figure in FIGURES for kind in ("png", "svg", "pdf")),
    }  # fmt: skip


def test_report_json_obeys_its_schema_and_reads_back(folder, built):
    schema = json.loads((Path(__file__).parents[2] / "docs" / "report.schema.json").read_text())
    report = json.loads((folder / "report.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(report, schema)
    read = Report.model_validate(report).model_dump(mode="json")
    assert compare_reports(read, built.report.model_dump(mode="json")) == []
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**report, "signature": 3}, schema)


def test_report_json_has_the_promised_shape(folder, texts):
    report = json.loads((folder / "report.json").read_text())
    assert isinstance(report["signature"], str)
    system = report["systems"]["additive"]
    assert system["seeds"] == [1, 2]
    assert all(isinstance(system[key], int | float) for key in ("bleu", "chrf", "parameters"))
    assert [(b["min"], b["max"]) for b in system["buckets"]] == [(1, 10), (11, 20), (21, 40), (41, None)]
    assert {"min", "max", "n", "bleu", "low", "high"} <= set(system["buckets"][0])
    assert not any(line in json.dumps(report) for line in texts[0] + texts[1])


def test_pictures_are_pictures(folder):
    for path in folder.glob("*.png"):
        with Image.open(path) as image:
            assert image.width > 300
    for path in folder.glob("*.svg"):
        assert ElementTree.parse(path).getroot().tag.endswith("svg")
    text = (folder / "bleu_by_length.svg").read_text()
    assert "additive" in text
    assert KNOWN["additive"].light in text
    assert (folder / "bleu_by_length.pdf").read_bytes().startswith(b"%PDF")


def test_the_same_report_gives_the_same_bytes(built, figures, folder, tmp_path):
    save(figures[0], tmp_path / figures[0].name)
    for path in (tmp_path / f"{figures[0].name}.png", tmp_path / f"{figures[0].name}.svg"):
        assert path.read_bytes() == (folder / path.name).read_bytes()
    assert page(built.report, built.exhibits, figures) == (folder / "index.html").read_text()


def test_tables_hold_every_bucket_and_difference(folder, built):
    report = built.report
    buckets = sum(len(system.buckets) + len(system.buckets_equal_count) for system in report.systems.values())
    for name, expected in (("buckets", buckets), ("comparisons", len(report.comparisons)), ("sentences", report.n)):
        with (folder / f"{name}.csv").open() as file:
            assert len(list(csv.DictReader(file))) == expected


def test_latex_escapes_and_only_the_full_table_has_a_column_for_each_bucket(folder):
    table = (folder / "table.tex").read_text()
    full = (folder / "table_full.tex").read_text()
    for text, columns in ((table, 6), (full, 8)):
        body = [line for line in text.splitlines() if line.startswith(("none &", "additive &", "scaled &"))]
        assert [line.count("&") for line in body] == [columns - 1] * 3
        assert text.count(r"\begin{tabular}{l" + "r" * (columns - 1) + "}") == 1
        assert text.count(r"\toprule") == text.count(r"\caption{") == 1
    assert r"\label{tab:invented}" in table
    assert "over sentences" not in table  # its one seed borrows the others' variance
    assert r"\resizebox{\linewidth}" in full
    cut = Table(heads=["system", "BLEU"], rows=[["sentences", "9"], ["additive", Measured(99.0, 96.0, 100.0)]])
    assert r"99.0\,{\scriptstyle\pm 3.0}" in as_latex(cut, caption="", label="")
    assert escape_latex(r"50% a_b \x") == r"50\% a\_b \textbackslash{}x"


def test_markdown_says_the_headline_and_what_to_know(folder, built):
    text = (folder / "report.md").read_text()
    assert all(told in text for told in (built.report.headline, built.report.signature, built.report.command))
    assert HOSTILE not in text


def test_lengths_and_weights_are_told_in_the_unit_of_the_source(built):
    """Of pictures every length is in objects, and the weight beside them lies on empty cells."""

    def told(unit):
        report = built.report.model_copy(update={"length_unit": unit, "probe": None})
        figures = report_figures(report, built.exhibits)
        notes = [row.get("note", "") for figure in figures for row in figure.spec.get("datasets", {}).get("rows", ())]
        axes = json.dumps([figure.spec for figure in figures])
        return "\n".join([markdown(report, built.exhibits, figures), summary_table(report), answer(report), *notes, axes])

    words, objects = told("words"), told("objects")
    for length in (
        "sources above {n} {unit} as a share",
        "Half-length: {unit} at which",
        "sentence score per ten {unit}",
        "above {n} {unit}; L50",
        "on sources of up to {n} {unit} and",
        "ms per sentence of {n} {unit} (",
        "{n} source {unit}, n = ",
        '"source length in {unit}"',
    ):
        for unit, text in (("words", words), ("objects", objects)):
            assert re.search(re.escape(length).replace(r"\{n\}", r"\d+").replace(r"\{unit\}", unit), text), (length, unit)
    assert "mass on end" in words
    assert "mass on linked words" in words
    assert "mass on empty cells" in objects
    assert "mass on linked objects" in objects


def test_hostile_sentences_are_escaped_in_markdown(built):
    """Every source is hostile, so that the samples show it whichever sentences they are."""
    exhibits = dataclasses.replace(built.exhibits, sources=[HOSTILE] * built.report.n)
    text = markdown(built.report, exhibits, report_figures(built.report, exhibits))
    assert text.count("&lt;script&gt;window.broken=1&lt;/script&gt;") == SAMPLES
    assert "<script" not in text


def test_markdown_cells_cannot_break_out():
    assert prose("`log_ratio` <a_b> `c<d` `") == "`log_ratio` &lt;a\\_b&gt; `c<d` \\`"
    assert escape_markdown("a|b <i> *x*\nnew & `c`") == "a\\|b &lt;i&gt; \\*x\\* new &amp; \\`c\\`"
    assert code_block("a ``` b").startswith("````text\n")


def test_hostile_text_is_never_markup(folder):
    html = (folder / "index.html").read_text()
    assert HOSTILE not in html
    assert HOSTILE in exhibits_of(html)["sources"][3]
    assert html.count("</script>") == 4


def test_hostile_names_and_settings_are_escaped(built):
    report = built.report.model_copy(deep=True)
    evil = "</script><img src=x onerror=alert(1)>"
    report.systems = {evil if name == "scaled" else name: system for name, system in report.systems.items()}
    report.learning_curves = {evil if name == "scaled" else name: curves for name, curves in report.learning_curves.items()}
    report.question = report.study = report.command = report.headline = evil
    report.environment = {evil: evil}
    html = page_of(BuiltReport(report, built.exhibits))
    assert "<img" not in html
    assert html.count("</script>") == 4


def test_marks_and_links_are_safe():
    assert linked("a<b arXiv:1409.0473, x") == (
        'a&lt;b <a href="https://arxiv.org/abs/1409.0473" rel="noreferrer">arXiv:1409.0473</a>, x'
    )
    assert marked("`a<b` & c") == "<b>a&lt;b</b> &amp; c"


def test_the_policy_names_the_scripts_and_allows_no_other(folder):
    html = (folder / "index.html").read_text()
    scripts = [vega(), *(part.partition("</script>")[0] for part in html.split("<script>")[1:])]
    assert len(scripts) == 2
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html).group(1)
    allowed = " ".join(f"'sha256-{script_hash(script)}'" for script in scripts)
    assert f"script-src {allowed};" in policy
    assert "unsafe-eval" not in policy
    links = set(re.findall(r'(?:href|src)="(https?:[^"]*)"', html))
    assert all(link.startswith("https://arxiv.org/abs/") for link in links)


def test_without_text_no_file_holds_a_sentence_of_the_corpus(built, texts, tmp_path, monkeypatch):
    monkeypatch.setattr("seq2seq.report.write.save", lambda figure, stem: [Path(f"{stem}.png")])
    write_report(built, tmp_path, without_text=True)
    content = [path.read_bytes() for path in tmp_path.iterdir()]
    content += [json.dumps(figure.spec).encode() for figure in report_figures(built.report, built.exhibits.without_text())]
    packed = exhibits_of((tmp_path / "index.html").read_text())
    content.append(json.dumps(packed, ensure_ascii=False).encode())
    written = "\n".join(line for output in packed["outputs"] for line in output["lines"])
    only_in_corpus = [line for line in texts[0] + texts[1] if line not in written]  # what a system wrote may stay
    assert len(only_in_corpus) > 150
    assert not any(line.encode() in part for line in only_in_corpus for part in content)
    assert (packed["sources"], packed["references"]) == (None, None)
    assert packed["attention"] == []  # and no numbers in place of words
    first_words = {line.split()[0] for line in texts[0] if not line.startswith("<")}
    assert not any(word.encode() in part for word in first_words if len(word) > 5 for part in content)


def test_weights_are_bytes():
    assert list(b64decode(quantised([[0.0, 1.0], [0.5, 2.0]]))) == [0, 255, 128, 255]


def test_a_page_too_large_drops_seeds_then_sentences_and_says_so(built):
    whole, left_out = pack(built.exhibits, SIZE_LIMIT)
    assert left_out == ""
    (_, fewer), (tiny, fewest) = (pack(built.exhibits, size) for size in (len(whole) - 1, len(whole) // 3))
    assert fewer
    assert len(tiny) <= len(whole) // 3
    assert re.search(r"the first \d+ of 120", fewest)


def test_a_number_that_rounds_to_nothing_has_no_sign():
    tiny = {"low": -0.04, "high": 0.04}
    assert str(Measured(-0.04, **tiny)) == "0.0 [0.0, 0.0]"
    assert str(Measured(-0.04, seeds=[-0.04, 0.5])) == "0.0 (seeds 0.0, 0.5)"
    assert str(Measured(-0.04, sign=True, **tiny)) == "+0.0 [0.0, 0.0]"


def rows_of_line(*points: Point) -> list[dict]:
    style = Style(looks=looks(["none"]), labelled=["none"])
    spec = line_chart({("BLEU",): [Line(system="none", points=points)]}, style, x="words", switches=("Show",))
    return spec["datasets"]["rows"]


def test_segments_to_small_samples_are_dashed_and_the_others_are_not():
    rows = rows_of_line(Point(x=1, y=5, small=True), Point(x=2, y=4), Point(x=3, y=3), Point(x=4, y=2, small=True))
    shown = [(row["x"], row["part"], row["dashed"], row.get("joint", False)) for row in rows]
    assert shown == [
        (1, 0, True, False), (2, 0, True, False), (2, 1, False, True), (3, 1, False, False), (3, 2, True, True), (4, 2, True, False),
    ]  # fmt: skip


def test_of_many_points_some_have_a_mark_and_the_last_has_one():
    rows = rows_of_line(*(Point(x=x, y=1.0) for x in range(30)))
    marked_at = [row["x"] for row in rows if "plain" not in row]
    assert len(rows) == 30
    assert marked_at == list(range(2, 30, 3))


def test_intervals_are_drawn_from_three_seeds_on(built):
    report = built.report.model_copy(deep=True)
    assert [len(report.systems[name].seeds) for name in ("none", "scaled")] == [2, 1]
    report.systems["additive"].seeds = [1, 2, 3]
    rows = report_figures(report, built.exhibits)[0].spec["datasets"]["rows"]
    first = [row for row in rows if (row["v0"], row["v1"]) == (0, 0)]
    assert {row["system"] for row in first if "low" in row} == {"additive"}
    assert {row["system"] for row in first if "seed" in row} == {"none", "additive"}


@pytest.mark.parametrize(("level", "step", "top"), [(50, 0.1, 50.8), (0, 0, 1)])
def test_names_at_line_ends_keep_their_order_and_do_not_overlap(level, step, top):
    names = [f"system-{number}" for number in range(9)]
    lines = [Line(system=name, points=[Point(x=0, y=0), Point(x=1, y=level + step * i)]) for i, name in enumerate(names)]
    style = Style(looks=looks(names), labelled=names)
    labels = line_chart({("BLEU",): lines}, style, x="words", switches=("Show",))["datasets"]["names"]
    places = [row["y"] for row in labels]
    assert [row["label"] for row in labels] == (names if step else names[::-1])
    assert min(np.diff(places)) * 330 / top > 14
    assert level == 0 or np.mean(places) == pytest.approx(50.4)


def test_the_share_of_the_shortest_bucket_starts_at_a_hundred(built, figures):
    spec = figures[0].spec
    labels = spec["usermeta"]["axis"]
    share = labels.index("BLEU, % of the shortest bucket")
    rows = [row for row in spec["datasets"]["rows"] if (row["v0"], row["v1"]) == (share, 0) and "y" in row]
    none = [row["y"] for row in rows if row["system"] == "none" and "joint" not in row]
    buckets = built.report.systems["none"].buckets
    assert none == pytest.approx([100 * bucket.bleu / buckets[0].bleu for bucket in buckets], rel=1e-5)


def test_costs_that_all_systems_share_are_left_out(figures):
    figure = next(figure for figure in figures if figure.name == "cost")
    assert "training, FLOPs per target token" not in figure.table.heads  # 2.5e6 for every system
    assert "training, target tokens" not in figure.table.heads
    assert figure.table.select(["decoding, ms per sentence of 20 words (8 at a time)"]).rows[0] == [Measured(2.0, digits=2)]


def test_weights_of_words_sum_over_the_source_and_average_over_the_target(built):
    shown = built.exhibits.attention[12]["additive"]
    changed = shown.model_copy(
        update={
            "source": ["▁a", "b", "▁c"],
            "hypothesis": ["▁x", "y"],
            "weights": [[0.1, 0.2, 0.7], [0.3, 0.4, 0.3]],
            "forced": None,
        }
    )
    assert changed.words().weights == [[0.5, 0.5]]
    halves = changed.model_copy(update={"weights": [[0.1063, 0.0, 0.0001], [0.1066, 0.0, 0.0]]})
    assert halves.words().weights == [[0.1064, 0.0]]  # 0.10645 and 0.00005, as numpy rounds them


def test_scripts_without_a_font_are_named():
    assert missing_scripts("plain naïve text") == []
    assert missing_scripts("\U00010380") in ([], ["UGARITIC"])
    assert missing_scripts("→ † −") == []
    assert missing_scripts("λόγος слово מילה") == []  # in fonts that come with the drawing library; the last one right to left


def test_a_study_without_attention_or_logs_is_a_page_too(built):
    report = built.report.model_copy(deep=True)
    report.learning_curves = {name: [] for name in report.systems}
    report.alignment = report.interventions = report.costs = report.beam_sweep = report.concatenation = report.claims = None
    figures = report_figures(report, dataclasses.replace(built.exhibits, attention={}))
    assert [figure.name for figure in figures] == ["bleu_by_length", "cost"]
    assert not report_rows(report)["learning_curves"]
