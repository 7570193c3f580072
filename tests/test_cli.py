"""A person's mistakes on the command line: one line on stderr, exit status 2, no traceback."""

import errno
import io
import os
import re

import pytest

from seq2seq.cli import main
from seq2seq.config.data_files import shipped_studies
from seq2seq.config.files import write_aside
from seq2seq.config.loading import load_study
from tests.tiny import tiny_study, write_study


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train"], "Missing argument 'STUDY'"),
        (["train", "nowhere.yaml"], "nowhere.yaml: no such file"),
        (["describe", "demmo"], "demmo: no such file, and no study of this name ships"),
        (["train", "{study}", "--foo"], "No such option: --foo"),
        (["train", "{study}", "--system", "aditive"], "did you mean 'additive'?"),
        (["train", "{study}", "--set", "training.max_stepz=3"], "did you mean 'max_steps'?"),
        (["train", "{study}", "--cluster-option", "slurm_partition=gpu"], "goes with --cluster slurm"),
        (["train", "{study}", "--cluster", "slurm", "--jobs", "2"], "a cluster places its jobs itself"),
        (["report", "nowhere"], "nowhere: no such folder"),
        (["translate", "nowhere"], "no run here"),
        (["translate", "nowhere", "--max-length", "65537"], "Invalid value for '--max-length'"),
        (["describe", "{study}", "--set", "model.attention.score=aditive"], "did you mean 'additive'?"),
    ],
)
def test_mistakes_are_one_line(tmp_path, capsys, arguments, message):
    study = str(write_study(tmp_path))
    assert main([argument.replace("{study}", study) for argument in arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message in error
    assert error.count("\n") == 1


def test_a_full_disk_is_one_line(tmp_path, capsys, monkeypatch):
    """Of any command; a failure that is no matter of the disk keeps its traceback."""

    def full(_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("seq2seq.report.study.report_study", lambda runs, **_: write_aside(runs / "report.json", "{}"))
    monkeypatch.setattr("os.fsync", full)
    number = errno.ENOSPC
    assert main(["report", str(tmp_path)]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"error: {tmp_path / 'report.json'}: No space left on device; free space")
    assert not list(tmp_path.iterdir())
    number = errno.EBADF
    with pytest.raises(OSError, match="Bad file"):
        main(["report", str(tmp_path)])


@pytest.mark.parametrize("arguments", [[], ["-h"]])
def test_no_arguments_or_a_short_flag_show_help(capsys, arguments):
    assert main(arguments) == 0
    assert "Commands:" in capsys.readouterr().out


def test_studies_that_ship_are_listed_and_found_by_name(capsys):
    assert main(["studies"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(shipped_studies())
    demo = next(line for line in lines if line.startswith("demo "))
    assert re.split(" {2,}", demo)[1:] == ["grammar en-de", "none, additive, dot", load_study("demo").header.question]


def test_the_shell_completes_commands(monkeypatch, capsys):
    for name, value in {"_SEQ2SEQ_COMPLETE": "complete_bash", "COMP_WORDS": "seq2seq tra", "COMP_CWORD": "1"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit):
        main([])
    assert capsys.readouterr().out.split() == ["train", "translate"]


def test_from_training_to_report_and_translation(tmp_path, capsys, monkeypatch):
    study = write_study(tmp_path, tiny_study(training={"max_steps": 4}))
    runs = tmp_path / "runs"
    assert main(["train", str(study), "--out", str(runs)]) == 0
    assert main(["train", str(study), "--out", str(runs)]) == 0
    assert capsys.readouterr().err.count("is finished; skipped") == 2
    assert main(["report", str(runs)]) == 0
    assert "source words" in capsys.readouterr().out
    assert {"index.html", "report.md", "report.json", "bleu_by_length.png"} <= {p.name for p in (runs / "report").iterdir()}
    assert main(["report", str(runs), "--verify"]) == 0
    standard_input = io.TextIOWrapper(io.BytesIO(b"The dog sleeps.\n\nA cat.\n"))
    monkeypatch.setattr("sys.stdin", standard_input)
    capsys.readouterr()
    assert main(["translate", str(runs / "additive" / "seed-1")]) == 0
    lines = capsys.readouterr().out.split("\n")
    assert len(lines) == 4
    assert lines[1] == ""


@pytest.mark.usefixtures("no_figures")
def test_a_run_with_a_class_of_its_own_is_reported_only_when_allowed(tmp_path, capsys, monkeypatch):
    code = "import torch\nfrom seq2seq.attention.scores import Score\n\n\nclass Distance(Score):\n"
    code += "    formula = source = expects = 'ours'\n\n    def forward(self, query, keys):\n        return -torch.cdist(query, keys)\n"
    (tmp_path / "own_score_of_a_test.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    study = tiny_study(training={"max_steps": 2})
    study["systems"] = {"none": {}, "own": {"model": {"attention": {"score": "own_score_of_a_test:Distance"}}}}
    runs = tmp_path / "runs"
    assert main(["train", str(write_study(tmp_path, study)), "--out", str(runs)]) == 0
    capsys.readouterr()
    assert main(["report", str(runs)]) == 2
    assert "give --allow-code" in capsys.readouterr().err
    assert main(["report", str(runs), "--allow-code"]) == 0
