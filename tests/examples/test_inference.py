"""`examples/inference`: a model is trained with the stack, answers, and is compared in three ways of starting."""

import json
import re
import subprocess
import sys
import urllib.error
import urllib.request
from typing import Any

from tests.conftest import PlatformProcess

from .application import EXAMPLES, deployed, environment

ZERO = [0, 0, 5, 13, 9, 1, 0, 0, 0, 0, 13, 15, 10, 15, 5, 0, 0, 3, 15, 2, 0, 11, 8, 0, 0, 4, 12, 0, 0, 8, 8, 0]
ZERO += [0, 5, 8, 0, 0, 9, 8, 0, 0, 4, 11, 0, 1, 12, 7, 0, 0, 2, 14, 5, 10, 12, 0, 0, 0, 0, 6, 13, 10, 0, 0, 0]


def ask(url: str, pixels: object) -> tuple[int, Any]:
    request = urllib.request.Request(url, json.dumps({"pixels": pixels}).encode(), method="POST")
    try:
        with urllib.request.urlopen(request, timeout=120) as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_a_model_is_trained_served_and_compared(platform: PlatformProcess) -> None:
    with deployed(platform, "inference", "digits-example", "--parameter", "Trees=20") as outputs:
        assert float(outputs["Accuracy"]) > 0.9
        status, said = ask(outputs["Url"], ZERO)
        assert (status, said["digit"]) == (200, 0)
        assert ask(outputs["Url"], [1, 2])[0] == 400
        done = subprocess.run(
            [sys.executable, EXAMPLES / "inference" / "compare.py", "--stack", "digits-example"],
            env=environment(platform),
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        for way in ("as it is", "SnapStart", "provisioned concurrency"):
            assert re.search(rf"^{way} +[0-9.]+ +[0-9.]+$", done.stdout, re.MULTILINE), done.stdout
        configuration = platform.client("lambda").get_function_configuration(FunctionName=outputs["Snapped"])
        assert configuration["SnapStart"] == {"ApplyOn": "PublishedVersions", "OptimizationStatus": "On"}
