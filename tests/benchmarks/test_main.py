import argparse
import json
import subprocess

import pytest

from benchmarks import __main__ as main
from benchmarks.cells import Cell, Row


def answers(monkeypatch, codes):
    """Let the command that prepares corpora answer with a status by corpus."""

    def run(command, **_):
        return subprocess.CompletedProcess(command, codes[command[-1]], "", "multi30k: no network\n")

    monkeypatch.setattr(subprocess, "run", run)


def test_the_embedded_corpus_stands_in_and_one_line_says_so(monkeypatch, capsys):
    answers(monkeypatch, {"multi30k": 2, "grammar": 0})
    assert main.find_corpus("multi30k") == "grammar"
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("corpus grammar in place of multi30k")
    assert line.endswith("multi30k: no network")


def test_nothing_stands_in_for_a_crash_or_for_the_embedded_corpus(monkeypatch):
    answers(monkeypatch, {"multi30k": 1})
    with pytest.raises(SystemExit, match="cannot be prepared"):
        main.find_corpus("multi30k")
    answers(monkeypatch, {"grammar": 2})
    with pytest.raises(SystemExit, match="cannot be prepared"):
        main.find_corpus("grammar")


def test_results_are_stored_after_each_round(monkeypatch, tmp_path, capsys):
    stored = []
    figures = iter([{"sentences_per_second": 10.0}, {"failed": "no result in 9 s"}, KeyboardInterrupt()])

    def run_cell(*_):
        found = next(figures)
        if isinstance(found, BaseException):
            stored.append(json.loads(next(tmp_path.glob("*.json")).read_text()))
            raise found
        return found

    monkeypatch.setattr(main, "run_cell", run_cell)
    arguments = argparse.Namespace(rounds=2, threads=1, corpus="grammar", out=tmp_path)
    rows = [Row(Cell(kind="decode", model=model, command=("nothing",))) for model in ("A1", "A2")]
    with pytest.raises(KeyboardInterrupt):
        main.measure(rows, {"bf16": 1.0}, arguments)
    (result,) = stored
    assert [cell["runs"] for cell in result["cells"]] == [[{"sentences_per_second": 10.0}], [{"failed": "no result in 9 s"}]]
    assert "decode A2 this project, fp32: no result in 9 s" in capsys.readouterr().err
    assert "| A2, **this project**, fp32 | failed: no result in 9 s |" in next(tmp_path.glob("*.md")).read_text()
