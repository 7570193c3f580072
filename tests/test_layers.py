"""The picture in the README holds: a file imports from its own room or from a room below, and settings know no torch."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "seq2seq"

ROOMS = [["config"], ["corpus", "scoring", "attention"], ["models"], ["run"], ["report"], ["study"], ["cli"], ["__main__"]]
"""From the bottom up; rooms of one floor do not know each other. The package's own `__init__` knows nothing."""
FLOOR_OF = {room: floor for floor, rooms in enumerate(ROOMS) for room in rooms}


def modules():
    return sorted(PACKAGE.rglob("*.py"))


def part_of(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_parts(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            if name.startswith("seq2seq."):
                yield name.split(".")[1]


def test_every_file_imports_from_its_own_room_or_from_a_room_below():
    against = [
        f"{path.relative_to(PACKAGE)} imports {part}"
        for path in modules()
        for part in imported_parts(path)
        if part != part_of(path) and not FLOOR_OF[part] < FLOOR_OF.get(part_of(path), -1)
    ]
    assert not against, "\n".join(against)


def loaded_by(statement):
    code = f"import sys; {statement}; print(' '.join(sys.modules))"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.parametrize("statement", ["import seq2seq", "import seq2seq.config.loading", "import seq2seq.cli"])
def test_light_imports_stay_light(statement):
    assert not {"torch", "datasets", "scipy", "matplotlib", "sacrebleu"} & set(loaded_by(statement))


def test_a_training_command_does_not_pay_for_what_it_may_not_need():
    heavy = {"datasets", "lightning_fabric", "matplotlib", "tensorboard", "scipy", "sacrebleu", "submitit"}
    assert not heavy & set(loaded_by("import seq2seq.run.train"))
