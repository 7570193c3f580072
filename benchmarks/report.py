"""The tables, as Markdown."""

from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.cells import OURS, PLAIN, Row
from benchmarks.systems import SMALL, Sizes, training_flops

CEILING = {"fp32": "fp32 oneDNN", "bf16": "bf16"}
GOALS = {
    "train": {"A1": (2.0, 1.5), "A2": (2.0, 1.5), **dict.fromkeys(SMALL, (None, None))},
    "decode": {"A1": (3.5, None), "A2": (1.1, None)},
}
"""Rate over that of the best other program, with the allocator's defaults and with memory kept."""
PLAIN_GOAL, SMALL_PLAIN_GOAL, FIXED_GOAL = 1.3, 1.5, 0.95
"""Rate of training with `auto` over that of plain torch that keeps its memory (small models), and of a fixed choice."""
START_GOAL = 2.5
_RATE = {"train": "tokens_per_second", "decode": "sentences_per_second"}


def report(machine: dict[str, Any], products: dict[str, Any], rows: Sequence[Row], vocabulary: int) -> str:
    """All tables that have rows, then what the goals of the project come to.

    Args:
        machine: what was measured on.
        products: GFLOP/s of the machine's own matrix product; or why there are none.
        rows: cells and their runs.
        vocabulary: pieces, for the operations a token.
    """
    ceiling = ", ".join(f"{name} {rate:.0f}" for name, rate in products.items() if name not in ("load", "failed")) or "failed"
    head = f"{machine['processor']}, {machine['threads']} threads, torch {machine['torch']}, corpus {machine['corpus']}"
    parts = [f"{head}; products of 1024, GFLOP/s: {ceiling}."]
    tables: dict[str, Callable[[list[Row]], list[str]]] = {
        "train": lambda found: _training(found, products, vocabulary),
        "decode": _decoding,
        "start": _start,
        "scale": _scale,
        "length": _length,
    }
    for kind, table in tables.items():
        found = [row for row in rows if row.cell.kind == kind and row.runs]
        if found:
            parts.append("\n".join(table(found)))
    parts.append("\n".join(goals(rows)))
    return "\n\n".join(part for part in parts if part)


def baseline(rows: Sequence[Row], kind: str, model: str, *, keeps_memory: bool) -> Row | None:
    """The fastest other program in fp32, plain torch where no peer was measured."""
    found = [
        row
        for row in rows
        if (row.cell.kind, row.cell.model, row.cell.precision) == (kind, model, "fp32")
        and row.cell.who != OURS
        and row.cell.keeps_memory == keeps_memory
        and row.good
    ]
    peers = [row for row in found if row.cell.is_peer] or found
    return max(peers, key=lambda row: row.middle(_RATE[kind]) or 0.0) if peers else None


def _training(rows: Sequence[Row], products: dict[str, Any], vocabulary: int) -> list[str]:
    columns = ["training", "target tokens/s", "of the best other", "of it keeping memory", "of the product", "real tokens"]
    lines = _header([*columns, "data wait", "first step, s", "peak memory, MiB", "load"])
    for row in rows:
        if row.failure:
            lines.append(_failed(row, 9))
            continue
        rate = row.middle("tokens_per_second") or 0.0
        source, target = row.middle("source_length") or 0.0, row.middle("target_length") or 1.0
        flops = training_flops(row.cell.model, source, target, Sizes(vocabulary)) / target
        peak = None if row.cell.model in SMALL else products.get(CEILING.get(row.cell.precision, ""))
        cells = [f"{rate:,.0f}", *_ratios(rows, row), _share(rate * flops / 1e9 / peak if peak else None)]
        cells += [_share(row.middle("real_share")), _share(row.middle("data_wait"), 1)]
        cells += [
            _number(row.middle("first_step_seconds"), 1),
            _number(row.middle("memory_mib")),
            _number(row.middle("load"), 1),
        ]
        lines.append(_line(row, cells))
    return lines


def _decoding(rows: Sequence[Row]) -> list[str]:
    columns = ["beam 5, 64 sentences a batch, 16 pieces", "sentences/s", "of the best other", "of it keeping memory"]
    lines = _header([*columns, "peak memory, MiB", "load"])
    for row in rows:
        if row.failure:
            lines.append(_failed(row, 5))
            continue
        rate = row.middle("sentences_per_second") or 0.0
        cells = [f"{rate:,.0f}", *_ratios(rows, row), _number(row.middle("memory_mib")), _number(row.middle("load"), 1)]
        lines.append(_line(row, cells))
    return lines


def _start(rows: Sequence[Row]) -> list[str]:
    lines = _header(["start on a cached corpus", "command to first step, s", "of it processor time, s", "load"])
    for row in rows:
        cells = [_number(row.middle(name), 1) for name in ("first_step_seconds", "processor_seconds", "load")]
        lines.append(_failed(row, 3) if row.failure else _line(row, cells))
    return lines


def _scale(rows: Sequence[Row]) -> list[str]:
    columns = ["embedded corpus", "microseconds a target token", "of the first row", "own memory, MiB", "first step, s"]
    lines = _header([*columns, "load"])
    first = next((row.middle("tokens_per_second") for row in rows if row.good), None)
    for row in rows:
        rate = row.middle("tokens_per_second")
        cells = [_number(1e6 / rate if rate else None, 1), _number(first / rate if rate and first else None, 2)]
        cells += [_number(row.middle("own_memory_mib")), _number(row.middle("first_step_seconds"), 1)]
        cells += [_number(row.middle("load"), 1)]
        lines.append(_failed(row, 5) if row.failure else _line(row, cells))
    return lines


