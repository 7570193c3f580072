"""The cost of systems: quality against it, and time and memory against sentence length."""

from collections.abc import Iterator, Mapping
from functools import partial

from seq2seq.report.charts import Figure, Point, line_chart, scatter
from seq2seq.report.crowd import lines_of, style_of
from seq2seq.report.schema import Report
from seq2seq.report.values import Cell, Measured, Table, bleu


def costs_of(report: Report) -> dict[str, dict[str, float]]:
    """Axis title -> system -> value, for every cost in which systems differ by more than one per cent."""
    systems, measured = report.systems, report.costs or {}
    (at, together), unit = decoding_length(report), report.length_unit
    known: dict[str, dict[str, float | None]] = {
        f"decoding, ms per sentence of {at} {unit} ({together} at a time)": {
            name: next((p.ms_per_sentence for p in cost.by_length if p.length == at), None) for name, cost in measured.items()
        },
        "parameters": {name: system.parameters for name, system in systems.items()},
        "training, minutes": {name: system.seconds and system.seconds / 60 for name, system in systems.items()},
        "training, target tokens": {name: system.target_tokens for name, system in systems.items()},
        "training, target tokens per second": {name: cost.training_tokens_per_second for name, cost in measured.items()},
        "training, FLOPs per target token": {name: cost.flops_per_token for name, cost in measured.items()},
        "share of heads used": _used({name: cost.heads_used for name, cost in measured.items()}),
        "mean span, share of the widest": {name: cost.positions_used for name, cost in measured.items()},
    }
    found = {
        label: {name: float(v) for name, v in values.items() if v is not None and name in systems}
        for label, values in known.items()
    }
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


def cost_figure(report: Report) -> Figure | None:
    """Draw score against each cost; None where costs are unknown or there is one system."""
    costs = costs_of(report)
    if not costs or len(report.systems) < 2:
        return None

    def point(name: str, label: str) -> Iterator[Point]:
        system, value = report.systems[name], costs[label].get(name)
        low, high = (None, None) if len(system.seeds) < 3 else (system.low, system.high)
        if value is not None:
            yield Point(x=value, y=system.bleu, low=low, high=high, note=f"{label}: {value:,.4g}")

    views = {(label,): lines_of(report, partial(point, label=label)) for label in costs}
    fronts = [_front(report, values, more="per second" in label) for label, values in costs.items()]
    rows: list[list[Cell]] = [
        [name, *(Measured(c.get(name), digits=0 if c.get(name, 0) > 100 else 2) for c in costs.values()), bleu(system)]
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


def _front(report: Report, costs: Mapping[str, float], *, more: bool) -> list[str]:
    """Systems that no other beats in score and cost, the cheapest first."""
    price = {name: (-value if more else value, -report.systems[name].bleu) for name, value in costs.items()}
    beaten = {
        name
        for name, own in price.items()
        if any(other != own and other[0] <= own[0] and other[1] <= own[1] for other in price.values())
    }
    return sorted((name for name in price if name not in beaten), key=lambda name: price[name])


def cost_by_length_figure(report: Report) -> Figure | None:
    """Draw time and memory of decoding by source length; None where they were not measured."""
    at = decoding_length(report)[1]
    kinds = {
        f"decoding, ms per sentence ({at} at a time)": ("ms_per_sentence", 1.0),
        "peak memory of decoding, MiB": ("peak_bytes", 2.0**-20),
    }

    costs = report.costs or {}

    def points(name: str, field: str, unit: float) -> Iterator[Point]:
        for each in costs[name].by_length if name in costs else ():
            if (value := getattr(each, field)) is not None:
                yield Point(x=each.length, y=unit * value, note=f"{each.length} source {report.length_unit}")

    found = {(label,): lines_of(report, partial(points, field=field, unit=unit)) for label, (field, unit) in kinds.items()}
    views = {view: lines for view, lines in found.items() if lines}
    if not views:
        return None
    lines = next(iter(views.values()))
    lengths = sorted({point.x for line in lines for point in line.points})
    known = {line.system: {point.x: Measured(point.y) for point in line.points} for line in lines}
    rows: list[list[Cell]] = [[name, *(some.get(length, Measured(None)) for length in lengths)] for name, some in known.items()]
    return Figure(
        name="cost_by_length",
        title="Cost against sentence length",
        caption="The reference is fed step by step: the same work for every system, measured after training.",
        spec=line_chart(views, style_of(report), x=f"source length in {report.length_unit}", switches=("Cost",)),
        table=Table(heads=["system", *(f"{length:g} {report.length_unit}" for length in lengths)], rows=rows),
    )
