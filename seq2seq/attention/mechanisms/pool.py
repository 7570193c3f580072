"""The past of a beam of hypotheses, kept where it was written: hypotheses change places, keys and values do not."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from seq2seq.attention.keys import Keys

_STEPS = 8
"""For which room is made at once."""


@dataclass
class _Store:
    """Room for the keys and values of B sentences, of which the first `filled` slots are in use; what is not is zero."""

    keys: Tensor
    """(B, H, A, capacity), as the product with queries reads them."""
    values: Tensor
    """(B, H, capacity, Dv)."""
    filled: int

    def copy(self, used: int, capacity: int) -> "_Store":
        """The first `used` slots, in a room of their own."""
        keys = functional.pad(self.keys[..., :used], (0, capacity - used))
        return _Store(keys, functional.pad(self.values[:, :, :used], (0, 0, 0, capacity - used)), used)

    def select(self, sentences: Tensor) -> "_Store":
        """Some of the sentences."""
        return _Store(self.keys.index_select(0, sentences), self.values.index_select(0, sentences), self.filled)


class Pool(NamedTuple):
    """Earlier tokens of N = B * K hypotheses as one pool of P slots a sentence, and who may see which slot.

    Each step adds K slots to a sentence, one a hypothesis. When the beam takes other parents only rows of `table` move;
    copying their keys and values, as a cache a hypothesis must, would cost more than attending to them. All K hypotheses of a
    sentence attend to its whole pool in one product, and `table` masks what is not theirs. Free slots take part, masked: a
    product reads the room as it lies, and would copy a slice of it first.

    A pool is a value: appending writes behind what older pools can see, or to a copy if another pool has written there.
    """

    table: Tensor
    """(N, P), True where the slot belongs to the hypothesis's own past."""
    places: Tensor
    """(P,), the target position of each slot."""
    store: _Store

    @classmethod
    def empty(cls, keys: Keys) -> "Pool":
        """A pool without slots, given keys of no positions for N hypotheses, each its own sentence."""
        rows, device = keys.mask.shape[0], keys.mask.device
        table = torch.zeros(rows, 0, dtype=torch.bool, device=device)
        return cls(table, torch.zeros(0, dtype=torch.long, device=device), _Store(keys.keys.transpose(2, 3), keys.values, 0))

    def append(self, keys: Keys, position: int) -> "Pool":
        """Add one slot for every hypothesis: keys (N, H, 1, A) and values (N, H, 1, Dv) at a target position."""
        rows, used = self.table.shape
        sentences = self.store.keys.shape[0]
        beam = rows // sentences
        store, end = self.store, used + beam
        is_taken = store.filled != used or torch.is_grad_enabled()  # autograd may still need what stands there
        if is_taken or store.keys.shape[3] < end:
            store = store.copy(used, end + _STEPS * beam)
        for part, new in ((store.keys.transpose(2, 3), keys.keys), (store.values, keys.values)):
            part[:, :, used:end] = new.squeeze(2).view(sentences, beam, *new.shape[1:2], -1).transpose(1, 2)
        store.filled = end
        own = torch.eye(beam, dtype=torch.bool, device=self.table.device).repeat(sentences, 1)  # (N, K)
        return Pool(
            table=torch.cat([self.table, own], dim=1),
            places=torch.cat([self.places, self.places.new_full((beam,), position)]),
            store=store,
        )

    def keys(self) -> Keys:
        """All slots, (B, H, capacity, ...), for queries (B, K, ...)."""
        keys, values = self.store.keys.transpose(2, 3), self.store.values
        return Keys(keys=keys, values=values, mask=self.table.new_ones(len(keys), keys.shape[2]))

    def view(self) -> tuple[Tensor, Tensor]:
        """The mask of slots that each hypothesis may see, (B, K, capacity), and the position of each slot, (capacity,)."""
        sentences, _, _, capacity = self.store.keys.shape
        free = (0, capacity - len(self.places))
        mask = functional.pad(self.table, free).view(sentences, -1, capacity)
        return mask, functional.pad(self.places, free)

    def select_rows(self, rows: Tensor) -> "Pool":
        """Keep the hypotheses `rows` (N',), in that order: see `models.interface.index_rows`."""
        sentences = self.store.keys.shape[0]
        owners = rows // (self.table.shape[0] // sentences)  # (N',)
        kept = torch.unique_consecutive(owners)
        if not len(kept) or not torch.equal(owners, kept.repeat_interleave(len(rows) // len(kept))):
            kept = owners  # sentences of unequally many hypotheses: each row becomes its own
        same = len(kept) == sentences and bool((kept == torch.arange(sentences, device=kept.device)).all())
        return Pool(self.table.index_select(0, rows), self.places, self.store if same else self.store.select(kept))
