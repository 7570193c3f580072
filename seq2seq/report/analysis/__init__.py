"""Analyses of trained runs: alignment, interventions on the weights, costs, search, probes."""
