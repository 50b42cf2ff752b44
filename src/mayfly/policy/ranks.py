"""The order of work that waits: priority, and age, in one number that never changes.

A point of priority is worth a minute of waiting. So of two tasks that wait, the same one is ahead for as long as both
do, and the rank can be written down when a task is accepted. Nobody starves: a task is behind others of its tenant for
no longer than they were accepted within the minutes by which their priority is higher, 200 at most, after it.
"""

LEAST, MOST = -100, 100
POINT_S = 60.0


def rank(priority: int, accepted_at: float) -> int:
    """Higher goes first; equal ones by their order. `accepted_at` in Unix seconds."""
    if not LEAST <= priority <= MOST:
        raise ValueError(f"a priority lies between {LEAST} and {MOST}, not at {priority}")
    return priority - int(accepted_at // POINT_S)
