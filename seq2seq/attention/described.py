"""Base of every member of the family: what a row of `docs/attention.md` and a card of a report say of it."""

from typing import ClassVar

from torch import nn


class Described(nn.Module):
    """A part with its formula, where that comes from, and what theory lets one expect of it."""

    formula: ClassVar[str]
    source: ClassVar[str]
    expects: ClassVar[str]
