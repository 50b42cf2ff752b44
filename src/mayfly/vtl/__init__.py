"""Mapping templates: the Velocity Template Language as API Gateway runs it. Pure."""
