"""AWS::CloudFormation::WaitCondition: waits until it was signalled often enough, by its handle's URL or, with a
CreationPolicy, by SignalResource. A signal of failure, or too few within the time, is a failure."""

import asyncio
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from mayfly.services.stacks.post import PATH, SIGNALS, Letter, box_name
from mayfly.services.stacks.resources.base import CREATION_POLICY, Caller, Made, NotMadeError, Target, Unreadable
from mayfly.services.stacks.resources.schema import INTEGER, STRING, Fields, PropertyError, fields

LONGEST_S = 43200
_DEFAULT_S = 300  # of a creation policy
_SIGNAL = fields("", Count=INTEGER, Timeout=STRING)
_DURATION = re.compile(r"PT(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?")


class WaitCondition(Unreadable):
    name = "AWS::CloudFormation::WaitCondition"
    schema = Fields(
        {
            "Handle": STRING,
            "Timeout": INTEGER,
            "Count": INTEGER,
            CREATION_POLICY: fields("ResourceSignal", ResourceSignal=_SIGNAL),
        }
    )
    replaced_by = frozenset({"Handle", "Timeout", "Count", CREATION_POLICY})
    attributes = frozenset({"Data"})

    def physical_id(self, target: Target, properties: Mapping[str, Any]) -> str:
        return target.name(128)

    def custom_name(self, properties: Mapping[str, Any]) -> str | None:
        return None

    async def exists(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> bool:
        return False

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        post, now = call.around.post, call.around.clock.now()
        count, longest = _wanted(properties)
        if CREATION_POLICY in properties:
            name = signals_of(target)
            await post.open(name, target.stack_id, SIGNALS, longest)
        else:
            name = urlsplit(properties["Handle"]).path.removeprefix(PATH)
        left = target.since + longest - now
        try:
            async with call.waiting(), asyncio.timeout(max(left, 0.0)):
                letters = await self._signalled(call, name, count)
        except TimeoutError as error:
            got = len(await post.letters(name))
            raise NotMadeError(f"WaitCondition timed out. Received {got} conditions when expecting {count}") from error
        data = {letter.id: json.loads(letter.body).get("Data") or "" for letter in letters}
        return Made(self.physical_id(target, properties), {"Data": json.dumps(data, separators=(",", ":"))})

    async def _signalled(self, call: Caller, name: str, count: int) -> Sequence[Letter]:
        seen = 0
        while True:
            letters = await call.around.post.arrive(name, min(seen + 1, count))
            for letter in letters:
                said = json.loads(letter.body)
                if said["Status"] == "FAILURE":
                    reason = said.get("Reason") or f"the signal {letter.id}"
                    raise NotMadeError(f"WaitCondition received failed message: '{reason}' for uniqueId: {letter.id}")
            seen = len(letters)
            if seen >= count:
                return letters

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        return made

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        if CREATION_POLICY in properties:
            await call.around.post.close(signals_of(target))


def signals_of(target: Target) -> str:
    """The box into which SignalResource puts signals."""
    return box_name(target.stack_id, target.logical_id, target.generation, SIGNALS)


def _wanted(properties: Mapping[str, Any]) -> tuple[int, float]:
    """How many signals, within how many seconds."""
    if (policy := properties.get(CREATION_POLICY)) is not None:
        signal = policy["ResourceSignal"]
        return signal.get("Count", 1), _seconds(signal["Timeout"]) if "Timeout" in signal else _DEFAULT_S
    for name in ("Handle", "Timeout"):
        if name not in properties:
            raise PropertyError(f"Property {name} cannot be empty.")
    return properties.get("Count", 1), min(properties["Timeout"], LONGEST_S)


def _seconds(text: str) -> float:
    """The seconds of an ISO 8601 duration of hours, minutes and seconds."""
    match = _DURATION.fullmatch(text)
    if match is None or not any(match.groups()):
        raise PropertyError(f"Invalid timeout {text} in CreationPolicy: write it like PT5M")
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return min(3600.0 * hours + 60 * minutes + seconds, LONGEST_S)
