"""What the site has beyond the Markdown files of this folder: the tutorial, the measured results, and rendered formulas."""

import json
import re
from pathlib import Path
from typing import Any

from latex2mathml.converter import convert
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parent.parent
_PAGES = {"../results/README.md": "results.md", "../results/": "results/", "tutorial.ipynb": "tutorial.md"}
_FUNCTIONS = {"tanh", "softmax", "sigmoid", "cos", "sin", "exp", "log", "max", "argmax", "hash", "elu", "clip", "PE"}
_SYMBOLS = {"tau": r"\tau", "phi": r"\phi", "sum": r"\sum ", "prod": r"\prod ", "N": r"\mathcal{N}"}
_CHARACTERS = {
    ".": r"\cdot ",
    "…": r"\ldots ",
    "<=": r"\le ",
    ">=": r"\ge ",
    "~": r"\sim ",
    "√": r"\sqrt",
    "⦃": r"\{",
    "⦄": r"\}",
    "`": "",
}
_FORMULA = re.compile(r"\$([^$\n]+)\$")
_TOKEN = re.compile(r"[A-Za-z]+(?:-[a-z]+)*\u2060?|\d+|<=|>=|\s+|.")


def on_files(files: Files, config: Any) -> Files:
    """Add pages made of files elsewhere in the repository."""
    files.append(File.generated(config, "tutorial.md", content=notebook(ROOT / "docs" / "tutorial.ipynb")))
    text = (ROOT / "results" / "README.md").read_text(encoding="utf-8")
    places = {ROOT / "results" / place for place in re.findall(r"\]\((?!\.\.|https?:|#)([^)#]+)\)", text)}
    figures = {figure for place in places if place.suffix == ".md" for figure in place.parent.glob("*.png")}
    for path in places | figures:
        place = path.relative_to(ROOT / "results").as_posix()
        files.append(File.generated(config, f"results/{place}", abs_src_path=str(path)))
        text = text.replace(f"]({place})", f"](results/{place})")
    files.append(File.generated(config, "results.md", content=text.replace("(../docs/", "(")))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Follow links to what is a page here, render formulas, and hide the list of neighbours of a tab by itself."""
    if page.parent is None:
        page.meta.setdefault("hide", ["navigation"])
    for elsewhere, here in _PAGES.items():
        markdown = markdown.replace(f"]({elsewhere}", f"]({here}")
    return rendered(markdown) if page.file.src_uri == "attention.md" else markdown


def notebook(path: Path) -> str:
    """A notebook as Markdown: its text with formulas as MathML, its code, and what its cells printed where that was kept."""
    parts = []
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        source, text = "".join(cell["source"]), cell["cell_type"] == "markdown"
        parts.append(_FORMULA.sub(lambda found: convert(found[1]), source) if text else f"```python\n{source}\n```")
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if "text/html" in data:  # tables, figures and heat maps, without the blank lines that would end a block of HTML
                parts.append("".join(line for line in data["text/html"] if line.strip()))
            elif said := "".join(output.get("text") or data.get("text/plain", "")):
                parts.append(f"```text\n{said}\n```")
    return "\n\n".join(parts) + "\n"


def rendered(markdown: str) -> str:
    """Replace each row of a table whose second column is called `formula` by an entry with its formula as MathML."""
    lines: list[str] = []
    heads: list[str] = []
    for line in markdown.split("\n"):
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if cells[1:2] == ["formula"]:
            heads = cells
        elif not heads or not cells:
            heads = []
            lines.append(line)
        elif not cells[0].startswith("---"):
            said = [f"*{head.capitalize()}*: {cell}" for head, cell in zip(heads[2:], cells[2:], strict=True) if cell]
            lines += [f"### {cells[0]}", "", formula(re.sub(r"\\(.)", r"\1", cells[1])), "", "  \n".join(said), ""]
    return "\n".join(lines)


def formula(text: str) -> str:
    """A formula as the code writes it, in MathML; words between the symbols stay words."""
    return f'<div class="formula">{convert(latex(text), display="block")}</div>'


def latex(text: str) -> str:
    """A formula as the code writes it, in LaTeX.

    A word of two or more letters is a function, a symbol or text; `^(...)`, `_j<=s` and `sqrt(...)` take their whole argument.
    """
    text = text.replace("{", "⦃").replace("}", "⦄").replace("..", "…").replace("max_length", "max-length").replace("xR", "x R")
    text = re.sub(r"sqrt\(([^()]*)\)", r"√{\1}", text)
    text = re.sub(r"\^\(((?:[^()]|\([^()]*\))*)\)", r"^{\1}", text)
    text = re.sub(r"_(\w+<=?\w+(?:<\w+)?)", r"_{\1}", text)
    text = re.sub(r"\ba([KV])_r", r"a^\1_r", text)
    text = re.sub(r"\b(sum)(?= of| is)| a (?=[a-zG])", lambda found: f" {found[0].strip()}\u2060 ", text)  # words here
    return "".join(_symbol(token) for token in _TOKEN.findall(text))


def _symbol(token: str) -> str:
    if token in _SYMBOLS:
        return _SYMBOLS[token]
    if token in _FUNCTIONS:
        return rf"\operatorname{{{token}}}"
    if token.isspace():
        return r"\ "
    if len(token) > 1 and token[0].isalpha():
        return rf"\text{{{token}}}"
    return _CHARACTERS.get(token, token)
