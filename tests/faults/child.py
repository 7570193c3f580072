"""Training commands in child processes that start in no time, with something going wrong inside them."""

import multiprocessing
import os
import random
import resource
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

PRELOAD = [
    "seq2seq.cli",
    "seq2seq.run.train",
    "seq2seq.study.runner",
    "torch.utils.tensorboard",
    "sacrebleu",
    "scipy.special",
    "seq2seq.corpus.grammar.generate",
    "tests.faults.child",
]
EVENTS = ("open", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.truncate")


@dataclass
class KilledAtEvent:
    """Dies, as from kill -9, just before the n-th time it touches a file below `root`; counts them where n is 0."""

    root: str
    number: int = 0

    def __call__(self):
        seen = 0

        def hook(event, arguments):
            nonlocal seen
            if event in EVENTS and arguments and str(arguments[0]).startswith(self.root):
                seen += 1
                if seen == self.number:
                    os.kill(os.getpid(), signal.SIGKILL)
                if not self.number:
                    os.write(3, b".")

        if not self.number:
            os.dup2(os.open(self.root + ".events", os.O_CREAT | os.O_WRONLY), 3)
        sys.addaudithook(hook)


@dataclass
class SmallFiles:
    """No file can grow beyond so many bytes: what a full disk does, with another number."""

    size: int

    def __call__(self):
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (self.size, self.size))


@dataclass
class Nobody:
    """Without root's right to write everywhere."""

    def __call__(self):
        if os.getuid() == 0:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)


@dataclass
class LittleMemory:
    """Address space for so many bytes more than now."""

    more: int

    def __call__(self):
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + self.more
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def run(arguments, output, environment, fault):
    """In the child: be the command."""
    os.setsid()
    file = os.open(output, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o666)
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.environ.update(environment)
    import torch

    torch.set_num_threads(1)
    from seq2seq.cli import main
    from seq2seq.run import arithmetic

    arithmetic._SECONDS = 0.0  # as in conftest.py
    if fault is not None:
        fault()
    status = main(arguments)
    sys.stdout.flush()
    os._exit(status)


class Command:
    """`train.py STUDY --out DIR` for one system, in children of a server that has imported everything."""

    def __init__(self, study, out, cache, system="additive"):
        os.environ["PYTHONPATH"] = str(Path(__file__).resolve().parents[2])  # or the server cannot import what it should
        self.context = multiprocessing.get_context("forkserver")
        self.context.set_forkserver_preload(PRELOAD)
        self.study, self.out, self.cache = study, out, cache
        self.output = Path(f"{out}.output")
        self.arguments = ["train", str(study), "--system", system, "--out", str(out), "--jobs", "1"]
        self.folder = out / system / "seed-1"

    def start(self, *extra, fault=None, **environment):
        environment = {"SEQ2SEQ_CACHE": str(self.cache), "OMP_NUM_THREADS": "1", **environment}
        child = self.context.Process(target=run, args=([*self.arguments, *extra], str(self.output), environment, fault))
        child.start()
        return child

    def __call__(self, *extra, fault=None, timeout=240, **environment):
        """Run it to its end; returns exit status and what it printed."""
        before = self.output.stat().st_size if self.output.exists() else 0
        child = self.start(*extra, fault=fault, **environment)
        child.join(timeout)
        assert child.exitcode is not None, f"hangs: {self.output.read_text()[before:]}"
        return child.exitcode, self.output.read_text()[before:]

    def killed_after(self, seconds):
        """Kill it without warning after so many seconds; returns whether it was still at work."""
        child = self.start()
        child.join(seconds)
        alive = child.exitcode is None
        child.kill()
        child.join()
        return alive

    def result(self):
        """Everything that has to be the same, as bytes."""
        import json

        found = {"log": (self.folder / "log.jsonl").read_bytes()}
        for name in ("last", "best", "averaged"):
            place = self.folder / "checkpoints" / name
            for file in ("model.safetensors", "optimizer.safetensors"):
                if (place / file).exists():
                    found[f"{name}/{file}"] = (place / file).read_bytes()
        state = json.loads((self.folder / "checkpoints" / "last" / "state.json").read_text())["state"]
        state["position"].pop("seconds")
        found["state"] = json.dumps(state, sort_keys=True)
        for path in sorted((self.folder / "hypotheses").glob("*.txt")):
            found[path.name] = path.read_bytes()
        return found


def moments(seed, count, longest):
    """So many moments of a run that takes `longest` seconds, some early, none at the same share of it."""
    random_ = random.Random(seed)
    return [longest * (i + random_.random()) / count for i in range(count)]


def now():
    return time.monotonic()
