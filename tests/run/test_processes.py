"""One run shared by several processes: the losses of one, one voice, and an end for all when one of them dies."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.faults.table import TABLE
from tests.tiny import tiny_study, write_study

ROOT = Path(__file__).resolve().parents[2]
TRANSFORMER = {
    "encoder": {"kind": "transformer", "hidden_size": 16, "dropout": 0.0},
    "decoder": {"kind": "transformer", "hidden_size": 16, "dropout": 0.0},
    "attention": {"score": "scaled", "heads": 2},
}


pytestmark = pytest.mark.slow  # each test starts several processes, which wait for each other on a busy machine


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a study without dropout, whose masks would depend on the number of processes."""
    folder = tmp_path_factory.mktemp("distributed")
    quiet = {
        side: {"hidden_size": size, "embedding_size": 12, "dropout": 0.0} for side, size in (("encoder", 8), ("decoder", 16))
    }
    study = tiny_study(training={"log_every": 1, "precision": "fp32"}, model=quiet)
    decay = {"optimizer": "adamw", "weight_decay": 100.0}  # which spares the decoder while the encoder learns alone
    warm = {"pretrain": {"kind": "masked", "steps": 5, "next_sentence": True}, **decay}
    study["systems"] = {
        "additive": study["systems"]["additive"],
        "transformer": {"model": TRANSFORMER},
        "warm": {"model": TRANSFORMER, "training": warm},
    }
    write_study(folder, study)
    return folder


def start(place, out, *extra, processes=1, system="additive"):
    """Start `train.py` in a process group of its own."""
    launch = [sys.executable]
    if processes > 1:
        launch += ["-m", "torch.distributed.run", "--nproc-per-node", str(processes), "--standalone"]
    command = [*launch, str(ROOT / "train.py"), str(place / "tiny.yaml"), "--system", system, "--out", str(place / out), *extra]
    environment = {**os.environ, "SEQ2SEQ_CACHE": str(place / "cache"), "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )


def finish(child, status=0):
    try:
        output, _ = child.communicate(timeout=240)
    except subprocess.TimeoutExpired:
        pytest.fail(f"hangs after: {_kill(child)}")
    assert child.returncode == status, output
    return output


def losses(place, out, system="additive"):
    lines = (place / out / system / "seed-1" / "log.jsonl").read_text().splitlines()
    return [(record["event"], record["step"], record["loss"]) for record in map(json.loads, lines)]


def compare(one, two, what):
    assert [entry[:2] for entry in one] == [entry[:2] for entry in two]
    difference = max(abs(a[2] - b[2]) for a, b in zip(one, two, strict=True))
    print(f"{what}: largest difference among {len(one)} losses {difference:.1e}")
    assert difference < 1e-5


@pytest.fixture(scope="module")
def alone(place):
    """Losses of each system, trained by one process; trained once."""
    found = {}

    def train(system):
        if system not in found:
            finish(start(place, "alone", system=system))
            found[system] = losses(place, "alone", system)
        return found[system]

    return train


@pytest.mark.parametrize(
    ("system", "shard"),
    [
        ("additive", "none"),
        ("transformer", "none"),
        ("additive", "optimizer"),
        ("additive", "full"),
        ("transformer", "full"),
        ("warm", "none"),
        ("warm", "optimizer"),
        ("warm", "full"),
    ],
)
def test_two_processes_give_the_losses_of_one(place, alone, system, shard):
    output = finish(start(place, shard, "--set", f"training.shard={shard}", processes=2, system=system))
    compare(alone(system), losses(place, shard, system), f"1 and 2 processes, {system}, shard {shard}")
    assert output.count("shared by 2 processes") == output.count("finished: 12 steps") == output.count("report:") == 1


@pytest.mark.parametrize(
    ("first", "then", "shard"),
    [
        (2, 1, "none"),
        (1, 2, "none"),
        (2, 1, "optimizer"),
        (1, 2, "optimizer"),
        (2, 1, "full"),
        (1, 2, "full"),
    ],
)
def test_resuming_with_another_number_of_processes(place, alone, first, then, shard):
    out = f"from{first}to{then}{shard}"
    with TABLE.trying("kill -9, then another number of processes"):
        child = start(place, out, "--set", f"training.shard={shard}", processes=first)
        last = place / out / "additive" / "seed-1" / "checkpoints" / "last"
        _wait(child, last.exists)
        _kill(child)
        output = finish(start(place, out, "--set", f"training.shard={shard}", processes=then))
        assert "resumes at step" in output
        compare(alone("additive"), losses(place, out), f"1 process, and {first} then {then}, shard {shard}")


def _wait(child, ready):
    until = time.monotonic() + 200
    while not ready():
        assert child.poll() is None, child.communicate()[0]
        assert time.monotonic() < until
        time.sleep(0.02)


def _ranks(launcher):
    """Process numbers of the processes that torchrun has started, by rank."""
    found = {}
    for place in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((place / "stat").read_text().rpartition(")")[2].split()[1])
            environment = dict(entry.split(b"=", 1) for entry in (place / "environ").read_bytes().split(b"\0") if b"=" in entry)
        except OSError:
            continue
        if parent == launcher and b"RANK" in environment:
            found[int(environment[b"RANK"])] = int(place.name)
    return found


def _kill(child):
    """Kill -9 a command with all its processes, and wait until the last one has let go of its output and of the run's lock.

    Returns what they printed.

    torchrun gives each process a session of its own, so they have to be named one by one: on their own they would finish the run.
    """
    for number in (child.pid, *_ranks(child.pid).values()):
        os.kill(number, signal.SIGKILL)
    return child.communicate()[0]


@pytest.mark.parametrize("rank", [0, 1])
def test_a_dying_process_ends_the_others_and_the_same_command_goes_on(place, alone, rank):
    out = f"dying{rank}"
    with TABLE.trying("one of two processes dies"):
        child = start(place, out, processes=2)
        _wait(child, (place / out / "additive" / "seed-1" / "log.jsonl").exists)
        os.kill(_ranks(child.pid)[rank], signal.SIGKILL)
        output = finish(child, status=1)
        assert f"process {1 - rank} of 2: another process of this run has ended" in output
        finish(start(place, out, processes=2))
        compare(alone("additive"), losses(place, out), f"1 process, and 2 of which rank {rank} died")


def test_a_mistake_is_told_once(place):
    finish(start(place, "mistake", "--set", "training.max_steps=1", processes=2))
    output = finish(start(place, "mistake", "--set", "training.clip_norm=9", processes=2), status=1)
    assert output.count("error: ") == 1
    assert "training.clip_norm: 1.0 there, 9.0 here" in output
