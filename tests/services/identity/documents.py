"""Policy documents that several tests use."""

import json
from typing import Any


def trust(principal: Any, condition: Any = None, effect: str = "Allow", action: Any = "sts:AssumeRole") -> str:
    """A trust policy of one statement."""
    statement = {"Effect": effect, "Principal": principal, "Action": action}
    if condition is not None:
        statement["Condition"] = condition
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


LAMBDA_TRUST = trust({"Service": "lambda.amazonaws.com"})
READ_S3 = json.dumps(
    {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}}
)
