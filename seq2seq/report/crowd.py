"""Studies of many systems: which of them are drawn in colour, and how lists of names stay short."""

from collections.abc import Sequence

from seq2seq.report.schema import Report

CROWD = 8
"""Systems from which on more lines in one figure are no figure."""
_HIGHEST, _LOWEST = 3, 2
_NAMED = 8
_WELL_KNOWN = ("additive", "scaled", "dot", "transformer")


def is_crowd(report: Report) -> bool:
    """Whether the report has more systems than figures and sentences can name."""
    return len(report.systems) > CROWD


def in_focus(report: Report) -> list[str]:
    """Systems drawn in colour: all of a small study; of a crowd the baseline, the well known, the highest and the lowest."""
    if not is_crowd(report):
        return list(report.systems)
    others = [name for name in report.systems if name != report.baseline]
    order = sorted(others, key=lambda name: -report.systems[name].bleu)
    chosen = {str(report.baseline), *_WELL_KNOWN, *order[:_HIGHEST], *order[-_LOWEST:]}
    return [name for name in report.systems if name in chosen]


def named(names: Sequence[str], total: int) -> str:
    """Names as a list, or how many of how many where the list would be long."""
    if len(names) <= _NAMED:
        return ", ".join(names)
    return f"all {total} systems" if len(names) == total else f"{len(names)} of {total} systems"
