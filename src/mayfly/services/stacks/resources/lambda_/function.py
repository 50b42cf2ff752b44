"""AWS::Lambda::Function: code from a bucket, written in the template (`ZipFile`), or in a container image.

An image has to be made ready before anything else of the function can change, and before the function is any use: a
resource is complete when it is.
"""

import asyncio
import io
import zipfile
from collections.abc import Mapping
from typing import Any

from mayfly.services.stacks.resources.base import Caller, Made, Target, changed, picked
from mayfly.services.stacks.resources.lambda_.answering import beside
from mayfly.services.stacks.resources.reading import like, observed, tags_seen
from mayfly.services.stacks.resources.schema import (
    BOOLEAN,
    INTEGER,
    NUMBER,
    STRING,
    STRINGS,
    TAGS,
    Entries,
    Ignored,
    Partly,
    PropertyError,
    Refused,
    fields,
)
from mayfly.services.stacks.resources.tags import retag_lambda

# What a property goes back to when a template no longer has it.
_DEFAULTS: dict[str, Any] = {
    "Description": "",
    "Timeout": 3,
    "MemorySize": 128,
    "Environment": {"Variables": {}},
    "Layers": [],
    "DeadLetterConfig": {},
    "TracingConfig": {"Mode": "PassThrough"},
    "EphemeralStorage": {"Size": 512},
    "SnapStart": {"ApplyOn": "None"},
    "LoggingConfig": {"LogFormat": "Text"},
}
# Those that functions from images have; nothing goes back to what it is for a package.
_IMAGE_DEFAULTS: dict[str, Any] = {"ImageConfig": {}}
_LOOK_EVERY_S = 0.2
_CAPACITY = "CapacityProviderConfig"
_PLAIN = ("Role", "Handler", "Runtime", "DurableConfig")
# What is not read back: code and keys; and what can be read, but says nothing that anybody misses.
_UNSEEN = (
    "Code",
    "KmsKeyArn",
    "CodeSigningConfigArn",
    "RuntimeManagementConfig",
    "RecursiveLoop",
    "TenancyConfig",
    "VpcConfig",
)
_AT_CREATION = ("Architectures", "PackageType", "TenancyConfig", "CodeSigningConfigArn")


