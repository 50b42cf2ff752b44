"""Queues: SQS on the wire."""
