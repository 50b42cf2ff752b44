"""The same functions on Mayfly and on what else can be installed, each pair measured back to back.

`make bench-peers` runs everything; `python -m benchmarks.peers --only NAME` one peer, `--list` shows them. A peer is
installed from its own package into `.cache/peers/NAME`, in pinned versions; nothing of it is vendored, imported by
Mayfly, or locked by it.

`subject.py` says what is asked of a subject of measurement, the modules named after peers answer it, `rounds.py` takes
turns, `figures.py` makes figures of the samples and `report.py` shows them.
"""
