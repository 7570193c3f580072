"""The record of a run says how to repeat it and nothing of the machine's folders."""

import json

from seq2seq.run.environment import describe_environment, portable_command


def test_absolute_paths_are_shortened():
    arguments = ["train", "configs/demo.yaml", "--out", "/home/somebody/runs/demo"]
    assert portable_command(arguments) == "seq2seq train configs/demo.yaml --out demo"


def test_versions_and_machine_are_there():
    found = describe_environment(["report", "runs/demo"])
    assert found["command"] == "seq2seq report runs/demo"
    assert found["packages"]["torch"]
    assert found["cores"] >= 1
    json.dumps(found)
