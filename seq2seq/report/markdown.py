"""The report as Markdown: what fits into a README, an issue or a terminal."""

import re
from collections.abc import Iterable, Sequence
from html import unescape

from seq2seq.report.charts import Figure
from seq2seq.report.document import Block, Folded, Part, sections
from seq2seq.report.exhibits import Exhibits
from seq2seq.report.schema import Report
from seq2seq.report.values import Table, as_markdown, code_block, escape_markdown

OPENING = ("ranking", "bleu_by_length")
"""Figures that stand before the first section."""


def markdown(report: Report, exhibits: Exhibits, figures: Sequence[Figure]) -> str:
    """The whole report; samples only where the exhibits hold sentences."""
    parts = [f"# {escape_markdown(report.study)}"]
    parts += [f"*{escape_markdown(report.question)}*"] if report.question else []
    parts += [report.headline, "\n".join(f"- {prose(note)}" for note in report.notes)]
    parts.append(f"Split `{report.split}`, {report.n:,} sentences. `{report.signature}`")
    for figure in figures:
        if figure.name in OPENING:
            parts += [f"## {escape_markdown(figure.title)}", *_parts([figure], figure.title)]
    for section in sections(report, exhibits, figures):
        if section.parts:
            parts += [f"## {escape_markdown(section.title)}", *_parts(section.parts, section.title)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _parts(parts: Iterable[Part], title: str) -> list[str]:
    found = []
    for part in parts:
        if isinstance(part, Table):
            found.append(as_markdown(part))
        elif isinstance(part, Figure):
            found += [f"### {escape_markdown(part.title)}"] if part.title != title else []
            found += [f"![{part.title}]({part.name}.png)", prose(part.caption)]
            found += [as_markdown(part.table)] if part.table else []
        elif isinstance(part, Block):
            found.append(code_block(part))
        elif isinstance(part, Folded):
            found += [f"**{escape_markdown(part.summary)}**", *_parts(part.parts, title)]
        else:
            found.append(prose(part))
    return found


def prose(text: str) -> str:
    """Escape a text, but leave what stands between backticks as code."""
    return re.sub(r"\\`(.*?)\\`", lambda code: "`" + unescape(re.sub(r"\\(.)", r"\1", code[1])) + "`", escape_markdown(text))
