"""The picture in the README holds: a file imports from smaller layers or from its own folder, and settings know no torch."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "seq2seq"

LAYERS = {
    0: ["__init__", "errors", "data_files", "config", "tokenizer", "progress", "environment"],
    1: ["corpus", "grammar", "batching", "masks", "machine", "dropout"],
    2: ["attention"],
    3: ["models"],
    4: ["loss", "schedule", "optimizer", "search", "metrics", "statistics", "translation"],
    5: [
        *("checkpoint", "run_folder", "validation", "monitor", "trainer", "training_run", "study_runner"),
        *(
            "evaluation",
            "interactive",
            "report",
            "reporting",
            "publish",
            "analysis",
            "describe",
            "matching",
            "devices",
            "cluster",
            "explore",
            "budget",
            "journal",
            "replay",
            "sharding",
            "update",
        ),
        "catalogue",
    ],
    6: ["cli", "__main__"],
}
LAYER_OF = {name: number for number, names in LAYERS.items() for name in names}


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


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_downwards(path):
    here = LAYER_OF[part_of(path)]
    for part in imported_parts(path):
        if part in LAYER_OF:
            assert LAYER_OF[part] <= here, f"{path.name} (layer {here}) imports {part} (layer {LAYER_OF[part]})"


def loaded_by(statement):
    code = f"import sys; {statement}; print(' '.join(sys.modules))"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.parametrize("statement", ["import seq2seq", "import seq2seq.config.loading", "import seq2seq.cli"])
def test_light_imports_stay_light(statement):
    assert not {"torch", "datasets", "scipy", "matplotlib", "sacrebleu"} & set(loaded_by(statement))


def test_a_training_command_does_not_pay_for_what_it_may_not_need():
    heavy = {"datasets", "lightning_fabric", "matplotlib", "tensorboard", "scipy", "sacrebleu", "submitit"}
    assert not heavy & set(loaded_by("import seq2seq.training_run"))
