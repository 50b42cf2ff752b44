"""Pipes: from one source, through a filter, an enrichment and a transformation, to one target.

Each running pipe is a `Runner`, kept by the `Driver` in the state that is stored. A batch is taken from the source,
goes through the steps, and is removed from the source in the transaction that hands it to the target, where that is a
local one; after the call that did, where it is not. So every record has its effect at least once, and exactly once on a
target that shares the transaction.
What fails stays in the source, whose own rules (visibility, redrive) say what follows.
"""
