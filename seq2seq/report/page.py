"""The page: one HTML file with everything inside, that opens from a disk without a server or a network.

Its charts are the specifications of `figures.py`, drawn by Vega-Lite, whose script (0.9 MB) is in the file once,
compressed. Our own script lights up words, searches translations and sorts a table.

Text reaches the page in two ways, both safe: through the template, which escapes, and as packed JSON, which scripts put into
text nodes and charts only. A content security policy names the hashes of the page's scripts, so that a script smuggled in would
not run; it allows no `eval` either, so Vega interprets its expressions (`ast`).
"""

import base64
import gzip
import hashlib
import json
import re
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import vl_convert
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from seq2seq.report.charts import Figure, heat_map
from seq2seq.report.crowd import in_focus, is_crowd
from seq2seq.report.document import sections
from seq2seq.report.exhibits import AttentionMap, Exhibits
from seq2seq.report.figures import ATTENTION, choose_sentence
from seq2seq.report.headline import answer
from seq2seq.report.palette import dark_colours, looks, styled
from seq2seq.report.schema import Report
from seq2seq.report.score_tables import UNTESTED
from seq2seq.report.values import NONE, Cell, Code, Measured

SIZE_LIMIT = 6_000_000
"""Bytes that a page may have; sentences are left out, and it is said how many, before it grows over this."""

SCRIPTS = ("core.js", "charts.js", "table.js", "translations.js", "attention.js", "start.js")


