"""Front processes: several that accept on the public port and run calls themselves, beside one core that knows all.

`messages` is what core and fronts say to each other and `link` how. In a front, `intake` tells the requests that it may
answer from the others, `connections` hands a connection over, `entries` and `leases` hold what the core gave away, and
`calls` runs functions on it. In the core, `desk` answers one front, `process` is one from start to end, and
`supervisor` keeps them all.
"""
