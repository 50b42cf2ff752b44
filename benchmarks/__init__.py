"""How fast Mayfly is, and how much memory it takes, each figure beside a floor measured in the same run.

`make bench` runs everything; `python -m benchmarks --only warm` one part. Machines differ and are noisy: read the
ratios, not the milliseconds.
"""
