"""Functions: what they are, who may call them, and their invocations. AWS's name on the wire is lambda.

`service.FunctionsService` is built by `app.py`. Instances are the engine's; this package turns functions into the
engine's targets and its outcomes into replies, log lines, usage records and retries.
"""
