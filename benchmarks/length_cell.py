"""Memory that attention keeps for the backward pass, by length, as it is measured.

Each attention module of a model runs forward on real numbers while its graph is held; the growth of this process's own memory
is what it keeps. Several pairs at a time, so that it is much larger than what an allocator rounds up.
"""

import argparse
import ctypes
import gc
import json
import platform
import sys
from typing import Any

import torch

from benchmarks.memory import own_memory
from benchmarks.systems import MODELS, study
from seq2seq.attention.attention import Attention
from seq2seq.attention.mechanisms import SelfAttention
from seq2seq.config.study import RunSettings
from seq2seq.models.build import build_model

LENGTHS = (50, 100, 200, 400)
_ENOUGH = 200 * 2**20


def main() -> None:
    """Print one line of JSON: model, length, bytes of one pair."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--lengths", type=int, nargs="+", default=LENGTHS)
    arguments = parser.parse_args()
    found = []
    for model in MODELS:
        settings = run_settings(model)
        for length in arguments.lengths:
            pairs = max(1, _ENOUGH // (4 * 512 * length * length))  # additive keeps about 512 numbers for two words
            found.append([model, length, measure(settings, length, pairs) / pairs])
    sys.stdout.write("\n" + json.dumps({"lengths": found}) + "\n")


def run_settings(model: str) -> RunSettings:
    """The settings of A1 or A2 as a study resolves them."""
    base = study(model, corpus="grammar", precision="fp32", steps=1)["base"]
    return RunSettings.model_validate({name: base[name] for name in ("data", "tokenizer", "model", "training")})


def measure(settings: RunSettings, length: int, pairs: int) -> int:
    """Bytes kept by all attention modules, each on `pairs` pairs with S = T = length; inputs count."""
    model = build_model(settings.model, source_vocabulary=8, target_vocabulary=8).train()
    inside: list[str] = []
    held: list[Any] = []
    before = _settled_memory()
    for name, module in model.named_modules():
        if isinstance(module, SelfAttention | Attention) and not any(name.startswith(f"{outer}.") for outer in inside):
            inside.append(name)
            held.append(_ask(module, settings.model, name, length, pairs))
    return _settled_memory() - before


def _ask(module: Any, settings: Any, name: str, length: int, pairs: int) -> Any:
    """An answer that holds its graph."""
    part = settings.encoder if name.startswith("encoder.") else settings.decoder
    states, real = torch.randn(pairs, length, part.hidden_size, requires_grad=True), torch.ones(pairs, length, dtype=torch.bool)
    if isinstance(module, SelfAttention):
        return module(states, real)
    memory = torch.randn(pairs, length, _memory_size(settings), requires_grad=True)
    return module(states, module.project_keys(memory, real), need_weights=False)


def _settled_memory() -> int:
    """Own memory after what is free has gone back to the kernel, so that growth is not hidden in it."""
    gc.collect()
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)
    return own_memory()


def _memory_size(settings: Any) -> int:
    encoder = settings.encoder
    return int(encoder.hidden_size * (2 if getattr(encoder, "bidirectional", False) else 1))


if __name__ == "__main__":
    main()
