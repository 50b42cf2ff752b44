"""What is scaled in AWS and not here."""

from mayfly.services.stacks.resources.schema import STRING, Partly

_FUNCTIONS = "Mayfly scales the provisioned concurrency of functions (lambda)"
NAMESPACE = Partly(
    {
        "dynamodb": f"{_FUNCTIONS}; a table takes what the machine gives.",
        **dict.fromkeys(
            ("appstream", "cassandra", "comprehend", "custom-resource", "ec2", "ecs", "elasticache", "elasticmapreduce",
             "kafka", "neptune", "rds", "sagemaker", "workspaces"),
            f"{_FUNCTIONS}.",
        ),
    },
    STRING,
)  # fmt: skip
