"""Many comparisons at once: Holm's correction."""

from collections.abc import Sequence

import numpy as np


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values that keep the chance of any false positive in the family at the level they are compared with.

    Source: Holm 1979, "A simple sequentially rejective multiple test procedure". The smallest of m p-values is multiplied
    by m, the next by m - 1 and so on; an adjusted p is never below that of a smaller p, and never above 1. It needs no
    independence, which matters here: buckets and the whole share sentences, systems share the baseline.

    Args:
        p_values: m values between 0 and 1, in any order.

    Returns:
        m adjusted values in the order of the argument.
    """
    values = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    factors = np.arange(len(values), 0, -1)
    adjusted = np.empty(len(values))
    adjusted[order] = np.minimum(np.maximum.accumulate(values[order] * factors), 1.0)
    return [float(value) for value in adjusted]
