"""The SAM macro: `AWS::Serverless::…` resources become plain ones, by aws-sam-translator.

The translator keeps state in module and class attributes and works for a while, so it runs in one thread of its own,
one template at a time. It looks up nothing: the managed policies come from the list that it bundles.

It is imported when the first template needs it, in that thread: it takes more than half a second and 25 MB, which is
most of what a server without it needs to start, and many servers never see a template.
"""

import asyncio
import copy
import importlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from mayfly.services.stacks.faults import validation
from mayfly.services.stacks.template.parameters import Value

SAM_TYPES = "AWS::Serverless::"
_SCALING = "FunctionScalingConfig"


class SamTransform:
    """Carries the macro out. Closed once."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="mayfly-sam")

    async def apply(self, raw: Mapping[str, Any], parameters: Mapping[str, Value], region: str) -> dict[str, Any]:
        """The template without SAM; `ServiceError` ValidationError with the translator's reasons."""
        # The translator changes what it is given.
        own = copy.deepcopy(dict(raw))
        return await asyncio.get_running_loop().run_in_executor(
            self._thread, _translate, own, {**parameters, "AWS::Region": region}, region
        )

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)


def _translate(raw: dict[str, Any], parameters: dict[str, Any], region: str) -> dict[str, Any]:
    boto3: Any = importlib.import_module("boto3")
    policies: Any = importlib.import_module("samtranslator.internal.managed_policies")
    exceptions: Any = importlib.import_module("samtranslator.model.exceptions")
    parser: Any = importlib.import_module("samtranslator.parser.parser")
    translation: Any = importlib.import_module("samtranslator.translator.translator")
    # The session is asked for its region alone; the keys keep it from looking for others.
    session = boto3.Session(aws_access_key_id="none", aws_secret_access_key="none", region_name=region)  # noqa: S106
    known = policies.get_bundled_managed_policy_map("aws")
    translator = translation.Translator(known, parser.Parser(), boto_session=session)
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
    return translated


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
