"""Runs in Ray's own environment: deploys and deletes by lines of its input; `serve_deployments.py PORT DIRECTORY`."""

import sys
from importlib import import_module
from typing import Any

import ray
from ray import serve
from starlette.responses import PlainTextResponse


class Hello:
    """Answers at once."""

    async def __call__(self, request: Any) -> PlainTextResponse:
        return PlainTextResponse("hello")


class Pandas:
    """Imports pandas as its replica starts."""

    def __init__(self) -> None:
        self._body = " ".join(import_module(name).__version__ for name in ("numpy", "pandas"))

    async def __call__(self, request: Any) -> PlainTextResponse:
        return PlainTextResponse(self._body)


KINDS: dict[str, type] = {"hello": Hello, "pandas": Pandas}
# As eager as it can be told to be; it stays up once it is up.
FROM_ZERO = {
    "min_replicas": 0,
    "initial_replicas": 0,
    "max_replicas": 1,
    "upscale_delay_s": 0,
    "downscale_delay_s": 3600,
    "metrics_interval_s": 0.1,
    "look_back_period_s": 1,
}


def main() -> None:
    port, directory = int(sys.argv[1]), sys.argv[2]
    ray.init(
        num_cpus=64,  # replicas are counted, not kept apart, by this number
        include_dashboard=False,
        object_store_memory=100 << 20,
        logging_level="error",
        log_to_driver=False,
        _temp_dir=directory,
    )
    serve.start(http_options={"host": "127.0.0.1", "port": port}, logging_config={"enable_access_log": False})
    _run(Hello, "warm", {"num_replicas": 1})
    print("READY", flush=True)
    for line in sys.stdin:
        match line.split():
            case ["deploy", name, kind]:
                _run(KINDS[kind], name, {"autoscaling_config": FROM_ZERO})
            case ["delete", name]:
                serve.delete(name)
            case _:
                raise ValueError(line)
        print("DONE", flush=True)


def _run(served: type, name: str, options: dict[str, Any]) -> None:
    deployment = serve.deployment(served).options(ray_actor_options={"num_cpus": 0.1}, **options)
    serve.run(deployment.bind(), name=name, route_prefix=f"/{name}")


main()
