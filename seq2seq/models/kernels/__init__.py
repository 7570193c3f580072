"""The formulas of `models/` once more, in an order that a CPU computes faster; none is added."""
