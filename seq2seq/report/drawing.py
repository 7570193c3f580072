"""Figures as files: PNG, SVG and PDF."""

import base64
import json
import re
import unicodedata
from collections.abc import Mapping
from html import escape
from io import BytesIO
from pathlib import Path
from typing import Any

import vl_convert
from PIL import Image

from seq2seq.report.charts import Figure, on_paper
from seq2seq.report.palette import FONT


def save(figure: Figure, stem: Path) -> None:
    """Write `<stem>.png`, `.svg` and `.pdf`; the same figure gives the same bytes, but for the order of entries in the PDF."""
    caption = figure.caption
    if scripts := missing_scripts(json.dumps(on_paper(figure.spec, caption), ensure_ascii=False)):
        caption += f" No font here has these scripts, so that boxes stand for their letters: {', '.join(scripts)}."
    svg = svg_of(on_paper(figure.spec, caption))
    stem.with_suffix(".png").write_bytes(in_few_colours(vl_convert.svg_to_png(svg, scale=2)))
    stem.with_suffix(".svg").write_text(svg, encoding="utf-8")
    stem.with_suffix(".pdf").write_bytes(vl_convert.svg_to_pdf(svg))


def svg_of(spec: Mapping[str, Any]) -> str:
    """Draw a figure; the same specification gives the same text."""
    return re.sub(r"gradient_\d+", "gradient", vl_convert.vegalite_to_svg(dict(spec)))  # one a figure, counted over the process


def image(spec: Mapping[str, Any], text: str) -> str:
    """A picture as a page shows it: without scripts, without ids that could meet those of another picture."""
    drawn = base64.b64encode(svg_of({**spec, "config": {**spec["config"], "aria": False}}).encode()).decode()
    return f'<img src="data:image/svg+xml;base64,{drawn}" alt="{escape(text)}">'


def in_few_colours(png: bytes) -> bytes:
    """The same picture with 256 colours, in a third of the bytes."""
    made = BytesIO()
    picture = Image.open(BytesIO(png)).convert("RGB").quantize(256, dither=Image.Dither.NONE)
    picture.save(made, "PNG", optimize=True)
    return made.getvalue()


def missing_scripts(text: str) -> list[str]:
    """Scripts of a text that no font of this machine has, by the first word of a letter's name: `CJK`, `THAI`."""

    def drawn(letter: str) -> bytes:
        # x leaves room to the left; without a family nothing is drawn
        text = f'<text x="50" y="30" font-size="24" font-family="{FONT}">{letter}</text>'
        return vl_convert.svg_to_png(f'<svg xmlns="http://www.w3.org/2000/svg">{text}</svg>')

    others = [char for char in sorted(set(text)) if ord(char) > 0x24F and unicodedata.category(char).startswith("L")]
    letters = {unicodedata.name(char, "UNNAMED").split()[0]: char for char in others}  # signs such as arrows are no script
    box = drawn(_NOWHERE) if letters else b""
    return [script for script, letter in letters.items() if drawn(letter) == box]


_NOWHERE = "\U0010fffd"  # a letter for private use, which no font has
