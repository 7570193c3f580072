"""What differs between two resolved settings, for people: the paths that a change was made at, not all that follows from it."""

from typing import Any


def differences(before: Any, after: Any, path: str = "") -> list[tuple[str, Any, Any]]:
    """List (dotted path, before, after) of plain data.

    Two parts of different kinds are one difference, their kinds: the options of one do not apply to the other.
    """
    if not (isinstance(before, dict) and isinstance(after, dict)):
        return [] if before == after else [(path, before, after)]
    for choice in ("kind", "architecture"):
        if before.get(choice) != after.get(choice):
            return [(path or choice, before.get(choice), after.get(choice))]
    found = []
    for key in dict.fromkeys((*before, *after)):
        found += differences(before.get(key), after.get(key), f"{path}.{key}" if path else key)
    return found
