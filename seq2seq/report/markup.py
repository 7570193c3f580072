"""Pieces of Markdown: cells that cannot break out of their table, tables, code, numbers."""

from collections.abc import Iterable, Sequence


def cell(text: object) -> str:
    """Text that cannot break out of a table's cell or start markup."""
    plain = " ".join(str(text).split())
    for char in "\\`*_[]<>|#~$":
        plain = plain.replace(char, {"<": "&lt;", ">": "&gt;"}.get(char, f"\\{char}"))
    return plain.replace("&", "&amp;").replace("&amp;lt;", "&lt;").replace("&amp;gt;", "&gt;")


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table whose cells are Markdown already."""
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def code(text: str) -> str:
    """Text as a fenced block that it cannot end."""
    fence = "`" * max(3, 1 + max((len(run) for run in text.replace("`", " ` ").split() if set(run) == {"`"}), default=0))
    while fence in text:
        fence += "`"
    return f"{fence}text\n{text}\n{fence}"


def number(value: float | None, digits: int = 1) -> str:
    """A number, or a dash where there is none."""
    return "–" if value is None else f"{value:,.{digits}f}"


def p_value(value: float | None) -> str:
    """A p as it may be quoted."""
    return "–" if value is None else "< 0.001" if value < 0.001 else f"{value:.3f}"


def interval(low: float | None, high: float | None, digits: int = 1) -> str:
    """`[1.0, 2.0]`, or nothing."""
    return "" if low is None or high is None else f"[{low:.{digits}f}, {high:.{digits}f}]"
