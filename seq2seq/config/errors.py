"""The two ways a command can end badly, kept apart because a person has to react differently to each."""


class UserError(Exception):
    """A mistake the person at the keyboard can mend; shown as one line on stderr, exit status 2.

    The message says what is wrong, where (dotted path, or file and line) and what to do about it.
    """


class RunError(Exception):
    """A run that started correctly and could not finish; exit status 1. What it had is kept on disk."""


FREE_SPACE = "free space or mend the permissions, then run the same command again"
"""Advice about a disk that cannot be written to."""


def counted(count: int, noun: str) -> str:
    """Return `1 line`, `2,000 lines`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def first_line(error: Exception) -> str:
    """Return the first line of a library's error; the rest is an account of how it came about."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
