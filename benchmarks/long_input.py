"""Time, memory and FLOPs of one layer's self-attention by length: `python -m benchmarks.long_input --lengths 64 512 4096`.

One sequence, forward and backward as in training. What a mechanism sees grows as its paper has it: stride sqrt(N), one LSH
bucket for 32 positions, fixed width and rank. Time is the best of `--repeats`; memory is what the two passes hold at once,
without parameters and input, so a kernel that never writes N^2 weights down is not charged for them.
"""

import argparse
import math
import time

import torch
from torch.utils.flop_counter import FlopCounterMode

from seq2seq.attention.build import build_self_attention
from seq2seq.attention.mechanisms import SelfAttention
from seq2seq.config.transformer import StackSettings
from seq2seq.report.analysis.costs import LiveBytes

LENGTHS = (64, 128, 256, 512, 1024, 2048, 4096, 8192)
HIDDEN, HEADS = 256, 4


def mechanisms(length: int) -> dict[str, dict[str, object]]:
    """Settings of every mechanism for a length."""
    return {
        "full": {"kind": "full"},
        "window": {"kind": "window", "width": 64},
        "strided": {"kind": "strided", "stride": round(math.sqrt(length))},
        "linformer": {"kind": "linformer", "max_length": length, "rank": 64},
        "lsh": {"kind": "lsh", "buckets": max(2, length // 64 * 2), "rounds": 2},
        "linear": {"kind": "linear"},
    }


def build(length: int, kind: str, causal: bool) -> SelfAttention:
    """One layer's self-attention with fresh parameters, the same at each call."""
    torch.manual_seed(1)
    attention = {"heads": HEADS, "mechanism": mechanisms(length)[kind]}
    return build_self_attention(StackSettings(hidden_size=HIDDEN, self_attention=attention), causal=causal)


def measure(length: int, kind: str, *, causal: bool, repeats: int) -> dict[str, float]:
    """Milliseconds, MiB and GFLOPs of a forward and a backward pass over one sequence."""
    attention = build(length, kind, causal)
    states = torch.randn(1, length, HIDDEN, requires_grad=True)

    def both() -> None:
        attention(states).square().sum().backward()

    both()
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        both()
        seconds.append(time.perf_counter() - began)
    with LiveBytes(attention) as live:
        both()
    with FlopCounterMode(display=False) as counter:
        both()
    return {"ms": 1000 * min(seconds), "MiB": live.peak / 2**20, "GFLOPs": counter.get_total_flops() / 1e9}


def main() -> None:
    """Print a Markdown table for each quantity."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lengths", type=int, nargs="+", default=LENGTHS)
    parser.add_argument("--causal", action="store_true", help="as in a decoder; without linformer, which cannot be")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    kinds = [kind for kind in mechanisms(64) if not (arguments.causal and kind == "linformer")]
    found = {
        kind: [measure(n, kind, causal=arguments.causal, repeats=arguments.repeats) for n in arguments.lengths]
        for kind in kinds
    }
    for quantity in ("ms", "MiB", "GFLOPs"):
        print(f"\n| {quantity} | {' | '.join(f'{n:,}' for n in arguments.lengths)} |\n|---|{'---:|' * len(arguments.lengths)}")
        for kind, rows in found.items():
            print(f"| {kind} | {' | '.join(f'{row[quantity]:,.3g}' for row in rows)} |")


if __name__ == "__main__":
    main()
