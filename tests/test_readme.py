"""What the README shows works as shown."""

import importlib.util
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from ruamel.yaml import YAML

from seq2seq.attention.build import build_attention
from seq2seq.cli import main
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


def commands():
    """The commands of 'On your own text', as (arguments, file to read from, file to write to)."""
    fenced = next(text for text in README.split("```")[1::2] if "train.py mine.yaml" in text)
    for line in fenced.strip().splitlines():
        words = shlex.split(line, comments=True)
        source = words[words.index("<") + 1] if "<" in words else None
        target = words[words.index(">") + 1] if ">" in words else None
        words = words[: words.index("<")] if source else words
        yield (["train"] if words[1] == "train.py" else []) + words[2:], source, target


@pytest.mark.usefixtures("no_figures")
def test_own_text_works_as_the_readme_says(tmp_path, monkeypatch, capsys):
    """Its study, with 3 updates in place of 5,000 and one model size smaller, and every command of the block, in order."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEQ2SEQ_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("SEQ2SEQ_DATA", raising=False)
    (tmp_path / "my-data").mkdir()
    for split, pairs in (("train", 200), ("valid", 10), ("test", 60)):
        for language, words in (("en", "one two three four"), ("de", "eins zwei drei vier")):
            lines = [" ".join(words.split()[(i * k + k) % 4] for k in range(1, 4 + i % 5)) for i in range(pairs)]
            numbered = (f"{line} {i}" for i, line in enumerate(lines))
            (tmp_path / "my-data" / f"{split}.{language}").write_text("\n".join(numbered) + "\n", encoding="utf-8")
    (tmp_path / "source.txt").write_text("one two\n\nfour\n", encoding="utf-8")
    (tmp_path / "reference.txt").write_text("eins zwei\n\nvier\n", encoding="utf-8")
    study = YAML(typ="safe").load(block("yaml", "path: my-data"))
    study["jobs"] = 1
    study["base"]["training"] |= {"max_steps": 3, "seeds": [1, 2], "precision": "fp32"}
    study["base"]["search"] = {"beam": 1, "max_ratio": 0.5}
    study["base"]["model"] = {side: {"hidden_size": 8, "embedding_size": 8} for side in ("encoder", "decoder")}
    YAML().dump(study, tmp_path / "mine.yaml")
    done = []
    for arguments, source, target in commands():
        arguments = [argument.replace("max_steps=500", "max_steps=3") for argument in arguments]
        with (tmp_path / (source or "mine.yaml")).open(encoding="utf-8") as file:
            monkeypatch.setattr("sys.stdin", file)
            capsys.readouterr()
            assert main(arguments) == 0, (arguments, capsys.readouterr().err)
        if target:
            (tmp_path / target).write_text(capsys.readouterr().out, encoding="utf-8")
            assert len((tmp_path / target).read_text(encoding="utf-8").splitlines()) == 3
        done.append(arguments[0])
    assert done == ["train", "train", "report", "report", "translate", "describe", "probe", "score"]
    assert (tmp_path / "runs" / "try" / "additive" / "seed-2" / "summary.json").exists()


def test_without_its_environment_train_says_so_in_one_line(tmp_path):
    """A bare interpreter: none of the packages are there."""
    for script in ("train.py", "evaluate.py"):
        command = [sys.executable, "-S", "-E", str(ROOT / script), "demo.yaml"]
        found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert found.returncode == 1
        assert found.stderr.count("\n") == 1
        assert "is not installed for" in found.stderr
        assert ". .venv/bin/activate" in found.stderr


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


def test_every_file_that_is_named_exists():
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("*/README.md")]
    named = {
        (page.name, name)
        for page in pages
        for name in re.findall(r"`((?:tests|seq2seq|benchmarks|configs|docs)/[\w./-]+\.\w+)`", page.read_text(encoding="utf-8"))
    }
    assert len(named) > 10
    assert not [(page, name) for page, name in named if not (ROOT / name).exists()]


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
