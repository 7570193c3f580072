"""The figures of a report, each defined once for paper (PNG, SVG, PDF) and page, with the numbers behind it as a table."""

import json
import re
import unicodedata
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import Any

from seq2seq.report.analyses import ConcatenationPoint
from seq2seq.report.charts import (
    Figure,
    Line,
    Point,
    Style,
    cells,
    dot_plot,
    heat_map,
    line_chart,
    many,
    on_paper,
    picture_map,
    scatter,
)
from seq2seq.report.crowd import in_focus, is_crowd, named
from seq2seq.report.document import length_table
from seq2seq.report.exhibits import AttentionMap, Exhibits
from seq2seq.report.headline import lengths_in_words
from seq2seq.report.palette import looks
from seq2seq.report.schema import Report
from seq2seq.report.values import NONE, Cell, Measured, Table, bleu, share
from seq2seq.scoring.results import BucketScores, Comparison

BANDS = 3
"""Systems whose bands can lie over each other and still be seen; of more, the baseline has one."""
MOST_WORDS = 40
"""Longest side of a heat map on paper; the words after it are left out."""
FIRST_UPDATES = 0.1
"""Share of the updates that learning curves leave out at their start, so that their end can be seen."""

ATTENTION = "attention"
"""Stem of the figure that the page draws anew for every sentence."""

Views = dict[tuple[str, ...], list[Line]]


def report_figures(report: Report, exhibits: Exhibits) -> list[Figure]:
    """Every figure that the report has data for, the most telling one first."""
    made = [_ranking(report) if is_crowd(report) else None, _length(report), *_probe(report), _concatenation(report)]
    made += [_learning(report), _cost(report), _cost_by_length(report), _beam(report), _attention(report, exhibits)]
    return [figure for figure in made if figure is not None]


def save(figure: Figure, stem: Path) -> list[Path]:
    """Write `<stem>.png`, `.svg` and `.pdf`; the same figure gives the same bytes, but for the order of entries in the PDF."""
    import vl_convert

    spec = on_paper(figure.spec, figure.caption)
    if scripts := missing_scripts(json.dumps(spec, ensure_ascii=False)):
        boxes = f"No font here has these scripts, so that boxes stand for their letters: {', '.join(scripts)}."
        spec = on_paper(figure.spec, f"{figure.caption} {boxes}")
    svg = svg_of(spec)
    made = {".png": recompressed(vl_convert.svg_to_png(svg, scale=2)), ".svg": svg.encode(), ".pdf": vl_convert.svg_to_pdf(svg)}
    for suffix, content in made.items():
        stem.with_suffix(suffix).write_bytes(content)
    return [stem.with_suffix(suffix) for suffix in made]


def svg_of(spec: Mapping[str, Any]) -> str:
    """Draw a figure; the same specification gives the same text."""
    import vl_convert

    return re.sub(r"gradient_\d+", "gradient", vl_convert.vegalite_to_svg(dict(spec)))  # one a figure, counted over the process


