"""Which sentences have been met already: 64-bit hashes in flat arrays, 16 bytes a sentence at most."""

import hashlib
from array import array
from typing import TypeAlias

Table: TypeAlias = "array[int]"

_SHARDS = 256
"""Tables that grow on their own, so that never more than 1/256 of the hashes is held twice."""
_FIRST_SLOTS = 8
_FULL = 0.75
_GROWTH = 1.4
"""A table is 0.54 to 0.75 full: 10.7 to 15 bytes for a hash of 8."""


class Seen:
    """A set of texts that remembers their hashes only.

    A new text is taken for one of n others with a chance of n / 2^64. That this happens at all while 5 million different texts
    are added has a chance of n^2 / 2^65 = 6.8e-7, one in a million and a half.
    """

    def __init__(self) -> None:
        self._tables = [array("Q", bytes(8 * _FIRST_SLOTS)) for _ in range(_SHARDS)]
        self._counts = [0] * _SHARDS

    def __len__(self) -> int:
        return sum(self._counts)

    def add(self, text: str) -> bool:
        """Remember a text; returns whether it is new."""
        value = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()) or 1  # 0 marks a free slot
        shard = value % _SHARDS
        if not _put(self._tables[shard], value):
            return False
        self._counts[shard] += 1
        if self._counts[shard] > _FULL * len(self._tables[shard]):
            self._tables[shard] = _larger(self._tables[shard])
        return True


def _put(table: Table, value: int) -> bool:
    """Write a hash into the first free slot from its own on (linear probing); False where it stands already."""
    slots = len(table)
    place = (value // _SHARDS) % slots
    while found := table[place]:
        if found == value:
            return False
        place = (place + 1) % slots
    table[place] = value
    return True


def _larger(table: Table) -> Table:
    larger = array("Q", bytes(8 * int(_GROWTH * len(table))))
    for value in table:
        if value:
            _put(larger, value)
    return larger
