"""Values and tables as text: one formatter of a number with its interval, one renderer of a table for each format."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from seq2seq.scoring.results import Scores

NONE = "–"


class Code(str):
    """Text that is shown as code."""


@dataclass(frozen=True)
class Measured:
    """A number (None is a dash), its interval and what follows it."""

    value: float | None
    low: float | None = None
    high: float | None = None
    digits: int = 1
    sign: bool = False  # whether a positive number has one
    unit: str = ""
    seeds: Sequence[float] = ()  # values of single seeds, shown where there are several and no interval
    marks: str = ""  # arrows and daggers
    verdict: str = ""

    @property
    def text(self) -> str:
        """The number alone."""
        return NONE if self.value is None else f"{self.value:{'+' if self.sign else ''}z,.{self.digits}f}{self.unit}"

    @property
    def ends(self) -> str:
        """`[90.1, 93.8]`, or `(seeds 88.1, 95.9)` where the seeds are too few for an interval, or nothing."""
        if self.low is not None and self.high is not None:
            return f"[{self.low:z.{self.digits}f}, {self.high:z.{self.digits}f}]"
        return f"(seeds {', '.join(f'{each:z.{self.digits}f}' for each in self.seeds)})" if len(self.seeds) > 1 else ""

    def __str__(self) -> str:
        return " ".join(part for part in (self.text, self.ends, self.marks, self.verdict) if part)

    def bare(self) -> "Measured":
        return replace(self, low=None, high=None, seeds=(), marks="")


Cell = str | Measured


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table, whatever it is written as; `title` is for readers that do not see it."""

    title: str = ""
    heads: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    more: Sequence[str] = ()  # heads of columns that the page shows on demand, and Markdown in a second table
    words: bool = False  # whether cells are sentences
    systems: bool = False  # whether each row is a system, so that the page shows its card and sorts the columns

    def select(self, heads: Sequence[str]) -> "Table":
        """The columns under some heads."""
        places = [self.heads.index(head) for head in heads]
        return replace(self, heads=heads, rows=[[row[place] for place in places] for row in self.rows], more=())


def bleu(scores: Scores, marks: str = "") -> Measured:
    """BLEU with its interval."""
    return Measured(scores.bleu, scores.low, scores.high, seeds=scores.seed_bleu, marks=marks)


def share(value: float | None, low: float | None = None, high: float | None = None, digits: int = 0) -> Measured:
    """A share of 1 in per cent: `59 % [54, 64]`."""
    value, low, high = (None if each is None else 100 * each for each in (value, low, high))
    return Measured(value, low, high, digits, unit=" %")


def p_value(value: float | None) -> str:
    """A p as it may be quoted."""
    return NONE if value is None else "< 0.001" if value < 0.001 else f"{value:.3f}"


def plain(value: object) -> str:
    """A setting as a person would write it."""
    if value is None:
        return NONE
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def escape_markdown(text: object) -> str:
    """Text that cannot break out of a table's cell or start markup."""
    words = " ".join(str(text).split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "".join(f"\\{char}" if char in "\\`*_[]|#~$" else char for char in words)


def code_block(text: str) -> str:
    """Text as a fenced block that it cannot end."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}text\n{text}\n{fence}"


def as_markdown(table: Table) -> str:
    """A table in Markdown; columns on demand follow in a table of their own."""

    def shown(cell: Cell) -> str:
        return str(cell) if isinstance(cell, Measured) else f"`{cell}`" if isinstance(cell, Code) else escape_markdown(cell)

    if table.more:
        first = [head for head in table.heads if head not in table.more]
        return "\n\n".join(as_markdown(table.select(heads)) for heads in (first, [table.heads[0], *table.more]))
    lines = [table.heads, ["---", *["---" if table.words else "---:"] * (len(table.heads) - 1)]]
    return "\n".join(f"| {' | '.join(line)} |" for line in (*lines, *(map(shown, row) for row in table.rows)))


def as_text(table: Table) -> str:
    """A table for a terminal, numbers without their intervals."""
    rows = [[cell.bare().text if isinstance(cell, Measured) else cell for cell in row] for row in (table.heads, *table.rows)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(f"{cell:{'<' if place == 0 else '>'}{widths[place]}}" for place, cell in enumerate(row)).rstrip()
        for row in rows
    )


_LATEX = {char: f"\\{char}" for char in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    NONE: "--",
}


def escape_latex(text: str) -> str:
    """Text as LaTeX prints it."""
    return "".join(_LATEX.get(char, char) for char in text)


def as_latex(table: Table, *, caption: str, label: str, fit: bool = False) -> str:
    r"""A table in LaTeX with half-widths of intervals; a star where an arrow says that a difference is shown.

    The first row stands below the others, under a line. `caption` is LaTeX already, `label` is what comes after `tab:`; `fit`
    scales the table to the width of the text.
    """

    def shown(cell: Cell) -> str:
        if not isinstance(cell, Measured):
            return escape_latex(cell)
        star = "^{*}" if set(cell.marks) & set("↑↓") else ""
        half = ""
        if cell.value is not None and cell.low is not None and cell.high is not None:
            reach = max(cell.high - cell.value, cell.value - cell.low)  # of an interval cut at 0 or 100 the side that is whole
            half = rf"\,{{\scriptstyle\pm {reach:.1f}}}"
        return f"${cell.bare().text.replace(',', '{,}')}{star}{half}$"

    first, *rest = [" & ".join(map(shown, row)) + r" \\" for row in table.rows]
    tabular = [
        rf"\begin{{tabular}}{{l{'r' * (len(table.heads) - 1)}}}",
        r"\toprule",
        " & ".join(map(shown, table.heads)) + r" \\",
    ]
    tabular += [r"\midrule", *rest, r"\midrule", first, r"\bottomrule", r"\end{tabular}"]
    lines = [rf"% needs \usepackage{{booktabs{',graphicx' if fit else ''}}}", r"\begin{table}\centering"]
    lines += [r"\resizebox{\linewidth}{!}{%", *tabular[:-1], tabular[-1] + "}"] if fit else tabular
    return "\n".join([*lines, rf"\caption{{{caption}}}", rf"\label{{tab:{label}}}", r"\end{table}", ""])
