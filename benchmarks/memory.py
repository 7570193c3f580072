"""Resident memory of this process, as the kernel counts it."""

import resource
from pathlib import Path

_STATUS = Path("/proc/self/status")


def peak_memory() -> int:
    """MiB of the largest resident memory so far.

    `getrusage` counts what the parent held before it started this program, so the kernel's own mark is taken where it is.
    """
    return _marks().get("VmHWM", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) // 1024


def own_memory() -> int:
    """Bytes resident now that no file backs; 0 where the kernel does not say."""
    return _marks().get("RssAnon", 0) * 1024


def _marks() -> dict[str, int]:
    if not _STATUS.exists():
        return {}
    lines = (line.split() for line in _STATUS.read_text(encoding="utf-8").splitlines())
    return {line[0].rstrip(":"): int(line[1]) for line in lines if line[-1] == "kB"}
