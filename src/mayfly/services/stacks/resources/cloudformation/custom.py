"""AWS::CloudFormation::CustomResource and Custom::*: what a function, or whoever hears a topic, makes in our stead.

Each step is a request, sent once to the service token, and an answer, put to the URL that the request names. Its box
is named by stack, resource, operation and what is asked for, so that a restart waits for the same answer; whether the
request was sent is durable. (Between the two it may be sent again, under the same RequestId.)

Shapes: CloudFormation user guide, "Custom resource request objects" and "response objects".
"""

import asyncio
import json
import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from mayfly.services.stacks.post import CUSTOM as CUSTOM_BOX
from mayfly.services.stacks.post import Box, box_name
from mayfly.services.stacks.resources.base import (
    NO_ECHO,
    Anything,
    Caller,
    Made,
    Moving,
    NotMadeError,
    Target,
    Unreadable,
)
from mayfly.services.stacks.resources.schema import INTEGER, STRING, Fields
from mayfly.services.stacks.template.parameters import text_of

CUSTOM: Final = re.compile(r"Custom::[A-Za-z0-9_@-]{1,52}")
LONGEST_S = 3600
LONGEST_CALL_S = 900  # of a function: who has not answered by then will hardly do so
MOST_BODY = 4096  # bytes of an answer
_NAMES = ("StackId", "RequestId", "LogicalResourceId")
_SUBJECT = "AWS CloudFormation custom resource request"


class Answer(msgspec.Struct, frozen=True):
    """What was put to the URL."""

    Status: str
    PhysicalResourceId: str | None = None
    StackId: str | None = None
    RequestId: str | None = None
    LogicalResourceId: str | None = None
    Reason: str | None = None
    NoEcho: bool | str | None = None
    Data: dict[str, Any] | None = None