def page(report: Report, exhibits: Exhibits, figures: Sequence[Figure]) -> str:
    """The page as HTML."""
    environment = Environment(
        loader=PackageLoader("seq2seq.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"marked": marked, "shown": shown, "sort_key": sort_key}
    environment.globals |= {"kind": lambda part: type(part).__name__}
    library, own = vega(), "".join(_asset(name) for name in SCRIPTS)
    packed_library = _compress(library)
    data = _compress(_page_data(report, {figure.name: figure.spec for figure in figures if figure.name != ATTENTION}))
    used = len(data) + len(packed_library) + len(own.encode())
    packed, left_out = pack(exhibits, SIZE_LIMIT - used - 300_000)
    return environment.get_template("index.html.jinja").render(
        report=report,
        answer=answer(report),
        figures={figure.name: figure for figure in figures},
        sections=sections(report, exhibits, figures),
        crowd=is_crowd(report),
        order={name: index for index, name in enumerate(report.systems)},
        looks=list(looks(list(report.systems), in_focus(report)).values()),
        style=Markup(_asset("page.css")),
        library=packed_library,
        script=Markup(own),
        hashes=[script_hash(library), script_hash(own)],
        data=data,
        packed=packed,
        left_out=left_out,
        has_attention=choose_sentence(exhibits) is not None,
        has_texts=exhibits.sources is not None,
    )


def _page_data(report: Report, specs: dict[str, Any]) -> dict[str, Any]:
    buckets = next(iter(report.systems.values())).buckets
    return {
        "figures": specs,
        "heatmap": styled(heat_map([], []).to_dict(validate=False)),
        "dark": dark_colours(),
        "systems": list(report.systems),
        "focus": in_focus(report),
        "single": [name for name, system in report.systems.items() if system.single_seed],
        "baseline": report.baseline,
        "unit": report.length_unit,
        "buckets": [{"min": bucket.min, "max": bucket.max} for bucket in buckets],
    }


def _asset(name: str) -> str:
    return (files("seq2seq.report") / "assets" / name).read_text(encoding="utf-8")


@cache
def vega() -> str:
    """Vega, Vega-Lite and vega-embed as one script that defines `vegaEmbed`."""
    return f"(() => {{\n{vl_convert.javascript_bundle('window.vegaEmbed = vegaEmbed;')}\n}})();"


def script_hash(script: str) -> str:
    """The hash by which the policy knows a script."""
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def pack(exhibits: Exhibits, budget: int) -> tuple[str, str]:
    """Exhibits as JSON, compressed, in letters, and what is left out of them so that they fit into a number of bytes."""
    total = len(exhibits.lengths)
    text, left_out = _compress(_exhibits_json(exhibits, total, every_seed=True)), ""
    for count in (total >> halved for halved in range(total.bit_length())):
        if len(text) <= budget:
            break
        text = _compress(_exhibits_json(exhibits, count, every_seed=False))
        left_out = "To keep the page small it shows one seed per system"
        left_out += f" and the first {count:,} of {total:,} sentences." if count < total else "."
    return text, left_out


def _compress(data: Any) -> str:
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return base64.b64encode(gzip.compress(text.encode(), compresslevel=9, mtime=0)).decode()


def _exhibits_json(exhibits: Exhibits, count: int, *, every_seed: bool) -> dict[str, Any]:
    outputs = [
        {
            "system": system,
            "seed": seed,
            "lines": lines[:count],
            "scores": [round(score) for score in exhibits.sentence_scores[system][seed][:count]],
        }
        for system, by_seed in exhibits.hypotheses.items()
        for seed, lines in (list(by_seed.items()) if every_seed else list(by_seed.items())[:1])
    ]
    first = choose_sentence(exhibits)
    order = sorted(exhibits.attention, key=lambda index: (index != first, index))
    return {
        "lengths": exhibits.lengths[:count],
        "sources": exhibits.sources and exhibits.sources[:count],
        "references": exhibits.references and exhibits.references[:count],
        "outputs": outputs,
        "metric": exhibits.sentence_metric,
        "attention": [
            {
                "index": index,
                "picture": next(iter(exhibits.attention[index].values())).picture,
                "systems": {
                    name: {"words": _map_json(one.words()), "subwords": _map_json(one)} if one.attends else {}
                    for name, one in exhibits.attention[index].items()
                },
            }
            for index in order
        ],
    }


def _map_json(shown: AttentionMap) -> dict[str, Any]:
    views = {"hypothesis": {"target": shown.hypothesis, "weights": quantised(shown.weights)}}
    if shown.forced is not None:
        views["forced"] = {"target": shown.forced.reference, "weights": quantised(shown.forced.weights)}
    return {"source": shown.source, **views}


def quantised(weights: Sequence[Sequence[float]]) -> str:
    """Weights from 0 to 1 as one byte each, row by row, in base64: a 255th is more than an eye can tell."""
    return base64.b64encode(bytes(round(255 * min(max(w, 0.0), 1.0)) for row in weights for w in row)).decode()


def marked(text: str) -> Markup:
    """Escape a text and show what stands between backticks as names."""
    return Markup(re.sub(r"`([^`]*)`", r"<b>\1</b>", str(escape(text))))


def linked(text: str) -> Markup:
    """Escape a text and turn arXiv numbers in it into links."""
    link = r'<a href="https://arxiv.org/abs/\1" rel="noreferrer">arXiv:\1</a>'
    return Markup(re.sub(r"arXiv:(\d{4}\.\d{4,5})", link, str(escape(text))))


def shown(cell: Cell) -> Markup:
    """A cell of a table: a number with its interval, a verdict in its colour, code, or text with links."""
    if isinstance(cell, Measured):
        parts = [escape(cell.text)] + [Markup('<span class="ci">{}</span>').format(cell.ends)] * bool(cell.ends)
        parts += [escape(cell.marks)] * bool(cell.marks) + [_verdict(cell.verdict)] * bool(cell.verdict)
        return Markup(" ").join(parts)
    if isinstance(cell, Code):
        return Markup("<code>{}</code>").format(cell)
    return _verdict(cell) if cell.removeprefix("leans ") in VERDICTS else linked(cell)


VERDICTS = {
    **dict.fromkeys(("better", "supported", "pass"), "good"),
    **dict.fromkeys(("worse", "contradicted", "fail"), "bad"),
    **dict.fromkeys(("undecided", "small sample", "underpowered", "analogue", "same direction", *UNTESTED), ""),
}
"""Word -> class of its colour."""


def _verdict(word: str) -> Markup:
    kind = word.removeprefix("leans ")
    return Markup('<span class="verdict {} {}">{}</span>').format(VERDICTS.get(kind, ""), "leans" * (kind != word), word)


def sort_key(cell: Cell) -> str:
    """Key that a column is sorted by; empty where there is nothing."""
    text = cell.value if isinstance(cell, Measured) else cell.removeprefix("n=")
    return "" if text in (None, NONE, "baseline") else str(text)
