"""Schedules and their groups: EventBridge Scheduler on the wire.

A schedule's next moment is a row of the ticker; what a tick does (hand an event to a local target, or put a delivery
into the ready queue) and the moment that follows are one commit. `timing` says when, `firing` what a tick does,
`rendering` what the target gets, `deliveries` makes the calls that are no local hand-over, and retries.
"""
