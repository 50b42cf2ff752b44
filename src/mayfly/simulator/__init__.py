"""Replays traces of calls through policies in virtual time, and makes traces to replay; called by `cli/simulate.py`."""
