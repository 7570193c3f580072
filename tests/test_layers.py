"""The picture in the README holds: a file imports from its own room or from a room below, and settings know no torch."""

import importlib.util
import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent / "seq2seq"

ROOMS = [["config"], ["corpus", "scoring", "attention"], ["models"], ["run"], ["report"], ["study"], ["cli"], ["__main__"]]
"""From the bottom up; rooms of one floor do not know each other. The package's own `__init__` knows nothing."""
FLOOR_OF = {room: floor for floor, rooms in enumerate(ROOMS) for room in rooms}


def drawing_script():
    spec = importlib.util.spec_from_file_location("architecture", PACKAGE.parent / "docs" / "architecture.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return script


def test_every_file_imports_from_its_own_room_or_from_a_room_below():
    script = drawing_script()
    against = [
        f"{path.relative_to(PACKAGE)} imports {room}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for room in script.imported_rooms(path)
        if room != script.room_of(path) and not FLOOR_OF[room] < FLOOR_OF.get(script.room_of(path), -1)
    ]
    assert not against, "\n".join(against)


def test_the_drawing_is_what_the_imports_say():
    script = drawing_script()
    below = script.arrows()
    assert script.drawing(below) in script.PAGE.read_text(encoding="utf-8"), "run: make readme"
    assert script.floors(below) == {room: floor for room, floor in FLOOR_OF.items() if room != "__main__"}


FIRST_STEP = """
import torch, seq2seq.run.train
from seq2seq.config.training import TrainingSettings
from seq2seq.run.optimizer import build_optimizer, optimizer_tensors, restore_optimizer
weight = torch.nn.Parameter(torch.ones(3))
optimizer = build_optimizer([weight], TrainingSettings())
optimizer.zero_grad()
weight.sum().backward()
optimizer.step()
restore_optimizer(optimizer, optimizer_tensors(optimizer))
"""


def loaded_by(statements):
    code = f"import sys\n{statements}\nprint(' '.join(sys.modules))"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()


def test_light_imports_stay_light():
    loaded = loaded_by("import seq2seq, seq2seq.config.loading, seq2seq.cli")
    assert not {"torch", "datasets", "scipy", "matplotlib", "sacrebleu"} & set(loaded)


def test_a_training_command_does_not_pay_for_what_it_may_not_need():
    """Not even when it has taken a step, saved and resumed; torch's own optimisers import its compiler (torch._dynamo)."""
    heavy = {"datasets", "lightning_fabric", "matplotlib", "tensorboard", "scipy", "sacrebleu", "submitit", "torch._dynamo"}
    assert not heavy & set(loaded_by(FIRST_STEP))
