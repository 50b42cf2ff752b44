"""Which functions are told to need the AWS SDK for JavaScript."""

from pathlib import Path
from typing import Any

import pytest

from mayfly.cli import sdk_need

ASKING = "const { S3Client } = require('@aws-sdk/client-s3');"


def template(**properties: Any) -> dict[str, Any]:
    function = {"CodeUri": "code", "Runtime": "nodejs22.x", "Handler": "index.handler", **properties}
    return {"Resources": {"Hello": {"Type": "AWS::Serverless::Function", "Properties": function}}}


@pytest.mark.parametrize(
    ("files", "properties", "asks"),
    [
        ({"index.js": ASKING}, {}, True),
        ({"lib/inner.mjs": 'import { S3Client } from "@aws-sdk/client-s3"'}, {}, True),
        ({"index.js": "// @aws-sdk is not needed"}, {}, False),
        ({"index.js": ASKING, "package.json": '{"dependencies": {"@aws-sdk/client-s3": "3"}}'}, {}, False),
        ({"index.js": ASKING, "node_modules/@aws-sdk/client-s3/index.js": ""}, {}, False),
        ({"node_modules/other/index.js": ASKING, "index.js": ""}, {}, False),
        ({"index.js": ASKING}, {"Layers": ["arn:of-the-sdk"]}, False),
        ({"index.js": ASKING}, {"Runtime": "python3.12"}, False),
        ({"index.js": ""}, {"CodeUri": "s3://bucket/key", "InlineCode": ASKING}, True),
    ],
)
def test_code_that_asks_for_the_sdk_and_does_not_bring_it(
    tmp_path: Path, files: dict[str, str], properties: dict[str, Any], asks: bool
) -> None:
    for name, text in files.items():
        (tmp_path / "code" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "code" / name).write_text(text)
    assert list(sdk_need.asking(template(**properties), tmp_path)) == (["Hello"] if asks else [])
