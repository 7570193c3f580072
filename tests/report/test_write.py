"""Every output exists, is valid, escapes what it shows and leaves out what it must."""

import csv
import dataclasses
import gzip
import json
import random
import re
import xml.etree.ElementTree as ElementTree
from base64 import b64decode

import jsonschema
import pytest
from PIL import Image

from seq2seq.report import BuiltReport, Report, write_report
from seq2seq.report.markdown import SAMPLES, markdown
from seq2seq.report.markup import cell, code
from seq2seq.report.page import SIZE_LIMIT, marked, pack, page, quantised, safe_json, script_hash
from seq2seq.report.palette import BASELINE, LOOKS, looks
from seq2seq.report.tables import escape_latex
from tests.report.invented import HOSTILE


@pytest.fixture(scope="module")
def folder(built, tmp_path_factory):
    place = tmp_path_factory.mktemp("report")
    write_report(built, place)
    return place


@pytest.fixture(scope="module")
def without_text(built, tmp_path_factory):
    place = tmp_path_factory.mktemp("without")
    write_report(built, place, without_text=True)
    return place


def exhibits_of(html: str) -> dict:
    packed = re.search(r'<script type="text/plain" id="exhibits-data">(.*?)</script>', html, re.S).group(1)
    return json.loads(gzip.decompress(b64decode(packed)))


def test_every_file_is_there(folder):
    names = {path.name for path in folder.iterdir()}
    assert names == {
        "index.html", "report.md", "report.json", "report.schema.json", "table.tex", "systems.csv", "buckets.csv", "comparisons.csv",
        "learning_curves.csv", "sentences.csv", "bleu_by_length.png", "bleu_by_length.svg", "learning_curves.png",
        "learning_curves.svg", "attention.png", "ranking.csv", "concatenation.csv", "concatenation.png", "concatenation.svg",
    }  # fmt: skip


