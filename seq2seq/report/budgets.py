"""Which budgets agree between systems. A score bought with more parameters or more training is not the same score."""

from collections.abc import Mapping

from seq2seq.report.schema import Fairness, SystemReport

BUDGETS = {
    "parameters": ("parameters", 0.01),
    "updates": ("steps", 0.0),
    "training tokens": ("target_tokens", 0.01),
    "wall-clock": ("seconds", 0.05),
}
"""Name -> (field of a system, largest relative difference that still counts as equal)."""


def compare_budgets(systems: Mapping[str, SystemReport]) -> Fairness:
    """Say which budgets are equal over all systems, and by how much the others differ."""
    regimes, spread, unknown = [], {}, []
    for name, (key, tolerance) in BUDGETS.items():
        values = [getattr(system, key) for system in systems.values()]
        if any(value is None or value <= 0 for value in values):
            unknown.append(name)
            continue
        spread[name] = max(values) / min(values)
        if spread[name] - 1 <= tolerance:
            regimes.append(f"equal {name}")
    return Fairness(regimes=regimes, spread=spread, sentence=_sentence(len(systems), regimes, spread, unknown))


def _sentence(count: int, regimes: list[str], spread: Mapping[str, float], unknown: list[str]) -> str:
    if count < 2:
        return "One system, so there is no budget to compare."
    unequal = [f"{name} by a factor of {ratio:.3g}" for name, ratio in spread.items() if f"equal {name}" not in regimes]
    parts = [f"The systems have {_listed(regimes)}." if regimes else "No budget agrees between the systems."]
    if unequal:
        parts.append(f"They differ in {_listed(unequal)}: a larger or longer trained system may be ahead for that reason.")
    if unknown:
        parts.append(f"Not recorded for every system: {_listed(unknown)}.")
    return " ".join(parts)


def _listed(words: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