class CustomResource(Moving, Unreadable):
    name = "AWS::CloudFormation::CustomResource"
    schema = Fields({"ServiceToken": STRING, "ServiceTimeout": INTEGER}, frozenset({"ServiceToken"}), open=True)
    replaced_by: frozenset[str] = frozenset()
    attributes: frozenset[str] = Anything()

    def physical_id(self, target: Target, properties: Mapping[str, Any]) -> str:
        return target.name(128)

    def custom_name(self, properties: Mapping[str, Any]) -> str | None:
        return None

    async def exists(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> bool:
        return False  # it is nobody's before it was asked for

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        answer = await self._ask(call, target, "Create", properties)
        return _made(answer)

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        if old["ServiceToken"] != new["ServiceToken"]:
            raise NotMadeError("Modifying service token is not allowed.")
        more = {"PhysicalResourceId": made.physical_id, "OldResourceProperties": texts(old)}
        return _made(await self._ask(call, target, "Update", new, more))

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        physical_id = made.physical_id
        asked = await call.around.post.find(await _box_of(call, target, "Create", properties, {}))
        if not made.attributes and asked is not None:
            if not asked.sent:
                return  # whom we meant to ask was never reached, so there is nothing
            if physical_id == self.physical_id(target, properties):
                physical_id = await self._made_meanwhile(call, asked) or physical_id
        await self._ask(call, target, "Delete", properties, {"PhysicalResourceId": physical_id})

    async def _made_meanwhile(self, call: Caller, asked: Box) -> str:
        """What a creation that nobody waited for came to, if it says so: nothing is deleted while it is being made."""
        left = min(asked.ends_at, asked.opened_at + LONGEST_CALL_S) - call.around.clock.now()
        try:
            async with call.waiting(), asyncio.timeout(max(left, 1.0)):
                letters = await call.around.post.arrive(asked.id, 1)
            return msgspec.json.decode(letters[0].body, type=Answer).PhysicalResourceId or ""
        except (TimeoutError, msgspec.MsgspecError):
            return ""

    async def _ask(
        self,
        call: Caller,
        target: Target,
        kind: str,
        properties: Mapping[str, Any],
        more: Mapping[str, Any] | None = None,
    ) -> Answer:
        """Send a request unless that was done, and wait for its answer; `NotMadeError` where it is no success."""
        post, name = call.around.post, await _box_of(call, target, kind, properties, more or {})
        longest = min(properties.get("ServiceTimeout", LONGEST_S), LONGEST_S)
        box = await post.open(name, target.stack_id, CUSTOM_BOX, longest)
        request = {
            "RequestType": kind,
            "ServiceToken": properties["ServiceToken"],
            "StackId": target.stack_id,
            "RequestId": request_of(box),
            "LogicalResourceId": target.logical_id,
            "ResourceType": target.type,
            "ResourceProperties": texts(properties),
            **(more or {}),
        }
        base = await _base(call, properties["ServiceToken"])
        if not box.sent:
            await _send(call, properties["ServiceToken"], {**request, "ResponseURL": post.url(box, base)})
            await post.sent(name)
        left = box.ends_at - call.around.clock.now()
        try:
            async with call.waiting(), asyncio.timeout(max(left, 0.0)):
                letters = await post.arrive(name, 1)
        except TimeoutError as error:
            raise NotMadeError(
                "CloudFormation did not receive a response from your Custom Resource. Please check your logs for "
                f"requestId [{request_of(box)}]."
            ) from error
        return read_answer(letters[0].body, request)


def read_answer(body: str, request: Mapping[str, Any]) -> Answer:
    """A successful answer to `request`; `NotMadeError`."""
    if len(body.encode()) > MOST_BODY:
        raise NotMadeError("Response object is too long.")
    try:
        answer = msgspec.json.decode(body, type=Answer)
    except msgspec.MsgspecError as error:
        raise NotMadeError(f"Invalid response object: {error}") from error
    place = "|".join((request["StackId"], request["LogicalResourceId"], request["RequestId"]))
    for name in _NAMES:
        if getattr(answer, name) is None:
            raise NotMadeError(f"Vendor response doesn't contain {name} key in object {place}")
        if getattr(answer, name) != request[name]:
            raise NotMadeError(f"The vendor's response has another {name} than the request {place}")
    physical_id = answer.PhysicalResourceId or ""
    if answer.Status == "FAILED":
        raise NotMadeError(
            f"Received response status [FAILED] from custom resource. Message returned: {answer.Reason or ''} "
            f"(RequestId: {request['RequestId']})",
            physical_id if request["RequestType"] == "Create" else "",
        )
    if answer.Status != "SUCCESS":
        raise NotMadeError(f"Invalid response status [{answer.Status}] from custom resource {place}")
    if request["RequestType"] != "Delete" and not 0 < len(physical_id.encode()) <= 1024:
        raise NotMadeError("Invalid PhysicalResourceId")
    return answer


def texts(value: Any) -> Any:
    """`value` with every scalar as text: so custom resources get their properties."""
    if isinstance(value, Mapping):
        return {key: texts(item) for key, item in value.items()}
    if isinstance(value, list):
        return [texts(item) for item in value]
    return text_of(value)


def request_of(box: Box) -> str:
    """The RequestId that goes with a box."""
    return f"{box.id[:8]}-{box.id[8:12]}-4{box.id[13:16]}-a{box.id[17:20]}-{box.id[20:32]}"


async def _box_of(
    call: Caller, target: Target, kind: str, properties: Mapping[str, Any], more: Mapping[str, Any]
) -> str:
    """The id of a box. Where an earlier version of Mayfly asked, it has a name by which properties can be guessed."""
    asked = json.dumps([properties, more], sort_keys=True, default=str)
    parts = (target.stack_id, target.logical_id, target.generation, kind, call.operation_id, call.back, asked)
    earlier = box_name(*parts)
    return earlier if await call.around.post.find(earlier) is not None else call.around.post.secret_name(*parts)


def _made(answer: Answer) -> Made:
    hidden = text_of(answer.NoEcho or False).lower() == "true"
    physical_id = answer.PhysicalResourceId or ""
    return Made(physical_id, {**(answer.Data or {}), **({NO_ECHO: True} if hidden else {})})


async def _base(call: Caller, token: str) -> str:
    """Where who is asked reaches us: functions by a way of their own, which those have as well who hear a topic."""
    addresses = call.around.post.addresses
    functions = [token] if ":lambda:" in token else []
    if not functions and ":sns:" in token:
        listed = await call("sns", "ListSubscriptionsByTopic", TopicArn=token)
        functions = [item["Endpoint"] for item in listed.get("Subscriptions", ()) if item["Protocol"] == "lambda"]
    if addresses.expect is not None:
        for function in functions:
            await addresses.expect(":".join(function.split(":")[:7]))
    return addresses.inside if functions else addresses.outside


async def _send(call: Caller, token: str, request: Mapping[str, Any]) -> None:
    text = json.dumps(request)
    if ":lambda:" in token:
        await call.apart("lambda", "Invoke", FunctionName=token, InvocationType="Event", Payload=text.encode())
    elif ":sns:" in token:
        await call.apart("sns", "Publish", TopicArn=token, Subject=_SUBJECT, Message=text)
    else:
        raise NotMadeError(f"Invalid service token: {token} names neither a function nor a topic")


__all__ = ["CUSTOM", "Answer", "CustomResource", "read_answer", "request_of", "texts"]