def test_report_json_obeys_its_schema_and_reads_back(folder, built):
    schema = json.loads((folder / "report.schema.json").read_text())
    report = json.loads((folder / "report.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(report, schema)
    assert Report.model_validate(report) == built.report
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
    assert LOOKS[0].light in text


def test_the_same_report_gives_the_same_bytes(built, folder, tmp_path):
    write_report(built, tmp_path)
    for path in folder.iterdir():
        assert path.read_bytes() == (tmp_path / path.name).read_bytes(), path.name


def test_tables_hold_every_bucket_and_difference(folder, built):
    with (folder / "buckets.csv").open() as file:
        rows = list(csv.DictReader(file))
    expected = sum(len(s.buckets) + len(s.buckets_equal_count) for s in built.report.systems.values())
    assert len(rows) == expected
    with (folder / "comparisons.csv").open() as file:
        assert len(list(csv.DictReader(file))) == len(built.report.comparisons)
    with (folder / "sentences.csv").open() as file:
        assert len(list(csv.DictReader(file))) == built.report.n


def test_latex_escapes_and_has_a_column_for_each_bucket(folder):
    table = (folder / "table.tex").read_text()
    assert table.count(r"\begin{tabular}{lrrrrrrr}") == 1
    body = [line for line in table.splitlines() if line.startswith(("none &", "additive &", "scaled &"))]
    assert [line.count("&") for line in body] == [7, 7, 7]
    assert escape_latex(r"50% a_b \x") == r"50\% a\_b \textbackslash{}x"


def test_markdown_says_the_headline_and_what_to_know(folder, built):
    text = (folder / "report.md").read_text()
    assert built.report.headline in text
    assert built.report.signature in text
    assert "n=1" in text
    assert "seq2seq train configs/invented.yaml" in text
    assert HOSTILE not in text


def test_hostile_sentences_are_escaped_in_markdown(built):
    """Every source is hostile, so that the samples show it whichever sentences they are."""
    exhibits = dataclasses.replace(built.exhibits, sources=[HOSTILE] * built.report.n)
    text = markdown(built.report, exhibits)
    assert text.count("&lt;script&gt;window.broken=1&lt;/script&gt;") == SAMPLES
    assert "<script" not in text


def test_markdown_cells_cannot_break_out():
    assert cell("a|b <i> *x*\nnew & `c`") == "a\\|b &lt;i&gt; \\*x\\* new &amp; \\`c\\`"
    assert code("a ``` b").startswith("````text\n")


def test_hostile_text_is_never_markup(folder):
    html = (folder / "index.html").read_text()
    assert HOSTILE not in html
    assert HOSTILE in exhibits_of(html)["sources"][3]
    assert html.count("<script") == 3
    assert html.count("</script>") == 3


def test_hostile_names_and_settings_are_escaped(built):
    report = built.report.model_copy(deep=True)
    evil = "</script><img src=x onerror=alert(1)>"
    report.systems = {evil if name == "scaled" else name: system for name, system in report.systems.items()}
    report.learning_curves = {evil if name == "scaled" else name: curves for name, curves in report.learning_curves.items()}
    report.question = report.study = report.command = report.headline = evil
    report.environment = {evil: evil}
    html = page(report, built.exhibits)
    assert "<img" not in html
    assert html.count("</script>") == 3


def test_json_and_marks_are_safe():
    text = safe_json({"a": "</script><!-- \u2028 &"})
    assert not set("<>&\u2028") & set(text)
    assert json.loads(text) == {"a": "</script><!-- \u2028 &"}
    assert marked("`a<b` & c") == "<b>a&lt;b</b> &amp; c"


def test_the_policy_names_the_script(folder):
    html = (folder / "index.html").read_text()
    script = html[html.rindex("<script>") + len("<script>") : html.rindex("</script>")]
    assert f"'sha256-{script_hash(script[1:-1])}'" in html
    assert "http://" not in html.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in html


def test_without_text_no_file_holds_a_sentence_of_the_corpus(without_text, texts):
    content = [path.read_bytes() for path in without_text.iterdir()]
    html = (without_text / "index.html").read_text()
    packed = exhibits_of(html)
    content.append(json.dumps(packed, ensure_ascii=False).encode())
    written = "\n".join(line for output in packed["outputs"] for line in output["lines"])
    only_in_corpus = [line for line in texts[0] + texts[1] if line not in written]  # what a system wrote may stay
    assert len(only_in_corpus) > 150
    assert not any(line.encode() in part for line in only_in_corpus for part in content)
    assert (packed["sources"], packed["references"]) == (None, None)
    shown = packed["attention"][0]["systems"]["additive"]
    assert shown["source"][:3] == ["1", "2", "3"]
    assert shown["forced"]["target"][:3] == ["1", "2", "3"]
    first_words = {line.split()[0] for line in texts[0] if not line.startswith("<")}
    assert not any(word.encode() in part for word in first_words if len(word) > 5 for part in content)


def test_weights_are_bytes():
    assert list(b64decode(quantised([[0.0, 1.0], [0.5, 2.0]]))) == [0, 255, 128, 255]


def test_a_page_too_large_drops_seeds_then_sentences_and_says_so(built):
    whole = pack(built.exhibits, SIZE_LIMIT)
    assert whole.left_out == ""
    fewer = pack(built.exhibits, len(whole.text) - 1)
    assert "one seed per system" in fewer.left_out
    tiny = pack(built.exhibits, len(whole.text) // 3)
    assert re.search(r"the first \d+ of 120 sentences", tiny.left_out)


@pytest.mark.slow
def test_five_systems_three_seeds_two_thousand_sentences_stay_under_six_megabytes(built):
    generator = random.Random(1)
    words = ["".join(generator.choices("abcdefghijklmnoprstuvw", k=generator.randint(2, 9))) for _ in range(12_000)]
    sources = [" ".join(generator.choices(words, k=4 + index % 57)) for index in range(2000)]
    outputs = {
        f"system-{number}": {
            seed: [
                " ".join(w if generator.random() < 0.7 else generator.choice(words) for w in line.split()) for line in sources
            ]
            for seed in (1, 2, 3)
        }
        for number in range(5)
    }
    scores = {name: {seed: [50.0] * 2000 for seed in by_seed} for name, by_seed in outputs.items()}
    template = next(iter(built.report.systems.values()))
    report = built.report.model_copy(
        update={"systems": dict.fromkeys(outputs, template), "learning_curves": {}, "baseline": None}
    )
    exhibits = dataclasses.replace(
        built.exhibits, sources=sources, references=sources, hypotheses=outputs, sentence_scores=scores,
        lengths=[len(line.split()) for line in sources],
    )  # fmt: skip
    html = page(report, exhibits)
    assert len(html.encode()) < SIZE_LIMIT
    assert len(exhibits_of(html)["sources"]) == 2000


def test_colours_are_the_same_everywhere_and_the_baseline_is_grey():
    shown = looks(["none", "a", "b"], "none")
    assert (shown["none"], shown["a"], shown["b"]) == (BASELINE, LOOKS[0], LOOKS[1])


def test_a_study_without_attention_or_logs_is_a_page_too(built, tmp_path):
    report = built.report.model_copy(deep=True)
    report.learning_curves = {name: [] for name in report.systems}
    report.alignment = report.interventions = report.costs = report.beam_sweep = report.concatenation = report.claims = None
    exhibits = dataclasses.replace(built.exhibits, attention={})
    names = {path.name for path in write_report(BuiltReport(report, exhibits), tmp_path)}
    assert not {"attention.png", "learning_curves.png", "learning_curves.csv"} & names
    assert "No weights" not in (tmp_path / "report.md").read_text()
