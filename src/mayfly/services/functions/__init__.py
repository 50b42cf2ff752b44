"""Functions: what they are, who may call them, and their invocations. AWS's name on the wire is lambda.

`service.FunctionsService` is built by `app.py`, and `on_the_wire.FunctionsOnTheWire`, which has the operations and the
features, when somebody asks for one of them or has functions. Instances are the engine's; this package turns functions
into the engine's targets and its outcomes into replies, log lines, usage records and retries.
"""

# The packages with migrations.
MIGRATED = (
    "mayfly.services.functions",
    "mayfly.services.functions.durable",
    "mayfly.services.functions.layers",
    "mayfly.services.functions.mappings",
    "mayfly.services.functions.rollouts",
    "mayfly.services.functions.providers",
    "mayfly.services.functions.signing",
    "mayfly.services.functions.tasks",
)
