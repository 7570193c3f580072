"""The page: one HTML file with everything inside, that opens from a disk without a server or a network.

Charts are SVG drawn by a few hundred lines of our own script: chart libraries on the package index weigh 0.9 MB (Vega) to
4.8 MB (plotly), and none of them gives keyboard reading, one legend for all figures and heat maps that light up words.

Text reaches the page in two ways, both safe: through the template, which escapes, and as JSON in which `<`, `>` and `&`
are spelled as escapes, which the script puts into text nodes only. A content security policy names the script's hash,
so that a script smuggled in would not run.
"""

import base64
import gzip
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from markupsafe import Markup, escape

from seq2seq.config.differences import flatten
from seq2seq.report.crowd import changes_from_baseline, in_focus, is_crowd
from seq2seq.report.exhibits import AttentionMap, Exhibits
from seq2seq.report.headline import lengths_in_words, with_interval
from seq2seq.report.markup import p_value
from seq2seq.report.palette import looks
from seq2seq.report.schema import Report

SIZE_LIMIT = 6_000_000
"""Bytes that a page may have; sentences are left out, and it is said how many, before it grows over this."""

SCRIPTS = ("core.js", "chart.js", "figures.js", "probes.js", "table.js", "translations.js", "attention.js", "start.js")


@dataclass(frozen=True)
class _Packed:
    """Exhibits as text for the page: JSON, compressed, in letters; and what was left out of it."""

    text: str
    left_out: str


def page(report: Report, exhibits: Exhibits) -> str:
    """The page as HTML."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("seq2seq.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": _number,
        "p_value": p_value,
        "marked": marked,
        "interval": _interval,
        "duration": _duration,
        "short_path": _short_path,
        "plain": _plain,
        "flatten": flatten,
        "with_interval": with_interval,
    }
    environment.globals["lengths"] = lengths_in_words
    script = "\n".join(_asset(name) for name in SCRIPTS)
    focus = in_focus(report)
    shown = looks(list(report.systems), report.baseline, focus)
    data = {
        "report": report.model_dump(mode="json"),
        "markers": [look.marker for look in shown.values()],
        "focus": focus,
    }
    fixed = safe_json(data)
    packed = pack(exhibits, SIZE_LIMIT - len(fixed.encode()) - len(script.encode()) - 200_000)
    return environment.get_template("index.html.jinja").render(
        report=report,
        crowd=is_crowd(report),
        from_baseline=changes_from_baseline(report),
        looks=list(shown.values()),
        order={name: index for index, name in enumerate(report.systems)},
        style=Markup(_asset("page.css")),
        script=Markup(script),
        script_hash=script_hash(script),
        data=Markup(fixed),
        packed=packed,
        has_attention=bool(exhibits.attention),
        has_texts=exhibits.sources is not None,
    )


def _asset(name: str) -> str:
    return (files("seq2seq.report") / "assets" / name).read_text(encoding="utf-8")


def script_hash(script: str) -> str:
    """The hash by which the policy knows the page's own script, which the template sets between line feeds."""
    return base64.b64encode(hashlib.sha256(f"\n{script}\n".encode()).digest()).decode()


def safe_json(data: Any) -> str:
    """JSON that can stand inside a script element whatever its strings hold."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text


def pack(exhibits: Exhibits, budget: int) -> _Packed:
    """Exhibits compressed, with fewer seeds and then fewer sentences where they would not fit into a number of bytes."""
    total = len(exhibits.lengths)
    count, every_seed, left_out = total, True, ""
    while True:
        text = _compress(_exhibits_json(exhibits, count, every_seed=every_seed))
        if len(text) <= budget or count <= 1:
            return _Packed(text, left_out)
        if every_seed:
            every_seed = False
        else:
            count = max(1, count // 2)
        left_out = "To keep the page small it shows one seed per system"
        left_out += f" and the first {count:,} of {total:,} sentences." if count < total else "."


def _compress(data: Any) -> str:
    return base64.b64encode(gzip.compress(safe_json(data).encode(), compresslevel=9, mtime=0)).decode()


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
    return {
        "lengths": exhibits.lengths[:count],
        "sources": exhibits.sources and exhibits.sources[:count],
        "references": exhibits.references and exhibits.references[:count],
        "outputs": outputs,
        "metric": exhibits.sentence_metric,
        "attention": [
            {"index": index, "systems": {system: _attention_json(shown) for system, shown in systems.items()}}
            for index, systems in exhibits.attention.items()
        ],
    }


def _attention_json(shown: AttentionMap) -> dict[str, Any]:
    views = {"hypothesis": {"target": shown.hypothesis, "weights": quantised(shown.weights)}}
    if shown.forced is not None:
        views["forced"] = {"target": shown.forced.reference, "weights": quantised(shown.forced.weights)}
    return {"source": shown.source, **views}


def quantised(weights: Sequence[Sequence[float]]) -> str:
    """Weights from 0 to 1 as one byte each, row by row, in base64: a 255th is more than an eye can tell."""
    return base64.b64encode(bytes(round(255 * min(max(w, 0.0), 1.0)) for row in weights for w in row)).decode()


def marked(text: str) -> Markup:
    """Escape a text and show what stands between backticks as names."""
    parts = text.split("`")
    return Markup("").join(Markup("<b>{}</b>").format(part) if index % 2 else escape(part) for index, part in enumerate(parts))


def _number(value: float | None, digits: int = 1, sign: bool = False) -> str:
    if value is None:
        return "–"
    return f"{value:{'+' if sign else ''},.{digits}f}".replace("-", "−")


def _short_path(path: str) -> str:
    """The end of a dotted path that still says what is set: `model.attention.score.kind` is `attention.score`."""
    return ".".join(path.removesuffix(".kind").split(".")[-2:])


def _plain(value: Any) -> str:
    """A setting as a person would write it."""
    if value is None:
        return "–"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _interval(scores: Any, digits: int = 1) -> str:
    if scores is None or scores.low is None or scores.high is None:
        return ""
    return f"[{_number(scores.low, digits)}, {_number(scores.high, digits)}]"


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
