"""The record of a run says how to repeat it and nothing of the machine's folders."""

import json
import shlex

from seq2seq.run.environment import describe_environment, portable_command


def test_absolute_paths_are_shortened():
    arguments = ["train", "configs/demo.yaml", "--out", "/home/somebody/runs/demo"]
    assert portable_command(arguments) == "seq2seq train configs/demo.yaml --out demo"
    joined = ["train", "demo", "--out=/home/somebody/runs/demo", "--set", "data.path=/home/some=body/text"]
    assert portable_command(joined) == "seq2seq train demo --out=demo --set data.path=text"


def test_a_shell_reads_the_same_arguments():
    arguments = ["train", "my study.yaml", "--set", "evaluation.buckets={kind: fixed, edges: [3, 7]}"]
    assert shlex.split(portable_command(arguments)) == ["seq2seq", *arguments]


def test_versions_and_machine_are_there():
    found = describe_environment(["report", "runs/demo"])
    assert found["command"] == "seq2seq report runs/demo"
    assert found["packages"]["torch"]
    assert found["cores"] >= 1
    json.dumps(found)
