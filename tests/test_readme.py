"""What the README shows works as shown."""

import importlib.util
import re
import sys
from pathlib import Path

import pytest
import torch

from seq2seq.attention.attention import build_attention
from seq2seq.config.attention import AttentionSettings
from seq2seq.config.loading import load_study

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def block(language, start):
    return next(b for b in re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL) if start in b)


def test_the_score_of_the_readme_attends(tmp_path, monkeypatch):
    (tmp_path / "my_module.py").write_text(block("python", "class Distance"), encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    attention = build_attention(AttentionSettings(score="my_module:Distance"), query_size=5, memory_size=5, summary_size=5)
    keys = attention.project_keys(torch.randn(2, 7, 5), torch.ones(2, 7, dtype=torch.bool))
    output = attention(keys.keys[:, 0, 3:4], keys)
    assert output.weights.argmax().item() % 7 == 3 or output.weights[0, 0, 0].argmax() == 3
    sys.modules.pop("my_module")


def test_the_study_of_the_readme_is_valid(tmp_path):
    path = tmp_path / "mine-study.yaml"
    path.write_text(block("yaml", "corpus: mine.yaml"), encoding="utf-8")
    assert list(load_study(path).systems) == ["none", "additive"]


def slug(heading):
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@pytest.mark.parametrize("page", ["README.md", "results/README.md"])
def test_every_file_and_heading_that_is_linked_exists(page):
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", (ROOT / page).read_text(encoding="utf-8")) if "://" not in link]
    assert any("#" in link for link in links) or page != "README.md"
    for link in links:
        path, _, anchor = link.partition("#")
        target = (ROOT / page).parent / path if path else ROOT / page
        assert target.exists(), link
        if anchor:
            headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in map(slug, headings), link


def test_tables_are_what_the_published_results_say():
    spec = importlib.util.spec_from_file_location("update_readme", ROOT / "docs" / "update_readme.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    for page in (ROOT / "README.md", ROOT / "results" / "README.md"):
        text = page.read_text(encoding="utf-8")
        assert script.BLOCK.search(text)
        assert script.filled(text) == text, f"{page.name} is not current; run: make readme"


def test_every_study_that_comes_with_the_project_is_valid():
    studies = sorted((ROOT / "configs").glob("*.yaml"))
    assert [load_study(path).name for path in studies] == [path.stem for path in studies]
