import mmap

import pytest
import torch

from benchmarks.memory import own_memory, peak_memory
from benchmarks.stamps import Stamps


def test_a_step_has_the_tokens_seen_before_it():
    found = []
    stamps = Stamps(warm=1, steps=2, done=found.append)
    weight = torch.nn.Parameter(torch.ones(1))
    optimizer = torch.optim.SGD([weight], lr=0.1)
    for step in range(4):  # the last is after the end
        real = torch.ones(2, 3, dtype=torch.bool)
        real[1, 2] = False
        stamps.saw(real, torch.ones(2, step + 1, dtype=torch.bool))
        weight.sum().backward()
        optimizer.step()
    (figures,) = found
    assert figures["source_length"] == 5 / 2
    assert figures["target_length"] == (2 + 3) / 2  # steps 1 and 2
    assert figures["tokens_per_step"] == 5
    assert figures["real_share"] == (10 + 10) / (12 + 10)
    assert figures["tokens_per_second"] > 0
    assert figures["memory_mib"] > 0


def test_a_first_step_cannot_be_timed():
    with pytest.raises(ValueError, match="at least 1"):
        Stamps(warm=0, steps=1, done=print)


def test_memory_is_of_this_process():
    size = 2**26
    before = own_memory()
    with mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as block:  # never pages freed earlier
        block.write(b"\1" * size)
        assert own_memory() - before > size // 2
    assert peak_memory() * 2**20 >= size
