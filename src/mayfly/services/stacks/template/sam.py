"""The SAM macro: `AWS::Serverless::…` resources become plain ones, by aws-sam-translator.

The translator keeps state in module and class attributes and works for a while, so it runs in one thread of its own,
one template at a time. It looks up nothing: the managed policies come from the list that it bundles, and applications
of AWS's repository are refused.

It is imported when the first template needs it, in that thread: it takes more than half a second and 25 MB, which is
most of what a server without it needs to start, and many servers never see a template.
"""

import asyncio
import copy
import importlib
import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NoReturn

from mayfly.services.stacks.faults import validation
from mayfly.services.stacks.template.parameters import Value, text_of

_SCALING = "FunctionScalingConfig"


class SamTransform:
    """Carries the macro out. Closed once."""

    def __init__(self) -> None:
        logging.getLogger("samtranslator").setLevel(logging.CRITICAL)  # it logs what it raises, and more
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="mayfly-sam")

    async def apply(self, raw: Mapping[str, Any], parameters: Mapping[str, Value], region: str) -> dict[str, Any]:
        """The template without SAM; `ServiceError` ValidationError with the translator's reasons."""
        # The translator changes what it is given.
        own = copy.deepcopy(dict(raw))
        return await asyncio.get_running_loop().run_in_executor(
            self._thread, _translate, own, {**_chosen(raw, parameters), "AWS::Region": region}, region
        )

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)


def _chosen(raw: Mapping[str, Any], parameters: Mapping[str, Value]) -> dict[str, Value]:
    """The parameters whose values are not their defaults. Defaults the translator takes from the template itself, as
    they stand there: `true`, where a value that somebody gives is always text."""
    declared = raw.get("Parameters") or {}
    return {
        name: value
        for name, value in parameters.items()
        if not isinstance(value, str)
        or "Default" not in declared[name]
        or declared[name]["Type"] != "String"
        or text_of(declared[name]["Default"]) != value
    }


def _translate(raw: dict[str, Any], parameters: dict[str, Any], region: str) -> dict[str, Any]:
    boto3: Any = importlib.import_module("boto3")
    botocore: Any = importlib.import_module("botocore.exceptions")
    applications: Any = importlib.import_module("samtranslator.plugins.application.serverless_app_plugin")
    policies: Any = importlib.import_module("samtranslator.internal.managed_policies")
    exceptions: Any = importlib.import_module("samtranslator.model.exceptions")
    parser: Any = importlib.import_module("samtranslator.parser.parser")
    translation: Any = importlib.import_module("samtranslator.translator.translator")
    # The session is asked for its region alone; the keys keep it from looking for others.
    session = boto3.Session(aws_access_key_id="none", aws_secret_access_key="none", region_name=region)  # noqa: S106
    known = policies.get_bundled_managed_policy_map("aws")
    plugin = applications.ServerlessAppPlugin(
        parameters=parameters, sar_client_creator=lambda: _NoRepository(botocore.ClientError)
    )
    translator = translation.Translator(known, parser.Parser(), [plugin], session)
    try:
        translated: dict[str, Any] = translator.translate(raw, parameters, passthrough_metadata=True)
    except exceptions.InvalidDocumentException as error:
        causes = " ".join(cause.message for cause in error.causes)
        raise validation(f"Transform AWS::Serverless-2016-10-31 failed with: {error.message} {causes}") from error
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        # It trips over shapes that it does not expect: a template's fault, not the platform's.
        raise validation(
            f"Transform AWS::Serverless-2016-10-31 failed with: the template has an unexpected shape ({error!r})"
        ) from error
    translated.pop("Transform", None)
    _leave_scaling_to_versions(translated)
    plain: dict[str, Any] = _plain(translated)
    return plain


def _plain(value: Any) -> Any:
    """`value` without the translator's own kinds of text and of objects, which nothing else can write down."""
    if isinstance(value, dict):
        return {_plain(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, str) else value


class _NoRepository:
    """What the translator is given as a client of AWS's Serverless Application Repository."""

    def __init__(self, error: Any) -> None:
        self._error = error

    def create_cloud_formation_template(self, **asked: str) -> NoReturn:
        reason = (
            f"Mayfly does not fetch applications from the AWS Serverless Application Repository: take the template of "
            f"{asked['ApplicationId']} from there yourself, and name its file or its place in a bucket as Location."
        )
        raise self._error({"Error": {"Code": "NotFoundException", "Message": reason}}, "CreateCloudFormationTemplate")


def _leave_scaling_to_versions(translated: dict[str, Any]) -> None:
    """SAM bounds the instances of $LATEST.PUBLISHED as well as those of the version that it publishes. There is no such
    version here, so that of the numbered one is left. Where SAM publishes none, it stays, and is refused."""
    resources = translated.get("Resources", {})
    for version in resources.values():
        scaling = version.get("Properties", {}).get(_SCALING)
        if version.get("Type") != "AWS::Lambda::Version" or scaling is None:
            continue
        function = resources.get(version["Properties"].get("FunctionName", {}).get("Ref"))
        if function is not None and function.get("Properties", {}).get(_SCALING) == scaling:
            del function["Properties"][_SCALING]
