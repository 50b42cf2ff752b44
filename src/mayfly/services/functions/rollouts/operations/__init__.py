"""Handlers of the service `codedeploy`, by resource."""