def _length(rows: Sequence[Row]) -> list[str]:
    lines = _header(["attention memory of a pair, S = T", "MiB"])
    for row in rows:
        if row.failure:
            lines.append(_failed(row, 1))
            continue
        lines += [f"| {model}, {length} | {size / 2**20:.1f} |" for model, length, size in row.good[-1]["lengths"]]
    return lines


def goals(rows: Sequence[Row]) -> list[str]:
    """What the goals come to, a line each; only those that can be judged."""
    lines = []
    for kind, models in GOALS.items():
        for model, wanted in models.items():
            own = _rates(rows, kind, model, OURS)
            rate = own.get("auto" if kind == "train" else "fp32")
            for keeps, goal in zip((False, True), wanted, strict=True):
                other = baseline(rows, kind, model, keeps_memory=keeps)
                if other is not None and other.cell.is_peer and goal is not None:
                    name = f"{other.cell.who}{' keeping memory' if keeps else ''}"
                    lines += _judged(f"{kind} {model}", rate, name, other.middle(_RATE[kind]), goal)
            if kind == "train":
                goal = SMALL_PLAIN_GOAL if model in SMALL else PLAIN_GOAL
                plain = max(_rates(rows, kind, model, PLAIN, keeps_memory=True).values(), default=None)
                lines += _judged(f"{kind} {model} auto", rate, "plain torch keeping memory", plain, goal)
                fixed = max((own[name] for name in own if name != "auto"), default=None)
                lines += _judged(f"{kind} {model} auto", rate, "the best fixed choice", fixed, FIXED_GOAL)
    for row in rows:
        seconds = row.middle("first_step_seconds")
        if row.cell.kind == "start" and seconds is not None:
            lines.append(f"- start {row.cell.model}: {seconds:.1f} s, goal {START_GOAL}: {_verdict(seconds <= START_GOAL)}")
    lines += _memory_goals(rows)
    return ["Goals:", "", *lines] if lines else []


def _rates(rows: Sequence[Row], kind: str, model: str, who: str, *, keeps_memory: bool = False) -> dict[str, float]:
    """Rates of a program by precision."""
    names = (kind, model, who, keeps_memory)
    found = [row for row in rows if (row.cell.kind, row.cell.model, row.cell.who, row.cell.keeps_memory) == names]
    return {row.cell.precision: rate for row in found if (rate := row.middle(_RATE[kind])) is not None}


def _judged(what: str, rate: float | None, name: str, other: float | None, goal: float) -> list[str]:
    if not rate or not other:
        return []
    return [f"- {what}: {rate / other:.2f} x {name}, goal {goal}: {_verdict(rate / other >= goal)}"]


def _memory_goals(rows: Sequence[Row]) -> list[str]:
    lines = []
    for model in ("A1", "A2"):
        found = [row for row in rows if (row.cell.kind, row.cell.model) == ("train", model) and row.good]
        others = [row for row in found if row.cell.is_peer]
        own = [row.middle("memory_mib") or 0.0 for row in found if row.cell.who == OURS]
        if others and own:
            least = min(others, key=lambda row: row.middle("memory_mib") or 0.0)
            limit = least.middle("memory_mib") or 0.0
            reached = _verdict(max(own) <= limit)
            lines.append(f"- peak memory {model}: {max(own):.0f} MiB, lowest other {limit:.0f} ({least.cell.who}): {reached}")
    return lines


def _verdict(reached: bool) -> str:
    return "reached" if reached else "missed"


def _ratios(rows: Sequence[Row], row: Row) -> list[str]:
    rate, texts = row.middle(_RATE[row.cell.kind]), []
    for keeps in (False, True):
        other = baseline(rows, row.cell.kind, row.cell.model, keeps_memory=keeps)
        best = other.middle(_RATE[row.cell.kind]) if other else None
        texts.append(f"{rate / best:.2f}" if rate and best else "")
    return texts


def _header(columns: list[str]) -> list[str]:
    return [f"| {' | '.join(columns)} |", "|" + "---|" * len(columns)]


def _line(row: Row, cells: list[str]) -> str:
    return f"| {_named(row)} | {' | '.join(cells)} |"


def _failed(row: Row, columns: int) -> str:
    why = str(row.failure).replace("|", "/")
    return f"| {_named(row)} | failed: {why} |{'  |' * (columns - 1)}"


def _named(row: Row) -> str:
    cell, lost = row.cell, len(row.runs) - len(row.good)
    told = f" ({lost} of {len(row.runs)} rounds failed)" if lost and row.good else ""
    own = f"**{cell.who}**" if cell.who == OURS else cell.who
    precision = cell.precision if cell.kind in _RATE and (not cell.is_peer or cell.who == PLAIN) else ""
    return ", ".join(filter(None, [cell.model, own, precision, "keeps memory" if cell.keeps_memory else ""])) + told


def _share(value: float | None, digits: int = 0) -> str:
    return "" if value is None else f"{value:.{digits}%}"


def _number(value: float | None, digits: int = 0) -> str:
    return "" if value is None else f"{value:.{digits}f}"
