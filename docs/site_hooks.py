"""What the site has beyond the Markdown files of this folder: the tutorial, the measured results, and rendered formulas."""

import json
import re
from pathlib import Path
from typing import Any

from latex2mathml.converter import convert
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parent.parent
_FUNCTIONS = {"tanh", "softmax", "sigmoid", "cos", "sin", "exp", "log", "max", "argmax", "hash", "elu", "clip", "PE"}
_SYMBOLS = {"tau": r"\tau", "phi": r"\phi", "sum": r"\sum ", "prod": r"\prod ", "N": r"\mathcal{N}"}
_TOKEN = re.compile(r"[A-Za-z]+(?:-[a-z]+)*|\d+|<=|>=|\s+|.")


def on_files(files: Files, config: Any) -> Files:
    """Add pages made of files elsewhere in the repository."""
    tutorial = notebook(ROOT / "docs" / "tutorial.ipynb").replace("(../results/README.md", "(results.md")
    files.append(File.generated(config, "tutorial.md", content=tutorial))
    text = (ROOT / "results" / "README.md").read_text(encoding="utf-8")
    for image in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", text):
        files.append(File.generated(config, f"results/{image}", abs_src_path=str(ROOT / "results" / image)))
        text = text.replace(f"({image})", f"(results/{image})")
    files.append(File.generated(config, "results.md", content=text.replace("(../docs/", "(")))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Render the formulas of the catalogue."""
    return rendered(markdown) if page.file.src_uri == "attention.md" else markdown


def notebook(path: Path) -> str:
    """A notebook as Markdown: its text, its code, and what its cells printed where that was kept."""
    parts = []
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        parts.append(source if cell["cell_type"] == "markdown" else f"```python\n{source}\n```")
        for output in cell.get("outputs", []):
            said = "".join(output.get("text") or output.get("data", {}).get("text/plain", ""))
            parts += [f"```text\n{said}\n```"] if said else []
    return "\n\n".join(parts) + "\n"


def rendered(markdown: str) -> str:
    """Replace the formulas of tables whose second column is called `formula` by MathML."""
    lines, inside = [], False
    for line in markdown.split("\n"):
        cells = re.split(r"(?<!\\)\|", line)
        if inside and len(cells) > 3 and not cells[1].startswith("---"):
            cells[2] = formula(re.sub(r"\\(.)", r"\1", cells[2].strip()))
        inside = line.startswith("|") and (inside or cells[2].strip() == "formula")
        lines.append("|".join(cells))
    return "\n".join(lines)


def formula(text: str) -> str:
    """A formula as the code writes it, in MathML; words between the symbols stay words."""
    return convert(latex(text)).replace("|", "&#124;")


def latex(text: str) -> str:
    """A formula as the code writes it, in LaTeX.

    A word of two or more letters is a function, a symbol or text; `^(...)`, `_j<=s` and `sqrt(...)` take their whole argument.
    """
    text = re.sub(r"sqrt\(([^()]*)\)", r"√{\1}", text)
    text = re.sub(r"\^\(((?:[^()]|\([^()]*\))*)\)", r"^{\1}", text)
    text = re.sub(r"_(\w+<=?\w+(?:<\w+)?)", r"_{\1}", text)
    text = re.sub(r"\ba([KV])_r", r"a^\1_r", text)
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
    return {".": r"\cdot ", "<=": r"\le ", ">=": r"\ge ", "~": r"\sim ", "√": r"\sqrt", "`": "", "%": r"\%"}.get(token, token)
