"""Capacity by demand and by the clock: AWS Application Auto Scaling, for provisioned concurrency of functions."""
