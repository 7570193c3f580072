"""Identity of a run: the settings that decide its weights, and those that may change while it stays the same run."""

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any, NamedTuple

from seq2seq.config.differences import described, flatten

BOOKKEEPING = (
    "training.seeds",
    "training.log_every",
    "training.save_every",
    "training.non_finite",
    "training.halve_on_oom",
    "training.shard",
    "data.path",
    "data.streaming",
)
"""Other runs of the system, how much is written down, how an accident is met, where the corpus lies (its sentences are asked
for by fingerprint): no number of a run depends on them."""
EVALUATION = ("data.test", "search")
"""What is translated with the weights and how: another choice is another translation by the same run."""
LIMITS = ("training.max_steps", "training.max_target_tokens", "training.max_minutes", "training.patience")
"""When training ends: raised, the same run is trained longer."""
_RETIRED = {"data.concatenate": 1}
"""Settings that are gone, with the value at which they did nothing."""
_FALLING = ("linear", "cosine")
"""Schedules whose rate depends on max_steps at every step."""


class Changes(NamedTuple):
    """Changes between two configs of one run folder, as `path: 1 there, 2 here`."""

    identity: list[str]
    """Settings that decide the weights, and limits that were lowered: this is another run."""
    raised: list[str]
    """Limits of training that were raised."""


def identity(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a run's plain settings that, with its seed, its data and its limits, decides its weights.

    Nested as given; a corpus card that is named by its path keeps its file name only.
    """
    kept = _without(config, (*BOOKKEEPING, *EVALUATION, *LIMITS))
    data = kept.get("data")
    if isinstance(data, dict) and str(data.get("corpus")).endswith((".yaml", ".yml")):
        kept["data"] = {**data, "corpus": PurePath(data["corpus"]).name}
    return kept


def comparable(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a run's settings in which systems can differ so that a reader has to know: all but bookkeeping."""
    return _without(config, BOOKKEEPING)


def _without(config: Mapping[str, Any], paths: tuple[str, ...], at: str = "") -> dict[str, Any]:
    kept = {}
    for key, value in config.items():
        path = f"{at}.{key}" if at else key
        if path not in paths and _RETIRED.get(path, ...) != value:
            kept[key] = _without(value, paths, path) if isinstance(value, Mapping) else value
    return kept


def changes(there: Mapping[str, Any], here: Mapping[str, Any]) -> Changes:
    """Compare the config that a run was made with and another one for its folder."""
    before, after = flatten(there), flatten(here)
    lowered: list[str] = []
    raised: list[str] = []
    for path in LIMITS:
        old, new = before.get(path), after.get(path)
        if old != new:
            longer = old is not None and (new is None or new > old)
            (raised if longer else lowered).append(f"{path}: {old} there, {new} here")
    refused = [*described(identity(there), identity(here)), *lowered]
    return Changes(refused, raised)


def why_not_longer(there: Mapping[str, Any], here: Mapping[str, Any]) -> str | None:
    """Say why a run with config `there` cannot be trained on to the raised limits of `here`; None if it can."""
    training, wanted = there.get("training", {}), here.get("training", {})
    schedule = training.get("schedule", {}).get("kind")
    if training.get("max_steps") == wanted.get("max_steps") or schedule not in _FALLING:
        return None
    return (
        f"its {schedule} schedule was laid out for {training['max_steps']:,} steps, so every rate so far would have been "
        "another; train it from the start (--out DIR), or use schedule inverse_root or constant, which can be continued"
    )


def same_search(there: Mapping[str, Any], here: Mapping[str, Any]) -> bool:
    """Whether two search settings give the same translations; the batch size never matters, nor an option unknown then."""
    return all(here.get(key) == value for key, value in there.items() if key != "batch_tokens")