class Function:
    name = "AWS::Lambda::Function"
    schema = fields(
        "Code Role",
        FunctionName=STRING,
        Code=fields(
            ImageUri=STRING,
            S3Bucket=STRING,
            S3Key=STRING,
            S3ObjectStorageMode=Refused("Code is copied out of the bucket."),
            S3ObjectVersion=STRING,
            SourceKMSKeyArn=Refused("Mayfly has no KMS."),
            ZipFile=STRING,
        ),
        Role=STRING,
        Handler=STRING,
        Runtime=Partly(
            {"dotnet*": "Mayfly has no .NET; publish a native executable for provided.al2023, or a container image."},
            STRING,
        ),
        Description=STRING,
        Timeout=INTEGER,
        MemorySize=INTEGER,
        Environment=fields(Variables=Entries(STRING)),
        Layers=STRINGS,
        CodeSigningConfigArn=STRING,
        DeadLetterConfig=fields(TargetArn=STRING),
        TracingConfig=fields(Mode=STRING),
        KmsKeyArn=STRING,
        RuntimeManagementConfig=fields("UpdateRuntimeOn", UpdateRuntimeOn=STRING, RuntimeVersionArn=STRING),
        FileSystemConfigs=Refused("Mayfly mounts no network file systems into functions."),
        FunctionScalingConfig=Refused("It is for versions: say it in AWS::Lambda::Version."),
        PublishToLatestPublished=Refused("Publish with AWS::Lambda::Version, or AutoPublishAlias of SAM."),
        VpcConfig=Ignored(
            "Functions run in networks of their own, and reach out as the server lets them.",
            fields(Ipv6AllowedForDualStack=BOOLEAN, SecurityGroupIds=STRINGS, SubnetIds=STRINGS),
        ),
        EphemeralStorage=fields("Size", Size=INTEGER),
        SnapStart=fields("ApplyOn", ApplyOn=STRING),
        LoggingConfig=fields(LogFormat=STRING, LogGroup=STRING, ApplicationLogLevel=STRING, SystemLogLevel=STRING),
        Architectures=STRINGS,
        PackageType=STRING,
        ImageConfig=fields(EntryPoint=STRINGS, Command=STRINGS, WorkingDirectory=STRING),
        DurableConfig=fields(
            "ExecutionTimeout", ExecutionTimeout=INTEGER, RetentionPeriodInDays=INTEGER, KMSKeyArn=STRING
        ),
        ReservedConcurrentExecutions=INTEGER,
        RecursiveLoop=STRING,
        Tags=TAGS,
        TenancyConfig=fields("TenantIsolationMode", TenantIsolationMode=STRING),
        CapacityProviderConfig=fields(
            "LambdaManagedInstancesCapacityProviderConfig",
            LambdaManagedInstancesCapacityProviderConfig=fields(
                "CapacityProviderArn",
                CapacityProviderArn=STRING,
                PerExecutionEnvironmentMaxConcurrency=INTEGER,
                ExecutionEnvironmentMemoryGiBPerVCpu=NUMBER,
            ),
        ),
    )
    replaced_by = frozenset({"FunctionName", "PackageType", "TenancyConfig"})
    attributes = frozenset({"Arn"})

    def physical_id(self, target: Target, properties: Mapping[str, Any]) -> str:
        return self.custom_name(properties) or target.name(64)

    def custom_name(self, properties: Mapping[str, Any]) -> str | None:
        return properties.get("FunctionName")

    async def exists(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> bool:
        return await self._find(call, self.physical_id(target, properties)) is not None

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        function = self.physical_id(target, properties)
        found = await self._find(call, function)
        if found is None:
            found = await call(
                "lambda",
                "CreateFunction",
                FunctionName=function,
                Code=_code(properties),
                Tags={tag["Key"]: tag["Value"] for tag in properties.get("Tags", ())},
                **picked(properties, *_PLAIN, *_AT_CREATION, *_defaults(properties), _CAPACITY),
                **_key(properties),
            )
        await self._ready(call, function, properties)
        await self._reserve(call, function, {}, properties)
        await self._loops(call, function, {}, properties)
        await self._manage(call, function, {}, properties)
        return Made(function, {"Arn": found["FunctionArn"]})

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        function = made.physical_id
        defaults = _defaults(new).items()
        settings = {name: new.get(name, default) for name, default in defaults if changed(old, new, name)}
        settings |= {name: new[name] for name in _PLAIN if name in new and changed(old, new, name)}
        if "LoggingConfig" in settings:  # of which the API changes only what is said
            whole = {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{function}"}
            settings["LoggingConfig"] = {**whole, **settings["LoggingConfig"]}
        if changed(old, new, "KmsKeyArn"):
            settings |= _key(new) or {"KMSKeyArn": ""}
        if changed(old, new, _CAPACITY):
            settings[_CAPACITY] = new.get(_CAPACITY) or _one_at_a_time(old[_CAPACITY])
        await self._ready(call, function, new, failed=False)  # an interrupted update may still be under way
        await self._sign(call, function, old, new)
        if settings:
            await call("lambda", "UpdateFunctionConfiguration", FunctionName=function, **settings)
        if changed(old, new, "Code", "Architectures") or (changed(old, new, "Runtime") and "ZipFile" in new["Code"]):
            await call(
                "lambda", "UpdateFunctionCode", FunctionName=function, **_code(new), **picked(new, "Architectures")
            )
            await self._ready(call, function, new)
        await self._reserve(call, function, old, new)
        await self._loops(call, function, old, new)
        await self._manage(call, function, old, new)
        await retag_lambda(call, made.attributes["Arn"], old, new)
        return made

    async def read(
        self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        function = made.physical_id
        found = await self._find(call, function)
        if found is None:
            return None
        truth = picked(found, *_PLAIN, *_DEFAULTS, *_IMAGE_DEFAULTS, "Architectures", "PackageType", _CAPACITY)
        truth["FunctionName"] = found["FunctionName"]
        truth["Layers"] = [layer["Arn"] for layer in found.get("Layers", ())]
        if "SnapStart" in truth:
            truth["SnapStart"] = {"ApplyOn": truth["SnapStart"]["ApplyOn"]}
        for name in ("Environment", "LoggingConfig", _CAPACITY, "DurableConfig"):
            if name in truth and name in properties:
                truth[name] = like(properties[name], truth[name]) if name != "Environment" else truth[name]
        reserved = await call("lambda", "GetFunctionConcurrency", FunctionName=function)
        truth |= picked(reserved, "ReservedConcurrentExecutions")
        tags = await call("lambda", "ListTags", Resource=made.attributes["Arn"])
        truth |= tags_seen(properties, tags.get("Tags", {}))
        logging = {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{function}"}
        nothing = {**_DEFAULTS, "FunctionName": function, "LoggingConfig": logging, "PackageType": "Zip",
                   "ImageConfig": {}}  # fmt: skip
        if "Architectures" not in properties:  # it is the machine's
            truth.pop("Architectures", None)
        return observed(properties, truth, *_UNSEEN, defaults=nothing)

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        await call.unless("ResourceNotFoundException", "lambda", "DeleteFunction", FunctionName=made.physical_id)

    async def _find(self, call: Caller, function: str) -> dict[str, Any] | None:
        return await call.unless(
            "ResourceNotFoundException", "lambda", "GetFunctionConfiguration", FunctionName=function
        )

    async def _ready(self, call: Caller, function: str, properties: Mapping[str, Any], *, failed: bool = True) -> None:
        """Wait until the image of a function is its code; `PropertyError` when that `failed`."""
        while _is_image(properties):
            found = await call("lambda", "GetFunctionConfiguration", FunctionName=function)
            if failed and (found["State"] == "Failed" or found.get("LastUpdateStatus") == "Failed"):
                reason = found.get("StateReason") or found.get("LastUpdateStatusReason") or "no reason is known"
                raise PropertyError(f"The function cannot run from its image: {reason}")
            if found["State"] != "Pending" and found.get("LastUpdateStatus") != "InProgress":
                return
            async with call.waiting():
                await asyncio.sleep(_LOOK_EVERY_S)

    async def _sign(self, call: Caller, function: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        name = "CodeSigningConfigArn"
        if not changed(old, new, name):
            return
        if name in new:
            await call("lambda", "PutFunctionCodeSigningConfig", FunctionName=function, **picked(new, name))
        else:
            await call("lambda", "DeleteFunctionCodeSigningConfig", FunctionName=function)

    async def _reserve(self, call: Caller, function: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        name = "ReservedConcurrentExecutions"
        if not changed(old, new, name):
            return
        if name in new:
            await call("lambda", "PutFunctionConcurrency", FunctionName=function, **picked(new, name))
        else:
            await call("lambda", "DeleteFunctionConcurrency", FunctionName=function)

    async def _loops(self, call: Caller, function: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        name = "RecursiveLoop"
        if changed(old, new, name):
            wanted = new.get(name, "Terminate")
            await call("lambda", "PutFunctionRecursionConfig", FunctionName=function, RecursiveLoop=wanted)

    async def _manage(self, call: Caller, function: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        name = "RuntimeManagementConfig"
        if changed(old, new, name):
            wanted = new.get(name, {"UpdateRuntimeOn": "Auto"})
            await call("lambda", "PutRuntimeManagementConfig", FunctionName=function, **wanted)


def _key(properties: Mapping[str, Any]) -> dict[str, Any]:
    """The key of a function's variables, as the API calls it."""
    return {"KMSKeyArn": properties["KmsKeyArn"]} if "KmsKeyArn" in properties else {}


def _is_image(properties: Mapping[str, Any]) -> bool:
    return properties.get("PackageType") == "Image"


def _defaults(properties: Mapping[str, Any]) -> dict[str, Any]:
    """What a property goes back to when a template no longer has it, for those that a function of its kind has."""
    return {**_DEFAULTS, **_IMAGE_DEFAULTS} if _is_image(properties) else _DEFAULTS


def _one_at_a_time(old: Mapping[str, Any]) -> dict[str, Any]:
    """What stands for a capacity provider that a template no longer names: nothing in the Lambda API takes one away."""
    managed = "LambdaManagedInstancesCapacityProviderConfig"
    arn = {"CapacityProviderArn": old[managed]["CapacityProviderArn"]}
    return {managed: {**arn, "PerExecutionEnvironmentMaxConcurrency": 1}}


def _code(properties: Mapping[str, Any]) -> dict[str, Any]:
    """The code as the Lambda API takes it: text in the template becomes a package of one file, `index`."""
    code = properties["Code"]
    if "ZipFile" not in code:
        return dict(code)
    runtime = str(properties.get("Runtime", ""))
    suffix = {"python": ".py", "nodejs": ".js"}.get(runtime.rstrip("0123456789.x"))
    if suffix is None:
        raise PropertyError(f"ZipFile can only be used with the runtimes of Python and Node.js, not with {runtime!r}")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as package:
        # A fixed date, so that equal text is an equal package.
        for path, text in {f"index{suffix}": code["ZipFile"], **beside(runtime, code["ZipFile"])}.items():
            entry = zipfile.ZipInfo(path, (1980, 1, 1, 0, 0, 0))
            entry.external_attr = 0o644 << 16
            package.writestr(entry, text)
    return {"ZipFile": buffer.getvalue()}
