"""What trained runs can be asked without training: alignment, interventions on the weights, costs, search, probes."""
