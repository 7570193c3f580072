"""How fast this project is, beside plain torch and the machine's own matrix product: `python -m benchmarks`."""
