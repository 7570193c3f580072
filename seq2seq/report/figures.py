"""The figures of a report, each defined once for paper (PNG, SVG, PDF) and page, with the numbers behind it as a table."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from seq2seq.config.errors import counted
from seq2seq.report.analyses import ConcatenationPoint
from seq2seq.report.charts import Figure, Line, Point, cells, dot_plot, heat_map, line_chart, many, picture_map
from seq2seq.report.cost_figures import cost_by_length_figure, cost_figure
from seq2seq.report.crowd import drawn, in_focus, is_crowd, lines_of, named, style_of
from seq2seq.report.exhibits import AttentionMap, Exhibits
from seq2seq.report.headline import lends_seed_variance, lengths_in_words
from seq2seq.report.schema import LearningCurve, Report
from seq2seq.report.score_tables import length_table
from seq2seq.report.values import NONE, Cell, Measured, Table, share
from seq2seq.run.folder import run_name
from seq2seq.scoring.results import BucketScores, finite

BANDS = 7
"""Systems whose bands can lie over each other and still be seen; of more, the baseline has one."""
MOST_WORDS = 40
"""Longest side of a heat map on paper; the words after it are left out."""
FIRST_UPDATES = 0.1
"""Share of the updates that learning curves leave out at their start, so that their end can be seen."""

ATTENTION = "attention"
"""Stem of the figure that the page draws anew for every sentence."""


def report_figures(report: Report, exhibits: Exhibits) -> list[Figure]:
    """Every figure that the report has data for, the most telling one first."""
    made = [_ranking(report) if is_crowd(report) else None, _length(report), *_probe(report), _concatenation(report)]
    made += [_learning(report), cost_figure(report), cost_by_length_figure(report), _beam(report), _attention(report, exhibits)]
    return [figure for figure in made if figure is not None]


METRICS: dict[str, Callable[[BucketScores], Sequence[float | None]]] = {
    "BLEU": lambda b: (b.bleu, b.low, b.high),
    "BLEU, % of the shortest bucket": lambda b: (b.bleu,),
    "BLEU minus baseline": lambda b: (
        (b.comparison.difference, b.comparison.low, b.comparison.high) if b.comparison else (None,)
    ),
    "BLEU by chance, against another sentence's reference": lambda b: (b.chance,),
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
    views = {
        (metric, edges): lines
        for metric in METRICS
        for edges, field in EDGES.items()
        if (lines := lines_of(report, partial(_length_points, report, field=field, metric=metric)))
    }
    several = [name for name, system in report.systems.items() if len(system.seeds) > 2]
    banded = several if _few(report) else [name for name in several if name == report.baseline]
    unit, switches = f"source length in {report.length_unit}", ("Show", "Buckets")
    return Figure(
        name="bleu_by_length",
        title="Score against sentence length",
        caption=_length_caption(report),
        spec=line_chart(views, style_of(report, banded), x=unit, switches=switches),
        table=length_table(report),
        csv="buckets.csv",
    )


def _length_points(report: Report, name: str, field: str, metric: str) -> Iterator[Point]:
    """Points of one system: an interval from three seeds on, with two the seeds themselves, with one neither."""
    buckets: Sequence[BucketScores] = getattr(report.systems[name], field)
    seeds, scale = len(report.systems[name].seeds), 1.0
    if metric == SHARE:
        if not buckets or buckets[0].bleu <= 0:
            return
        scale = 100 / buckets[0].bleu
    for bucket in buckets:
        value, *ends = METRICS[metric](bucket)
        if value is None:
            continue
        low, high = ends if ends and seeds > 2 else (None, None)
        yield Point(
            x=bucket.mean_length,
            y=scale * value,
            low=low,
            high=high,
            small=bucket.underpowered,
            seeds=[scale * each for each in bucket.seed_bleu] if seeds > 1 and metric in ("BLEU", SHARE) else (),
            note=f"{lengths_in_words(bucket.min, bucket.max, f' source {report.length_unit}')}, n = {bucket.n:,}",
        )


def _few(report: Report) -> bool:
    """Whether the bands of all systems can be drawn at once; on the page one that is pointed at has its band in any case."""
    return len(report.systems) <= BANDS


def _length_caption(report: Report) -> str:
    counts, level = {len(system.seeds) for system in report.systems.values()}, report.evaluation["confidence"]
    parts = [f"{report.study}, {report.split}: {report.n:,} sentences; a point stands at the mean length of its bucket."]
    if max(counts) > 2:
        parts.append(f"Bands: {level:.0%} intervals over seeds and sentences{'' if _few(report) else ', of the baseline'}.")
    if max(counts) > 1:
        parts.append("Small dots: single seeds.")
    if 1 in counts:
        single = [name for name, system in report.systems.items() if system.single_seed]
        who = "every system" if counts == {1} else named(single, len(report.systems))
        why = "" if max(counts) > 1 else ", since an interval would speak of the choice of sentences only"
        parts.append(f"One seed and no band{why}: {who}.")
    if any(bucket.underpowered for system in report.systems.values() for bucket in system.buckets):
        parts.append(f"Hollow marks, dashed lines and †: fewer than {report.evaluation.get('minimum_bucket')} sentences.")
    if is_crowd(report):
        parts.append(
            f"In colour: the baseline, well-known systems, the highest and the lowest of {len(report.systems)} systems."
        )
    return " ".join(parts)


def _ranking(report: Report) -> Figure:
    lines = []
    for place in report.ranking:
        system = report.systems[place.system]
        seeds = counted(len(system.seeds), "seed")
        note = f"rank {place.rank} [{place.low}, {place.high}], {place.system} ({seeds})"
        point = Point(x=0, y=system.bleu, low=system.low, high=system.high, small=system.single_seed, note=note)
        lines.append(Line(system=place.system, points=[point]))
    guide = None if report.baseline is None else (report.baseline, report.systems[report.baseline].bleu)
    borrowed, alone = "with the seed variance of the others", "so the interval speaks of the choice of sentences only"
    single = any(system.single_seed for system in report.systems.values())
    dashed = f" Dashed: one seed, {borrowed if lends_seed_variance(report) else alone}." if single else ""
    budgets = ", ".join(report.fairness.regimes) or "no budget equal"
    return Figure(
        name="ranking",
        title="Every system by its score",
        caption=f"{report.split}, {report.n:,} sentences; {report.evaluation['confidence']:.0%} intervals; {budgets}.{dashed}",
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
    views = {}
    for field, label in CURVES.items():
        lines = [
            Line(system=name, run=run_name(name, curve.seed), points=points)
            for name in drawn(report)
            for curve in report.learning_curves.get(name, ())
            if (points := _late(curve, field))
        ]
        if lines:
            views[(label,)] = lines
    if not views:
        return None
    (first,), lines = next(iter(views.items()))
    rows: list[list[Cell]] = [
        [line.run, Measured(line.points[-1].x, digits=0), Measured(line.points[-1].y, digits=2)] for line in lines
    ]
    return Figure(
        name="learning_curves",
        title="Learning curves",
        caption=f"One line a seed; the first {FIRST_UPDATES:.0%} of the updates are left out, so that the end can be seen.",
        spec=line_chart(views, style_of(report), x="optimiser updates", zero=False),
        table=Table(heads=["run", "last update", first], rows=rows),
        csv="learning_curves.csv",
    )


def _late(curve: LearningCurve, field: str) -> list[Point]:
    found = curve.training if field == "training" else [(p.step, getattr(p, field)) for p in curve.validation]
    known = [(step, value) for step, given in found if (value := finite(given)) is not None]
    start = FIRST_UPDATES * max((step for step, _ in known), default=0)
    return [Point(x=step, y=value, note=f"{step:,} updates") for step, value in known if step >= start]


def _beam(report: Report) -> Figure | None:
    """Best score at each beam over the length penalties; the table has what was chosen."""
    sweep = report.beam_sweep
    if sweep is None:
        return None

    def points(name: str) -> list[Point]:
        best = {p.beam: p for p in sorted(sweep.systems.get(name, ()), key=lambda p: (p.beam, p.bleu))}
        return [Point(x=p.beam, y=p.bleu, note=f"beam {p.beam}, length penalty {p.length_penalty:g}") for p in best.values()]

    lines, rows = lines_of(report, points), []
    for name in (line.system for line in lines):
        chosen = next((p for p in sweep.systems[name] if p.chosen), None)
        about = [str(chosen.beam), f"{chosen.length_penalty:g}", Measured(chosen.bleu, digits=2)] if chosen else [NONE] * 3
        rows.append([name, *about])
    views = {(f"BLEU on {sweep.split}, best length penalty",): lines}
    return Figure(
        name="beam",
        title=f"Beam size, on {sweep.split}",
        caption="At each beam size the length penalty that scores best.",
        spec=line_chart(views, style_of(report), x="beam size", zero=False),
        table=Table(heads=["system", "chosen beam", "length penalty", "BLEU"], rows=rows),
    )


def _probe(report: Report) -> list[Figure]:
    """Exact match by length of the question, and right words by position in the answer."""
    probe = report.probe
    if probe is None:
        return []

    def exact(name: str) -> Iterator[Point]:
        for part in probe.systems[name].by_length if name in probe.systems else ():
            y, low, high = (100 * each for each in (part.exact, part.low, part.high))
            note = f"{part.min}–{part.max} words, n = {part.n:,}"
            yield Point(x=(part.min + part.max) / 2, y=y, low=low, high=high, note=note)

    def places(name: str) -> Iterator[Point]:
        for place in probe.systems[name].by_position if name in probe.systems else ():
            yield Point(x=place.position + 1, y=100 * place.right, note=f"n = {place.n:,}")

    lines = lines_of(report, exact)
    names = [line.system for line in lines]
    parts = probe.systems[names[0]].by_length
    heads = ["system", *(f"{part.min}–{part.max} words (n={part.n})" for part in parts), f"up to {probe.trained}", "longer"]
    rows: list[list[Cell]] = []
    for line in lines:
        found = probe.systems[line.system]
        ends = (share(each, digits=1) for each in (found.within, found.beyond))
        rows.append([line.system, *(Measured(p.y, p.low, p.high) for p in line.points), *ends])
    style = style_of(report, banded=names if len(names) <= BANDS else ())
    title, trained = f"Probe {probe.task}", f"Trained on questions of up to {probe.trained} words; n = {probe.n:,}."
    first, second = {("answers right in every word, %",): lines}, {("right words, %",): lines_of(report, places)}
    return [
        Figure(
            name="probe",
            title=f"{title}: exact match",
            caption=f"{trained} An answer counts if every word of it is right.",
            spec=line_chart(first, style, x="length of the question in words"),
            table=Table(heads=heads, rows=rows),
            csv="probe.csv",
        ),
        Figure(
            name="probe_positions",
            title=f"{title}: right words by position",
            caption=trained,
            spec=line_chart(second, style, x="position in the answer"),
            csv="probe.csv",
        ),
    ]


def _concatenation(report: Report) -> Figure | None:
    found = report.concatenation
    if found is None:
        return None

    def points(name: str) -> Iterator[Point]:
        for each in found.systems.get(name, ()):
            note = f"{each.joined} joined, {each.words:.0f} source words, n = {each.n}"
            if each.bleu is not None:
                yield Point(x=each.joined, y=each.bleu, low=each.low, high=each.high, note=note)

    def cell(point: ConcatenationPoint) -> Cell:
        ratio = "" if point.length_ratio is None else f"length ratio {point.length_ratio:.2f}"
        return "refused" if point.bleu is None else Measured(point.bleu, point.low, point.high, marks=ratio)

    lines = lines_of(report, points)
    heads = ["system", *(f"{p.joined} joined ({p.words:.0f} words, n={p.n})" for p in next(iter(found.systems.values())))]
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
        spec=line_chart({("BLEU",): lines}, style_of(report, banded), x="pairs joined"),
        table=Table(heads=heads, rows=[[name, *map(cell, some)] for name, some in found.systems.items()]),
        csv="concatenation.csv",
    )


def choose_sentence(exhibits: Exhibits) -> int | None:
    """The sentence that most systems show and whose length is nearest to 12 words: long enough to see, short enough to read."""

    def words(shown: AttentionMap) -> int:  # of a picture half those of its caption
        return len(shown.words().hypothesis) // 2 if shown.picture else len(shown.words().source)

    size = {index: words(next(iter(some.values()))) for index, some in exhibits.attention.items()}
    return min(exhibits.attention, key=lambda i: (-len(exhibits.attention[i]), abs(size[i] - 12)), default=None)


def _attention(report: Report, exhibits: Exhibits) -> Figure | None:
    """Small multiples of all systems that attend, on one sentence; of a crowd those in focus, while all read the reference."""
    sentence, crowd, focus = choose_sentence(exhibits), is_crowd(report), in_focus(report)
    shown_there = {} if sentence is None else exhibits.attention[sentence]
    maps = {name: shown for name, shown in shown_there.items() if shown.attends}
    if crowd:
        maps = {name: shown for name, shown in maps.items() if name in focus} or maps
    if not maps:
        return None
    charts, data, picture = [], [], next(iter(maps.values())).picture
    for number, (title, shown) in enumerate(maps.items()):
        by_words = shown.words()
        target, weights = by_words.hypothesis, by_words.weights
        if crowd and by_words.forced is not None:
            target, weights = by_words.forced.reference, by_words.forced.weights
        columns = None if picture else MOST_WORDS
        source, target = by_words.source[:columns], target[:MOST_WORDS]
        data.append(cells([row[:columns] for row in weights[:MOST_WORDS]]))
        charts.append(
            picture_map(picture, round(len(source) ** 0.5), target, number, title)
            if picture
            else heat_map(source, target, number, title)
        )
    read = "the reference, fed to every system" if crowd else "each system's own translation"
    return Figure(
        name=ATTENTION,
        title="Attention, all systems on one sentence",
        caption=f"The source once for each word of {read}, dark where the word has little weight."
        if picture
        else f"Columns are source words, rows the words of {read}; weights of subwords are summed over source words.",
        spec=many(charts, data, 1 if picture else 3 if len(charts) != 4 else 2),
    )