def recompressed(png: bytes) -> bytes:
    """The same picture in a third of the bytes: vl-convert compresses for speed."""
    chunks: list[tuple[bytes, bytes]] = []
    at = 8
    while at < len(png):
        end = at + 8 + int.from_bytes(png[at : at + 4], "big")
        chunks.append((png[at + 4 : at + 8], png[at + 8 : end]))
        at = end + 4
    pixels = zlib.compress(zlib.decompress(b"".join(data for kind, data in chunks if kind == b"IDAT")), 9)
    kept = [*(chunk for chunk in chunks if chunk[0] not in (b"IDAT", b"IEND")), (b"IDAT", pixels), (b"IEND", b"")]
    written = (len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big") for kind, data in kept)
    return png[:8] + b"".join(written)


def missing_scripts(text: str) -> list[str]:
    """Scripts of a text that no font of this machine has, by the first word of a letter's name: `CJK`, `THAI`."""
    import vl_convert

    def drawn(letter: str) -> bytes:
        return vl_convert.svg_to_png(
            f'<svg xmlns="http://www.w3.org/2000/svg"><text y="30" font-size="24">{letter}</text></svg>'
        )

    others = [char for char in sorted(set(text)) if ord(char) > 0x24F and unicodedata.category(char).startswith("L")]
    letters = {unicodedata.name(char, "UNNAMED").split()[0]: char for char in others}  # signs such as arrows are no script
    box = drawn(_NOWHERE) if letters else b""
    return [script for script, letter in letters.items() if drawn(letter) == box]


_NOWHERE = "\U0010fffd"
"""A letter for private use, which no font has."""


def style_of(report: Report, banded: Sequence[str] = ()) -> Style:
    """Colours and marks of a report's systems; those out of focus lie behind the others and have no name."""
    focus = in_focus(report)
    rest = [name for name in report.systems if name not in focus]
    return Style(looks=looks([*rest, *focus], focus), labelled=focus, banded=banded)


def seeds_in_words(report: Report, name: str) -> str:
    """`none (3 seeds)`."""
    count = len(report.systems[name].seeds)
    return f"{name} ({count} seed{'s' if count > 1 else ''})"


def _difference(found: Comparison | None) -> Sequence[float | None]:
    return (None,) if found is None else (found.difference, found.low, found.high)


METRICS: dict[str, Callable[[BucketScores], Sequence[float | None]]] = {
    "BLEU": lambda b: (b.bleu, b.low, b.high),
    "BLEU, % of the shortest bucket": lambda b: (b.bleu,),
    "BLEU minus baseline": lambda b: _difference(b.comparison),
    "chrF": lambda b: (b.chrf, b.chrf_low, b.chrf_high),
    "TER (lower is better)": lambda b: (b.ter, b.ter_low, b.ter_high),
    "length ratio (hypothesis / reference tokens)": lambda b: (b.length_ratio,),
    "brevity penalty": lambda b: (b.brevity,),
    "repeated 4-grams, %": lambda b: (100 * b.repeated,),
    "equal to the reference, %": lambda b: (100 * b.exact / b.n,),
    "empty, %": lambda b: (100 * b.empty / b.n,),
    "truncated, %": lambda b: (None if b.truncated is None else 100 * b.truncated / b.n,),
}
"""Name on the axis -> value of a bucket and, where there is one, its interval."""
SHARE = "BLEU, % of the shortest bucket"
EDGES = {"fixed edges": "buckets", "equal count": "buckets_equal_count"}


def _length(report: Report) -> Figure:
    views: Views = {}
    for metric, read in METRICS.items():
        for edges, field in EDGES.items():
            lines = [_length_line(report, name, getattr(system, field), metric, read) for name, system in _ordered(report)]
            views[metric, edges] = [line for line in lines if line.points]
    views = {view: lines for view, lines in views.items() if lines}
    several = [name for name, system in report.systems.items() if len(system.seeds) > 2]
    banded = several if len(several) <= BANDS else [name for name in several if name == report.baseline]
    switches = ("Show", "Buckets")
    return Figure(
        name="bleu_by_length",
        title="Score against sentence length",
        caption=_length_caption(report),
        spec=line_chart(views, style_of(report, banded), x=f"source length in {report.length_unit}", switches=switches),
        table=length_table(report),
        csv="buckets.csv",
    )


def _ordered(report: Report) -> Iterator[tuple[str, Any]]:
    """Systems in the order in which they are drawn, those in focus last."""
    focus = in_focus(report)
    yield from ((name, system) for name, system in report.systems.items() if name not in focus)
    yield from ((name, report.systems[name]) for name in focus)


def _length_line(
    report: Report,
    name: str,
    buckets: Sequence[BucketScores],
    metric: str,
    read: Callable[[BucketScores], Sequence[float | None]],
) -> Line:
    """One system: an interval from three seeds on, with two the seeds themselves, with one neither."""
    seeds = len(report.systems[name].seeds)
    scale = 100 / buckets[0].bleu if metric == SHARE and buckets and buckets[0].bleu > 0 else 1.0
    points = []
    for bucket in buckets:
        value, *ends = read(bucket)
        if value is None or (metric == SHARE and scale == 1.0):
            continue
        low, high = ends if ends and seeds > 2 else (None, None)
        told = seeds > 1 and metric in ("BLEU", SHARE)
        points.append(
            Point(
                x=bucket.mean_length,
                y=scale * value,
                low=low,
                high=high,
                small=bucket.underpowered,
                seeds=[scale * bleu for bleu in bucket.seed_bleu] if told else (),
                note=f"{lengths_in_words(bucket.min, bucket.max)}, n = {bucket.n:,}",
            )
        )
    return Line(system=name, points=points)


def _length_caption(report: Report) -> str:
    counts = {len(system.seeds) for system in report.systems.values()}
    parts = [f"{report.split}, {report.n:,} sentences; a point stands at the mean length of its bucket."]
    if max(counts) > 2:
        parts.append(f"Bands: {_level(report)} intervals over seeds and sentences (of the system that is pointed at).")
    if max(counts) > 1:
        parts.append("Small dots: single seeds.")
    if 1 in counts:
        single = [name for name, system in report.systems.items() if system.single_seed]
        who = "every system" if counts == {1} else named(single, len(report.systems))
        parts.append(f"One seed and no band, since an interval would speak of the choice of sentences only: {who}.")
    if any(bucket.underpowered for system in report.systems.values() for bucket in system.buckets):
        parts.append(f"Hollow marks, dashed lines and †: fewer than {report.evaluation.get('minimum_bucket')} sentences.")
    if report.baseline is not None:
        parts.append(f"↑ ↓ in the table: better or worse than {report.baseline} after Holm's correction.")
    if is_crowd(report):
        parts.append(
            f"In colour: the baseline, well-known systems, the highest and the lowest of {len(report.systems)} systems."
        )
    return " ".join(parts)


def _level(report: Report) -> str:
    return f"{float(report.evaluation.get('confidence', 0.95)):.0%}"


def _ranking(report: Report) -> Figure:
    lines = []
    for place in report.ranking:
        system = report.systems[place.system]
        note = f"rank {place.rank} [{place.low}, {place.high}], {seeds_in_words(report, place.system)}"
        point = Point(x=0, y=system.bleu, low=system.low, high=system.high, small=system.single_seed, note=note)
        lines.append(Line(system=place.system, points=[point]))
    guide = None if report.baseline is None else (report.baseline, report.systems[report.baseline].bleu)
    dashed = " Dashed: one seed, so the interval speaks of the choice of sentences only."
    single = any(system.single_seed for system in report.systems.values())
    budgets = ", ".join(report.fairness.regimes) or "no budget equal"
    return Figure(
        name="ranking",
        title="Every system by its score",
        caption=f"{report.split}, {report.n:,} sentences; {_level(report)} intervals; {budgets}.{dashed if single else ''}",
        spec=dot_plot(lines, style_of(report), x="BLEU", guide=guide),
        csv="ranking.csv",
    )


CURVES = {
    "bleu": "validation BLEU (greedy search)",
    "loss": "validation loss, nats per target token",
    "token_accuracy": "validation token accuracy",
    "bleu_longest": "validation BLEU, longest sentences",
    "training": "training loss, nats per target token",
}


def _learning(report: Report) -> Figure | None:
    views: Views = {}
    for field, label in CURVES.items():
        lines = [
            Line(system=name, run=f"{name} seed {curve.seed}", points=_late(curve, field))
            for name, _ in _ordered(report)
            for curve in report.learning_curves.get(name, ())
        ]
        if lines := [line for line in lines if line.points]:
            views[(label,)] = lines
    if not views:
        return None
    first = next(iter(views.values()))
    rows: list[list[Cell]] = [
        [line.run, Measured(line.points[-1].x, digits=0), Measured(line.points[-1].y, digits=2)] for line in first
    ]
    return Figure(
        name="learning_curves",
        title="Learning curves",
        caption=f"One line a seed; the first {FIRST_UPDATES:.0%} of the updates are left out, so that the end can be seen.",
        spec=line_chart(views, style_of(report), x="optimiser updates", switches=("Show",), zero=False),
        table=Table(heads=["run", "last update", next(iter(views))[0]], rows=rows),
        csv="learning_curves.csv",
    )


def _late(curve: Any, field: str) -> list[Point]:
    """The points of a curve after its first updates."""
    found = curve.training if field == "training" else [(p.step, getattr(p, field)) for p in curve.validation]
    known = [(step, value) for step, value in found if value is not None and isfinite(value)]
    start = FIRST_UPDATES * max((step for step, _ in known), default=0)
    return [Point(x=step, y=value, note=f"{step:,} updates") for step, value in known if step >= start]


def costs_of(report: Report) -> dict[str, dict[str, float]]:
    """Axis title -> system -> value, for every cost in which systems differ by more than one per cent."""
    systems, measured = report.systems, report.costs or {}
    at, together = decoding_length(report)
    known: dict[str, dict[str, float | None]] = {
        f"decoding, ms per sentence of {at} words ({together} at a time)": {
            name: next((p.ms_per_sentence for p in cost.by_length if p.length == at), None) for name, cost in measured.items()
        },
        "parameters": {name: system.parameters for name, system in systems.items()},
        "training, minutes": {name: system.seconds and system.seconds / 60 for name, system in systems.items()},
        "training, target tokens": {name: system.target_tokens for name, system in systems.items()},
        "training, target tokens per second": {name: cost.training_tokens_per_second for name, cost in measured.items()},
        "FLOPs per target token": {name: cost.flops_per_token for name, cost in measured.items()},
        **{
            f"share of {what} used": _used({name: getattr(cost, f"{what}_used") for name, cost in measured.items()})
            for what in ("heads", "positions")
        },
    }
    found = {label: {name: float(v) for name, v in values.items() if v and name in systems} for label, values in known.items()}
    return {label: values for label, values in found.items() if values and max(values.values()) > 1.01 * min(values.values())}


def _used(shares: Mapping[str, float | None]) -> dict[str, float | None]:
    """Shares in use, all where a system switches nothing off; nothing where no system does."""
    known = any(share is not None for share in shares.values())
    return {name: 1.0 if share is None else share for name, share in shares.items()} if known else {}


def decoding_length(report: Report) -> tuple[int, int]:
    """(source words, sentences at a time) at which most systems' decoding was timed, as near to 20 words as there is."""
    points = [point for cost in (report.costs or {}).values() for point in cost.by_length if point.ms_per_sentence is not None]
    lengths = [point.length for point in points]
    if not lengths:
        return 20, 8
    at = min(dict.fromkeys(lengths), key=lambda length: (-lengths.count(length), abs(length - 20)))
    return at, next(point.sentences for point in points if point.length == at)


def _cost(report: Report) -> Figure | None:
    costs = costs_of(report)
    if not costs or len(report.systems) < 2:
        return None
    views: Views = {}
    fronts = []
    for label, values in costs.items():
        views[(label,)] = [_cost_line(report, name, label, values[name]) for name, _ in _ordered(report) if name in values]
        fronts.append(_front(report, values, more="per second" in label))
    rows: list[list[Cell]] = [
        [name, *(_amount(values.get(name)) for values in costs.values()), bleu(system)]
        for name, system in report.systems.items()
    ]
    hardware = {cost.hardware for cost in (report.costs or {}).values() if cost.hardware}
    measured = f" Speed measured on {', '.join(sorted(hardware))}." if hardware else ""
    return Figure(
        name="cost",
        title="Quality against cost",
        caption=f"The dashed line joins systems that no other beats in both. What all systems share is left out.{measured}",
        spec=scatter(views, fronts, style_of(report), y="BLEU", switch="Cost"),
        table=Table(heads=["system", *costs, "BLEU"], rows=rows),
        csv="systems.csv",
    )


def _amount(value: float | None) -> Measured:
    return Measured(value, digits=0 if value is not None and value > 100 else 2)


def _cost_line(report: Report, name: str, label: str, value: float) -> Line:
    system = report.systems[name]
    low, high = (None, None) if len(system.seeds) < 3 else (system.low, system.high)
    return Line(system=name, points=[Point(x=value, y=system.bleu, low=low, high=high, note=f"{label}: {value:,.4g}")])


def _front(report: Report, costs: Mapping[str, float], *, more: bool) -> list[str]:
    """Systems that no other beats in score and cost, the cheapest first."""
    price = {name: (-value if more else value, -report.systems[name].bleu) for name, value in costs.items()}
    beaten = {
        name
        for name, own in price.items()
        if any(other != own and other[0] <= own[0] and other[1] <= own[1] for other in price.values())
    }
    return sorted((name for name in price if name not in beaten), key=lambda name: price[name])


def _cost_by_length(report: Report) -> Figure | None:
    at = decoding_length(report)[1]
    kinds = {
        f"decoding, ms per sentence ({at} at a time)": ("ms_per_sentence", 1.0),
        "peak memory of decoding, MiB": ("peak_bytes", 2.0**-20),
    }
    views: Views = {}
    for label, (field, unit) in kinds.items():
        lines = []
        for name, _ in _ordered(report):
            cost = (report.costs or {}).get(name)
            known = [(p.length, getattr(p, field)) for p in cost.by_length] if cost else []
            points = [Point(x=x, y=unit * y, note=f"{x} source words") for x, y in known if y is not None]
            lines.append(Line(system=name, points=points))
        if lines := [line for line in lines if line.points]:
            views[(label,)] = lines
    if not views:
        return None
    return Figure(
        name="cost_by_length",
        title="Cost against sentence length",
        caption="The reference is fed step by step: the same work for every system, measured after training.",
        spec=line_chart(views, style_of(report), x="source length in words", switches=("Cost",)),
        table=_grid(next(iter(views.values())), "words"),
    )


def _grid(lines: Sequence[Line], unit: str) -> Table:
    """A table with a column for each place and a row for each line."""
    places = sorted({point.x for line in lines for point in line.points})
    cells = {line.system: {p.x: Measured(p.y, p.low, p.high) for p in line.points} for line in lines}
    rows: list[list[Cell]] = [[name, *(some.get(x, Measured(None)) for x in places)] for name, some in cells.items()]
    return Table(heads=["system", *(f"{x:g} {unit}" for x in places)], rows=rows)


def _beam(report: Report) -> Figure | None:
    """Best score at each beam over the length penalties; the table has what was chosen."""
    sweep = report.beam_sweep
    if sweep is None:
        return None
    lines, rows = [], []
    for name in (name for name, _ in _ordered(report) if name in sweep.systems):
        best = {p.beam: p for p in sorted(sweep.systems[name], key=lambda p: (p.beam, p.bleu))}
        points = [Point(x=p.beam, y=p.bleu, note=f"beam {p.beam}, length penalty {p.length_penalty:g}") for p in best.values()]
        lines.append(Line(system=name, points=points))
        chosen = next((p for p in sweep.systems[name] if p.chosen), None)
        about = [str(chosen.beam), f"{chosen.length_penalty:g}", Measured(chosen.bleu, digits=2)] if chosen else [NONE] * 3
        rows.append([name, *about])
    views: Views = {(f"BLEU on {sweep.split}, best length penalty",): lines}
    return Figure(
        name="beam",
        title=f"Beam size, on {sweep.split}",
        caption="At each beam size the length penalty that scores best.",
        spec=line_chart(views, style_of(report), x="beam size", switches=("Show",), zero=False),
        table=Table(heads=["system", "chosen beam", "length penalty", "BLEU"], rows=rows),
    )


def _probe(report: Report) -> list[Figure]:
    """Exact match by length of the question, and right words by position in the answer."""
    probe = report.probe
    if probe is None:
        return []
    names = [name for name, _ in _ordered(report) if name in probe.systems]
    exact = [
        Line(
            system=name,
            points=[
                Point(
                    x=(part.min + part.max) / 2,
                    y=100 * part.exact,
                    low=100 * part.low,
                    high=100 * part.high,
                    note=f"{part.min}–{part.max} words, n = {part.n:,}",
                )
                for part in probe.systems[name].by_length
            ],
        )
        for name in names
    ]
    places = [
        Line(
            system=name,
            points=[Point(x=p.position + 1, y=100 * p.right, note=f"n = {p.n:,}") for p in probe.systems[name].by_position],
        )
        for name in names
    ]
    parts = probe.systems[names[0]].by_length
    heads = ["system", *(f"{part.min}–{part.max} words (n={part.n})" for part in parts), f"up to {probe.trained}", "longer"]
    rows: list[list[Cell]] = [
        [
            line.system,
            *(Measured(p.y, p.low, p.high) for p in line.points),
            *(share(each, digits=1) for each in (probe.systems[line.system].within, probe.systems[line.system].beyond)),
        ]
        for line in exact
    ]
    style = style_of(report, banded=names if len(names) <= BANDS else ())
    title, trained = f"Probe {probe.task}", f"Trained on questions of up to {probe.trained} words; n = {probe.n:,}."
    first: Views = {("answers right in every word, %",): exact}
    second: Views = {("right words, %",): places}
    return [
        Figure(
            name="probe",
            title=f"{title}: exact match",
            caption=f"{trained} An answer counts if every word of it is right.",
            spec=line_chart(first, style, x="length of the question in words", switches=("Show",)),
            table=Table(heads=heads, rows=rows),
            csv="probe.csv",
        ),
        Figure(
            name="probe_positions",
            title=f"{title}: right words by position",
            caption=trained,
            spec=line_chart(second, style, x="position in the answer", switches=("Show",)),
            csv="probe.csv",
        ),
    ]


def _concatenation(report: Report) -> Figure | None:
    found = report.concatenation
    if found is None:
        return None
    lines = [
        Line(system=name, points=[_joined(point) for point in found.systems[name] if point.bleu is not None])
        for name, _ in _ordered(report)
        if name in found.systems
    ]
    lines = [line for line in lines if line.points]
    points = next(iter(found.systems.values()))
    heads = ["system", *(f"{p.joined} joined ({p.words:.0f} words, n={p.n})" for p in points)]
    rows = [[name, *map(_joined_cell, some)] for name, some in found.systems.items()]
    banded = [line.system for line in lines] if len(lines) <= BANDS else []
    caption = (
        f"The same {found.pairs} pairs of {found.split}, up to {found.longest} source words each, joined in order with their "
        "references: length grows, what is to be translated stays the same. A length ratio (in the table) far below 1 means "
        "that a system stops after the first of the joined sentences."
    )
    return Figure(
        name="concatenation",
        title="Short pairs joined to long ones",
        caption=caption,
        spec=line_chart({("BLEU",): lines}, style_of(report, banded), x="pairs joined", switches=("Show",)),
        table=Table(heads=heads, rows=rows),
        csv="concatenation.csv",
    )


def _joined(point: ConcatenationPoint) -> Point:
    note = f"{point.joined} joined, {point.words:.0f} source words, n = {point.n}"
    return Point(x=point.joined, y=point.bleu or 0.0, low=point.low, high=point.high, note=note)


def _joined_cell(point: ConcatenationPoint) -> Measured | str:
    if point.bleu is None:
        return "refused"
    ratio = "" if point.length_ratio is None else f"length ratio {point.length_ratio:.2f}"
    return Measured(point.bleu, point.low, point.high, marks=ratio)


def choose_sentence(exhibits: Exhibits) -> int | None:
    """The sentence that most systems show and whose length is nearest to 12 words: long enough to see, short enough to read."""
    if not exhibits.attention:
        return None
    size = {index: _words(next(iter(some.values()))) for index, some in exhibits.attention.items()}
    return min(exhibits.attention, key=lambda i: (-len(exhibits.attention[i]), abs(size[i] - 12)))


def _words(shown: AttentionMap) -> int:
    """Words of the source; of a picture half those of its caption."""
    return len(shown.words().hypothesis) // 2 if shown.picture else len(shown.words().source)


def _attention(report: Report, exhibits: Exhibits) -> Figure | None:
    """Small multiples of all systems that attend, on one sentence; of a crowd those in focus, while all read the reference."""
    sentence = choose_sentence(exhibits)
    if sentence is None:
        return None
    maps = {name: shown for name, shown in exhibits.attention[sentence].items() if shown.attends}
    crowd = is_crowd(report)
    if crowd:
        maps = {name: shown for name, shown in maps.items() if name in in_focus(report)} or maps
    if not maps:
        return None
    drawn = [_map(shown.words(), crowd) for shown in maps.values()]
    picture = next(iter(maps.values())).picture
    charts = [
        picture_map(picture, round(len(source) ** 0.5), target, number, title)
        if picture
        else heat_map(source, target, number, title)
        for number, (title, (source, target, _)) in enumerate(zip(maps, drawn, strict=True))
    ]
    read = "the reference, fed to every system" if crowd else "each system's own translation"
    return Figure(
        name=ATTENTION,
        title="Attention, all systems on one sentence",
        caption=f"The source once for each word of {read}, dark where the word has little weight."
        if picture
        else f"Columns are source words, rows the words of {read}; weights of subwords are summed over source words.",
        spec=many(charts, [cells(weights) for *_, weights in drawn], 1 if picture else 3 if len(charts) != 4 else 2),
    )


def _map(shown: AttentionMap, forced: bool) -> tuple[list[str], list[str], list[list[float]]]:
    """Source words, target words and weights (T, S), cut to what a picture holds."""
    target, weights = shown.hypothesis, shown.weights
    if forced and shown.forced is not None:
        target, weights = shown.forced.reference, shown.forced.weights
    columns = None if shown.picture else MOST_WORDS
    return shown.source[:columns], target[:MOST_WORDS], [row[:columns] for row in weights[:MOST_WORDS]]
