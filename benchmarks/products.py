"""The ceiling: what the machine's own matrix product reaches, in the three ways that torch can compute it on a CPU.

`python -m benchmarks.products` prints one line of JSON.
"""

import json
import sys
import time

import torch


def measure_products(size: int = 1024, seconds: float = 0.5) -> dict[str, float]:
    """GFLOP/s of a square product, the best of five short runs: default fp32, oneDNN fp32 ("medium"), bf16."""
    found = {}
    for name, precision, dtype in (
        ("fp32 default", "highest", torch.float32),
        ("fp32 oneDNN", "medium", torch.float32),
        ("bf16", "medium", torch.bfloat16),
    ):
        torch.set_float32_matmul_precision(precision)
        left, right = torch.randn(size, size).to(dtype), torch.randn(size, size).to(dtype)
        found[name] = max(_rate(left, right, seconds / 5) for _ in range(5))
    return found


def _rate(left: torch.Tensor, right: torch.Tensor, seconds: float) -> float:
    left @ right
    began, count = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        left @ right
        count += 1
    return 2 * left.shape[0] ** 3 * count / (time.perf_counter() - began) / 1e9


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure_products()) + "\n")
