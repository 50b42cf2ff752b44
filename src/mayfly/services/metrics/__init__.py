"""Metrics and alarms (CloudWatch): numbers over time, and what happens when they cross a line."""
