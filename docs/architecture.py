"""The drawing and the counts of docs/architecture.md, from the imports: `python docs/architecture.py` writes them."""

import ast
import re
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "seq2seq"
PAGE = ROOT / "docs" / "architecture.md"
KINDS = {".py", ".js", ".css", ".jinja"}


def room_of(path: Path) -> str:
    """Name of the entry of `seq2seq/` that holds a file."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_rooms(path: Path) -> Iterator[str]:
    """Yield the rooms that a file imports from, its own included."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        yield from (name.split(".")[1] for name in names if name.startswith("seq2seq."))


def arrows() -> dict[str, set[str]]:
    """Return for every room the other rooms that it imports from; the package's own `__init__` and `__main__` are no rooms."""
    files = sorted(PACKAGE.rglob("*.py"))
    rooms = {room_of(path) for path in files if not room_of(path).startswith("__")}
    below: dict[str, set[str]] = {room: set() for room in sorted(rooms)}
    for path in files:
        if (room := room_of(path)) in below:
            below[room] |= set(imported_rooms(path)) & rooms - {room}
    return below


def floors(below: dict[str, set[str]]) -> dict[str, int]:
    """Return the floor of every room: one above the highest that it imports from, 0 where there is none.

    Raises:
        graphlib.CycleError: rooms import from each other.
    """
    floor: dict[str, int] = {}
    for room in TopologicalSorter(below).static_order():
        floor[room] = 1 + max((floor[other] for other in below[room]), default=-1)
    return floor


def lines_by_room() -> dict[str, tuple[int, int]]:
    """Return (lines, files) of every room, with scripts, styles and templates."""
    found: dict[str, tuple[int, int]] = {}
    for path in PACKAGE.rglob("*"):
        if path.suffix in KINDS:
            lines, files = found.get(room_of(path), (0, 0))
            found[room_of(path)] = (lines + len(path.read_text(encoding="utf-8").splitlines()), files + 1)
    return found


def drawing(below: dict[str, set[str]]) -> str:
    """Draw the rooms as a Mermaid flowchart; an arrow that others imply is left out."""
    floor = floors(below)
    reach: dict[str, set[str]] = {}
    for room in sorted(below, key=floor.__getitem__):
        reach[room] = below[room].union(*(reach[other] for other in below[room]))
    direct = {room: {o for o in others if not any(o in reach[p] for p in others)} for room, others in below.items()}
    order = sorted(below, key=lambda room: (-floor[room], room))
    edges = [f"  {room} --> {other}" for room in order for other in sorted(direct[room])]
    return "\n".join(["```mermaid", "flowchart TD", *edges, "```"])


def counts(below: dict[str, set[str]]) -> str:
    """Write the table of rooms and the sums under it."""
    floor, sizes = floors(below), lines_by_room()
    order = sorted(below, key=lambda room: (floor[room], room))
    rows = [f"| `{room}` | {floor[room]} | {sizes[room][1]} | {sizes[room][0]:,} |" for room in order]
    total = sum(lines for lines, _ in sizes.values())
    arrow_count = sum(map(len, below.values()))
    house = f"{len(below)} rooms, {max(floor.values()) + 1} floors, {arrow_count} import arrows, none upwards, {total:,} lines."
    return "\n".join(["| room | floor | files | lines |", "| --- | ---: | ---: | ---: |", *rows, "", house])


def filled(text: str) -> str:
    """Return the page with its drawing and its counts made again."""
    below = arrows()
    for name, content in (("drawing", drawing(below)), ("counts", counts(below))):
        block = re.compile(rf"(<!-- {name}:begin -->\n).*?(<!-- {name}:end -->)", re.DOTALL)
        text = block.sub(lambda m, content=content: f"{m[1]}{content}\n{m[2]}", text)  # type: ignore[misc]
    return text


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
