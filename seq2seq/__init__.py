"""Train sequence-to-sequence models whose attention can be switched, and measure what attention does to long sentences.

In a notebook: `seq2seq.train`, `load_run`, `load_runs`, `build_attention`, `draw_attention`, `read_report`; see
`seq2seq.study.api` and docs/tutorial.ipynb.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_API = ("build_attention", "draw_attention", "load_run", "load_runs", "read_report", "train")
__all__ = [*_API, "__version__"]


def __getattr__(name: str) -> Any:
    """Import the functions for notebooks, and torch with them, when the first one is asked for."""
    if name in _API:
        return getattr(import_module("seq2seq.study.api"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_API})
