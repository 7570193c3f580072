"""The docs site: formulas of the catalogue become MathML, and the build finds nothing to complain of."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def hooks():
    pytest.importorskip("latex2mathml")
    pytest.importorskip("mkdocs")
    spec = importlib.util.spec_from_file_location("site_hooks", ROOT / "docs" / "site_hooks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("q . k / sqrt(d)", r"q\ \cdot \ k\ /\ \sqrt{d}"),
        ("v . tanh(W_q q)", r"v\ \cdot \ \operatorname{tanh}(W_q\ q)"),
        ("2^(-8h/H), h = 1..H", r"2^{-8h/H},\ h\ =\ 1\ldots H"),
        ("sum_j<=s last_j", r"\sum _{j\le s}\ \text{last}_j"),
    ],
)
def test_formulas_are_read_as_the_code_writes_them(hooks, text, wanted):
    assert hooks.latex(text) == wanted


def test_every_member_of_the_family_has_its_formula_rendered(hooks):
    page = (ROOT / "docs" / "attention.md").read_text(encoding="utf-8")
    rendered = hooks.rendered(page)
    formulas = [line for line in rendered.splitlines() if line.startswith('<div class="formula">')]
    members = sum(line.startswith("| `") and line.count("|") > 5 for line in page.splitlines())
    assert len(formulas) == rendered.count("\n### ") == members > 35
    for line in formulas:
        assert ElementTree.fromstring(line)[0].tag.endswith("math")


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path):
    pytest.importorskip("material")
    pytest.importorskip("mkdocstrings")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    assert (tmp_path / "site" / "api.html").is_file()
