"""Logs (and, later, metrics, alarms and traces): what functions and services say about themselves.

Functions write through `ports.Logs`; people read through CloudWatch Logs operations and `mayfly logs`.
"""
