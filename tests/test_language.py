"""Standard words in code and pages, as far as a list can decide."""

import ast
import io
import re
import tokenize
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FILES = sorted((ROOT / "seq2seq").rglob("*.py"))
INSTEAD = {
    r"(?<!`)\bpieces?\b(?![`:])": "subword",
    r"\bchances\b": "probabilities",
    r"\bway back\b": "backward pass",
    r"\bdear\b": "expensive",
    r"\bsaid aloud\b": "logged, printed",
    r"\bgo(es)? on from\b": "resume",
    r"\bbabbles?\b": "never stops",
}
"""Word that is no standard word -> the one to use."""


def prose(source: str) -> str:
    """Comments and texts in triple quotes: docstrings, and the sentences under settings."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return "\n".join(
        token.string
        for token in tokens
        if token.type == tokenize.COMMENT or (token.type == tokenize.STRING and token.string.lstrip("rR").startswith('"""'))
    )


@cache
def texts():
    pages = (ROOT / "README.md", ROOT / "results" / "README.md")
    read = {path: path.read_text(encoding="utf-8") for path in (*FILES, *pages)}
    return {path: prose(text) if path.suffix == ".py" else text for path, text in read.items()}


@pytest.mark.parametrize("word", INSTEAD)
def test_no_page_and_no_docstring_has_the_word(word):
    found = [f"{path.relative_to(ROOT)}: ...{text[max(0, m.start() - 30) : m.end() + 30]}..." for path, text in texts().items()
             for m in re.finditer(word, text)]  # fmt: skip
    assert not found, f"write {INSTEAD[word]!r}: {found[:5]}"


def test_docstrings_open_with_a_noun_or_a_verb():
    found = []
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                opening = (ast.get_docstring(node) or "").split("\n")[0]
                if re.match(r"(What|Where|How|Who|Whom)\b", opening):
                    found.append(f"{path.relative_to(ROOT)}: {opening}")
    assert not found
