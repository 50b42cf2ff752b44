"""How long the first calls of an instance take: as it is, with SnapStart, with provisioned concurrency.

    eval $(mayfly env) && python examples/inference/compare.py --stack inference

Calls come at once, so that each has an instance of its own; then the same again, on instances that are warm.
"""

import argparse
import json
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
from botocore.config import Config

ZERO = [0, 0, 5, 13, 9, 1, 0, 0, 0, 0, 13, 15, 10, 15, 5, 0, 0, 3, 15, 2, 0, 11, 8, 0, 0, 4, 12, 0, 0, 8, 8, 0]
ZERO += [0, 5, 8, 0, 0, 9, 8, 0, 0, 4, 11, 0, 1, 12, 7, 0, 0, 2, 14, 5, 10, 12, 0, 0, 0, 0, 6, 13, 10, 0, 0, 0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--stack", default="inference")
    parser.add_argument("--calls", type=int, default=2, help="at once; as many as are provisioned, or fewer")
    options = parser.parse_args()
    client = boto3.client("lambda", config=Config(retries={"total_max_attempts": 1}, max_pool_connections=32))
    described = boto3.client("cloudformation").describe_stacks(StackName=options.stack)["Stacks"][0]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}
    print(f"{'':24}{'first, ms':>12}{'warm, ms':>12}")
    for name, title in (("Plain", "as it is"), ("Snapped", "SnapStart"), ("Ready", "provisioned concurrency")):
        first, warm = (burst(client, outputs[name], options.calls) for _ in range(2))
        print(f"{title:24}{statistics.median(first):12.1f}{statistics.median(warm):12.1f}")


def burst(client: Any, function: str, calls: int) -> list[float]:
    """Milliseconds of calls that are made at once."""

    def call(_: int) -> float:
        begun = time.perf_counter()
        reply = client.invoke(FunctionName=function, Payload=json.dumps({"pixels": ZERO}))
        said = json.load(reply["Payload"])
        assert said.get("digit") == 0, said
        return (time.perf_counter() - begun) * 1000

    with ThreadPoolExecutor(calls) as pool:
        return list(pool.map(call, range(calls)))


if __name__ == "__main__":
    main()
