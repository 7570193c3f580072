"""Environment of a run, so that another can be made like it: versions, revision, machine. No path of the machine."""

import os
import platform
import shlex
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import seq2seq

_COMPUTING = ("torch", "numpy", "scipy", "entmax", "safetensors")
_PACKAGES = (*_COMPUTING, "sentencepiece", "datasets", "sacrebleu", "tensorboard", "pydantic")


def describe_environment(arguments: list[str]) -> dict[str, Any]:
    """Return versions, revision, machine and the command with its arguments."""
    return {
        "command": portable_command(arguments),
        "seq2seq": seq2seq.__version__,
        "revision": revision(),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in _PACKAGES},
        "system": f"{platform.system()} {platform.machine()}",
        "processor": processor(),
        "cores": cores(),
    }


def cores() -> int:
    """Return the number of processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def portable_command(arguments: list[str]) -> str:
    """Return a command for a shell without the folders of this machine: of an absolute path only the last part is kept."""

    def portable(text: str) -> str:
        key, sign, value = text.partition("=")  # of --out=DIR and --set data.path=DIR
        return Path(text).name if Path(text).is_absolute() else f"{key}{sign}{portable(value)}" if sign else text

    return shlex.join(["seq2seq", *map(portable, arguments)])


def revision() -> str | None:
    """Return the git commit of the source tree, with '+' where it has changes; None for an installed package."""
    root = Path(seq2seq.__file__).resolve().parent.parent
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), "describe", "--always", "--exclude=*", "--abbrev=12", "--dirty=+"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None


def processor() -> str:
    """Return the processor's name and, where there is one, the accelerator's."""
    names = []
    info = Path("/proc/cpuinfo")
    if info.is_file():
        lines = (line for line in info.read_text().splitlines() if line.startswith("model name"))
        names += [next(lines, "").partition(":")[2].strip()]
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        names.append(torch.cuda.get_device_name())
    return ", ".join(name for name in names if name) or platform.processor() or "unknown"
