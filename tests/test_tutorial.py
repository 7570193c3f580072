"""The tutorial: its file is whole, small and offline, and its cells run and say what the text around them says."""

import ast
import json
from pathlib import Path

import pytest

from seq2seq.study.api import read_report

PATH = Path(__file__).resolve().parent.parent / "docs" / "tutorial.ipynb"


def cells(kind):
    return [
        "".join(cell["source"]) for cell in json.loads(PATH.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == kind
    ]


def test_the_file_is_a_small_notebook_whose_cells_are_python():
    nbformat = pytest.importorskip("nbformat")
    nbformat.validate(nbformat.read(PATH, as_version=4))
    assert PATH.stat().st_size < 500_000
    for cell in cells("code"):
        ast.parse(cell)


def test_its_study_loads_and_differs_in_one_line(tmp_path, monkeypatch):
    from seq2seq.config.differences import differences
    from seq2seq.config.loading import load_study

    monkeypatch.chdir(tmp_path)
    exec(next(cell for cell in cells("code") if cell.startswith("study = ")), {"Path": Path})  # writes tutorial.yaml
    systems = load_study("tutorial.yaml").systems
    found = differences(systems["none"].model_dump(mode="json"), systems["additive"].model_dump(mode="json"))
    assert found
    assert all(path.startswith("model.attention.score") for path, *_ in found)


def test_the_pages_it_links_to_are_there():
    links = [part.partition(")")[0] for cell in cells("markdown") for part in cell.split("](")[1:]]
    assert links
    assert all((PATH.parent / link).exists() for link in links)


def test_what_its_cells_said_is_kept_without_a_path_of_any_machine():
    made = [out for cell in json.loads(PATH.read_text(encoding="utf-8"))["cells"] for out in cell.get("outputs", [])]
    assert {out["output_type"] for out in made} == {"stream", "execute_result"}  # no error, nothing on standard error
    assert not any(out.get("name") == "stderr" for out in made)
    assert not any(f"/{place}/" in json.dumps(made) for place in ("home", "tmp", "root"))


@pytest.mark.slow
def test_every_cell_runs_and_attention_keeps_more_than_the_fixed_vector(tmp_path, monkeypatch):
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    monkeypatch.setenv("SEQ2SEQ_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PYTHONPATH", str(PATH.parent.parent))
    notebook = nbformat.read(PATH, as_version=4)
    nbclient.NotebookClient(notebook, timeout=3600, resources={"metadata": {"path": str(tmp_path)}}).execute()
    report = read_report(tmp_path / "runs" / "tutorial").report
    none, additive = (report.systems[name] for name in ("none", "additive"))
    assert additive.length.retention.value > 1.5 * none.length.retention.value
    assert additive.buckets[0].bleu > none.buckets[0].bleu > 20
