"""The pages that are made from the code are current, whole, and true."""

import importlib.util
import json
from pathlib import Path

import jsonschema
import pytest

from seq2seq.attention.fixed import FIXED
from seq2seq.attention.mechanisms import MECHANISMS
from seq2seq.attention.normalisers import NORMALISERS
from seq2seq.attention.positions import POSITIONS
from seq2seq.attention.scales import SCALES
from seq2seq.attention.scores import SCORES
from seq2seq.attention.windows import WINDOWS
from seq2seq.config.base import members
from seq2seq.config.loading import plain, read_yaml
from seq2seq.config.study import RunSettings, StudyHeader
from seq2seq.models.pretraining import PRETRAINED

ROOT = Path(__file__).parents[1]
SPEC = importlib.util.spec_from_file_location("update_reference", ROOT / "docs" / "update_reference.py")
SCRIPT = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(SCRIPT)
catalogue = SCRIPT.catalogue
SCHEMA = jsonschema.Draft202012Validator(SCRIPT.study_schema())


@pytest.mark.parametrize("name", SCRIPT.pages())
def test_the_committed_page_is_current(name):
    assert (ROOT / "docs" / name).read_text(encoding="utf-8") == SCRIPT.pages()[name], "run: make reference"


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("*.yaml")), ids=lambda path: path.stem)
def test_editors_accept_every_study_and_find_its_schema(path):
    SCHEMA.validate(plain(read_yaml(path)))
    first = path.read_text(encoding="utf-8").partition("\n")[0]
    mark, _, place = first.partition("=")
    assert mark == "# yaml-language-server: $schema"
    assert (path.parent / place).resolve() == ROOT / "docs" / "study.schema.json"


@pytest.mark.parametrize(
    ("part", "good", "bad"),
    [
        ("model", {"attention": {"score": "dot"}}, {"atention": {"score": "dot"}}),
        ("model", {"attention": {"score": "my_module:Mine"}}, {"attention": {"score": "dott"}}),
        ("model", {"encoder": "transformer"}, {"encoder": {"hidden_size": -1}}),
        ("model", {"encoder": {"hidden_size": 8}, "decoder": {"placement": "before"}}, {"decoder": {"placement": "between"}}),
        ("model", {"architecture": "decoder_only", "prefix": "causal"}, {"architecture": "decoder"}),
        ("training", {"seeds": [1, 2], "schedule": {"kind": "linear", "final": 0.1}}, {"seeds": 3}),
        ("data", {"test": "test_2016", "max_ratio": None}, {"max_pairs": 0}),
    ],
)
def test_editors_mark_what_loading_refuses(part, good, bad):
    assert SCHEMA.is_valid({"base": {part: good}, "systems": {"a": None}})
    assert SCHEMA.is_valid({"systems": {"a": {part: good}}})
    assert not SCHEMA.is_valid({"systems": {"a": {part: bad}}})


def test_percentages_and_missing_systems():
    assert SCHEMA.is_valid({"match": {"parameters": "1 %"}, "systems": {"a": {}}})
    assert not SCHEMA.is_valid({"match": {"parameters": "one"}, "systems": {"a": {}}})
    assert not SCHEMA.is_valid({"base": {}})


def settings_below(settings):
    yield settings
    for name, field in settings.model_fields.items():
        for member in members(field.annotation) if name != "members" else ():
            yield from settings_below(member)


def test_every_setting_has_a_sentence_and_stands_on_a_page():
    text = SCRIPT.settings_page() + catalogue()
    for settings in {found for top in (StudyHeader, RunSettings) for found in settings_below(top)}:
        for name, field in settings.model_fields.items():
            if name not in ("kind", "architecture"):
                assert field.description, f"{settings.__name__}.{name} has no docstring"
                assert f".{name}`" in text or f"`{name}`" in text, name


def test_a_setting_is_told_with_its_default():
    rows = {line.split("`")[1]: line for line in SCRIPT.settings_page().splitlines() if line.startswith("| `")}
    assert "| `[0.9, 0.98]` | Decay rates of Adam's two moments" in rows["training.betas"]
    assert "| required |" in rows["data.corpus"]
    assert "One of `inverse_root`, `constant`, `linear`, `cosine`, `plateau`." in rows["training.schedule"]
    assert '| `"unigram"` |' in rows["tokenizer.kind"]
    assert rows["evaluation.primary"].endswith(
        "One of `points`, `retention`, `log_ratio`, `half_length`, `bottleneck_index`. |"
    )
    assert rows["evaluation.metrics"].endswith("Any of `bleu`, `chrf`, `ter`. |")
    assert "One of" not in rows["training.threads"]


def test_every_member_has_a_whole_row():
    families = catalogue().partition("\n## Heads and placement")[0]
    rows = [line for line in families.splitlines() if line.startswith("| `")]
    tables = (SCORES, FIXED, SCALES, NORMALISERS, WINDOWS, POSITIONS, MECHANISMS, PRETRAINED)
    assert len(rows) == sum(map(len, tables))
    for row in rows:
        cells = row.replace("\\|", "").strip("|").split("|")
        assert len(cells) == 5
        assert all(cell.strip() for cell in cells[:4])


def test_what_is_not_a_family_is_told_too():
    rest = catalogue().partition("\n## Heads and placement")[2]
    for name in (
        "model.attention.heads",
        "model.decoder.placement",
        "model.decoder.input_feeding",
        "architecture: decoder_only",
    ):
        assert sum(name in line and len(line) > len(name) + 30 for line in rest.splitlines()) == 1


def test_options_say_their_default():
    rows = {line.split("`")[1]: line for line in catalogue().splitlines() if line.startswith("| `")}
    assert "`rank` (default null): Rank of W" in rows["bilinear"]
    assert "`k` (default 8)" in rows["top_k"]
    assert "`members`:" in rows["gated"]
    assert "W\\_q q" in rows["additive"]


def test_the_pages_are_written_where_asked(tmp_path):
    SCRIPT.main(tmp_path)
    assert json.loads((tmp_path / "study.schema.json").read_text(encoding="utf-8"))["title"] == "seq2seq study"
    assert (tmp_path / "attention.md").read_text(encoding="utf-8") == catalogue()
