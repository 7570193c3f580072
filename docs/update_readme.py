"""Fill tables from `results/`: `python docs/update_readme.py` (or `make readme`). No number there is typed by hand."""

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from seq2seq.report.published import published_table

ROOT = Path(__file__).resolve().parent.parent
MARK = r"(?P<table>\w+):(?P<study>[\w-]+)"
BLOCK = re.compile(rf"(<!-- {MARK}:begin -->\n).*?(<!-- (?P=table):(?P=study):end -->)", re.DOTALL)


def filled(text: str) -> str:
    """Return a page with every table block made again from its study's published report."""
    return BLOCK.sub(lambda m: f"{m[1]}{published_table(m['table'], ROOT / 'results' / m['study'])}\n{m[4]}", text)


def main() -> None:
    """Rewrite the README and the page of results."""
    for page in (ROOT / "README.md", ROOT / "results" / "README.md"):
        page.write_text(filled(page.read_text(encoding="utf-8")), encoding="utf-8")
        print(f"wrote {page.relative_to(ROOT)}", file=sys.stderr)


if __name__ == "__main__":
    main()
