"""Differences of nested plain data: settings of two runs or many, a stored report and the same one made again."""

import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from seq2seq.config.base import CHOICES

_UNSET = (None, "auto")


def differences(
    before: Any, after: Any, path: str = "", *, equal: Callable[[Any, Any], bool] = operator.eq
) -> Iterator[tuple[str, Any, Any]]:
    """Yield (dotted path, before, after) of every leaf of mappings, lists and scalars in which two differ, by `equal`.

    A key that is absent counts as None, and as "auto": an option that came later and is not used is no difference. Two parts
    of different kinds are one difference, their kinds, since the options of one do not apply to the other. Lists of the same
    length are compared item by item. `path`, that of both, is put before every path below.
    """
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        kinds = [choice for choice in CHOICES if before.get(choice) != after.get(choice)]
        if kinds:
            yield path or kinds[0], before.get(kinds[0]), after.get(kinds[0])
            return
        for key in dict.fromkeys((*before, *after)):
            yield from differences(before.get(key), after.get(key), f"{path}.{key}" if path else key, equal=equal)
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, pair in enumerate(zip(before, after, strict=True)):
            yield from differences(*pair, f"{path}.{index}", equal=equal)
    elif not equal(before, after) and not (before in _UNSET and after in _UNSET):
        yield path, before, after


def described(before: Any, after: Any) -> list[str]:
    """Return the differences as `a.b: 1 there, 2 here`."""
    return [f"{path}: {there} there, {here} here" for path, there, here in differences(before, after)]


def flatten(value: Any, path: str = "") -> dict[str, Any]:
    """Return nested mappings as dotted path -> leaf; lists are leaves."""
    if not isinstance(value, Mapping) or not value:
        return {path: value} if path else {}
    leaves: dict[str, Any] = {}
    for key, item in value.items():
        leaves |= flatten(item, f"{path}.{key}" if path else str(key))
    return leaves


def differing(named: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return dotted path -> name -> leaf for every path at which some of the nested mappings differ.

    A path that one of them does not have is left out for that one.
    """
    flat = {name: flatten(value) for name, value in named.items()}
    paths = dict.fromkeys(path for leaves in flat.values() for path in leaves)
    found = {path: {name: leaves[path] for name, leaves in flat.items() if path in leaves} for path in paths}
    return {
        path: values
        for path, values in found.items()
        if len(values) < len(flat) or any(value != next(iter(values.values())) for value in values.values())
    }
