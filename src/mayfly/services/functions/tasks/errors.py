"""What is wrong with a request about tasks."""

from mayfly.errors import CallerError


class TaskMissingError(CallerError):
    """There is no such task, or it is not kept any more."""

    def __init__(self, task_id: str) -> None:
        super().__init__(f"there is no task {task_id}; those that succeeded are kept for a day, others for 14 days")


class TaskStateError(CallerError):
    """The task is not, or no longer, in a state in which that can be done."""


class TaskRefusedError(CallerError):
    """What was submitted, or asked for, cannot be; nothing of it was done."""


class NotItsFunctionError(CallerError):
    """Somebody else than the function that runs it reports of a task."""
