"""Install without a clone: the wheel in an environment of its own and an empty folder, from the list of studies to a report."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TINY = ["jobs=1", "training.max_steps=2", "training.validate_every=2", "training.save_every=2", "data.grammar.train_pairs=400"]
TINY += ["data.grammar.valid_pairs=42", "data.grammar.test_pairs=84", "training.precision=fp32", "evaluation.resamples=100"]
TINY += ["tokenizer.vocabulary_size=900"]


def run(*command, folder, **environment):
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [str(part) for part in command], cwd=folder, env={**kept, **environment}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ROOT, folder=folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """A fresh environment with the wheel; the libraries that it needs are those of this one."""
    folder = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", "--without-pip", folder, folder=folder)
    python = folder / "bin" / "python"
    run(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", wheel, folder=folder)
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")  # after its own packages on the path
    return folder / "bin" / "seq2seq"


@pytest.mark.slow
def test_the_wheel_works_in_an_empty_folder(installed, tmp_path):
    place = {"folder": tmp_path, "SEQ2SEQ_CACHE": str(tmp_path / "cache"), "OMP_NUM_THREADS": "1"}
    where = run(installed.parent / "python", "-c", "import seq2seq; print(seq2seq.__file__)", folder=tmp_path)
    assert str(installed.parent.parent) in where
    listed = run(installed, "studies", **place)
    assert {path.stem for path in (ROOT / "configs").glob("*.yaml")} == {line.split()[0] for line in listed.splitlines()}
    assert "v . tanh(W_q q + W_k k)" in run(installed, "describe", "demo", **place)
    changes = [part for change in TINY for part in ("--set", change)]
    said = run(installed, "demo", *changes, **place)
    assert "report: runs/demo/report/index.html" in said
    assert (tmp_path / "runs" / "demo" / "report" / "bleu_by_length.png").stat().st_size > 10_000


@pytest.mark.slow
@pytest.mark.parametrize("options", [["--target", "there"], ["--user"]])
def test_other_ways_of_pip_find_the_data(wheel, tmp_path, options):
    base = {"folder": tmp_path, "PYTHONUSERBASE": str(tmp_path / "there")}
    python = Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--break-system-packages"]
    run(*pip, *options, wheel, **base)
    (package,) = (tmp_path / "there").rglob("seq2seq/__init__.py")
    code = "from seq2seq.config.data_files import data_path, shipped_studies as s; print(data_path('papers.yaml'), len(s()))"
    found, count = run(python, "-c", code, PYTHONPATH=str(package.parent.parent), **base).split()
    assert Path(found) == package.parent / "data" / "papers.yaml"
    assert int(count) == len(list((ROOT / "configs").glob("*.yaml")))
