"""What a function's author has chosen beside code and sizes, for `mayfly function`: logs, traces, variables, updates of
the runtime, who may call, executions, tenants, code signing. Values of variables are nobody's business here; their
names are shown."""

import json
from typing import Any

from mayfly.app.asking import Asking
from mayfly.services.contract import ServiceError


async def settings(asking: Asking, found: dict[str, Any]) -> dict[str, Any]:
    """Of the function whose configuration is `found`."""
    name, environment = found["FunctionName"], found.get("Environment", {})
    logging = found["LoggingConfig"]
    return {
        "logging": {
            "format": logging["LogFormat"],
            "group": logging["LogGroup"],
            "application_level": logging.get("ApplicationLogLevel"),
            "system_level": logging.get("SystemLogLevel"),
        },
        "tracing": found["TracingConfig"]["Mode"],
        "variables": {
            "names": sorted(environment.get("Variables", {})),
            "error": environment.get("Error", {}).get("Message"),
        },
        "runtime_updates": await _updates(asking, name) if found["PackageType"] == "Zip" else None,
        "durable": found.get("DurableConfig"),
        "tenancy": found.get("TenancyConfig", {}).get("TenantIsolationMode"),
        "code_signing": await _code_signing(asking, name) if found["PackageType"] == "Zip" else None,
        "policy": await _policy(asking, name),
    }


async def _updates(asking: Asking, name: str) -> str:
    mode: str = (await asking.ask("GetRuntimeManagementConfig", {"FunctionName": name}))["UpdateRuntimeOn"]
    return mode


async def _code_signing(asking: Asking, name: str) -> str | None:
    """The ARN of the configuration that guards it, or none."""
    found = await asking.ask("GetFunctionCodeSigningConfig", {"FunctionName": name})
    return found.get("CodeSigningConfigArn")


async def _policy(asking: Asking, name: str) -> dict[str, int]:
    """How many statements there are about the function itself, and how many of them deny."""
    try:
        text = (await asking.ask("GetPolicy", {"FunctionName": name}))["Policy"]
    except ServiceError as error:
        if error.code != "ResourceNotFoundException":
            raise
        return {"statements": 0, "denying": 0}
    effects = [statement["Effect"] for statement in json.loads(text)["Statement"]]
    return {"statements": len(effects), "denying": effects.count("Deny")}
