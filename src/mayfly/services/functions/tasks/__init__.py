"""Asynchronous invocations as tasks: their order, their delivery, their records, and what may be asked of them."""
