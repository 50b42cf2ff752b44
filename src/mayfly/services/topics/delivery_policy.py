"""Delivery policies: the JSON of topics and subscriptions, what holds in the end, and how it is shown. Pure."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from mayfly.policy.retries import GROWTHS, Phases, total_s
from mayfly.services.contract import ServiceError
from mayfly.services.topics import faults

DEFAULT_CONTENT_TYPE = "text/plain; charset=UTF-8"
_CONTENT_TYPES = frozenset(
    {
        "application/atom+xml",
        "application/json",
        "application/octet-stream",
        "application/soap+xml",
        "application/x-www-form-urlencoded",
        "application/xhtml+xml",
        "application/xml",
        "text/css",
        "text/csv",
        "text/html",
        "text/plain",
        "text/xml",
    }
)
_MOST_TOTAL_S = 3600
_MOST_RETRIES = 100
_MEMBERS = {
    "numRetries": "retries",
    "numNoDelayRetries": "at_once",
    "numMinDelayRetries": "at_least",
    "numMaxDelayRetries": "at_most",
    "minDelayTarget": "least_s",
    "maxDelayTarget": "most_s",
    "backoffFunction": "growth",
}


@dataclass(frozen=True, slots=True)
class DeliveryPolicy:
    """How messages go to one URL. None: nothing was said of it."""

    phases: Phases | None = None
    per_second: int | None = None
    content_type: str | None = None
    overrides: bool = True  # of a topic: whether subscriptions may have policies of their own

    def over(self, topic: "DeliveryPolicy") -> "DeliveryPolicy":
        """What holds for a subscription with this policy on a topic with that one."""
        if not topic.overrides:
            return topic
        return DeliveryPolicy(
            self.phases or topic.phases, self.per_second or topic.per_second, self.content_type or topic.content_type
        )


NOTHING = DeliveryPolicy()


def of_topic(text: str) -> DeliveryPolicy:
    """The policy of a topic, `{"http": {...}}`; its members are taken without `http` around them, too."""
    document = _object(text)
    inner = _member(document, "http") if "http" in document else document
    allowed = {
        "defaultHealthyRetryPolicy",
        "disableSubscriptionOverrides",
        "defaultThrottlePolicy",
        "defaultRequestPolicy",
        "defaultSicklyRetryPolicy",
    }
    _only(inner, allowed if "http" in document else allowed | {"http"})
    disabled = inner.get("disableSubscriptionOverrides", False)
    if not isinstance(disabled, bool):
        raise _wrong("disableSubscriptionOverrides must be a boolean")
    return DeliveryPolicy(
        _phases(_member(inner, "defaultHealthyRetryPolicy")),
        _per_second(_member(inner, "defaultThrottlePolicy")),
        _content_type(_member(inner, "defaultRequestPolicy")),
        not disabled,
    )


def of_subscription(text: str) -> DeliveryPolicy:
    """The policy of a subscription."""
    document = _object(text)
    _only(document, {"healthyRetryPolicy", "sicklyRetryPolicy", "throttlePolicy", "requestPolicy", "guaranteed"})
    return DeliveryPolicy(
        _phases(_member(document, "healthyRetryPolicy")),
        _per_second(_member(document, "throttlePolicy")),
        _content_type(_member(document, "requestPolicy")),
    )


def effective_of_topic(policy: DeliveryPolicy) -> str:
    """EffectiveDeliveryPolicy of a topic."""
    inner: dict[str, Any] = {
        "defaultHealthyRetryPolicy": _shown(policy.phases or Phases()),
        "disableSubscriptionOverrides": not policy.overrides,
    }
    if policy.per_second is not None:
        inner["defaultThrottlePolicy"] = {"maxReceivesPerSecond": policy.per_second}
    inner["defaultRequestPolicy"] = {"headerContentType": policy.content_type or DEFAULT_CONTENT_TYPE}
    return json.dumps({"http": inner}, separators=(",", ":"))


def effective_of_subscription(policy: DeliveryPolicy) -> str:
    """EffectiveDeliveryPolicy of a subscription, of what `over` gave."""
    throttle = None if policy.per_second is None else {"maxReceivesPerSecond": policy.per_second}
    shown = {
        "healthyRetryPolicy": _shown(policy.phases or Phases()),
        "sicklyRetryPolicy": None,
        "throttlePolicy": throttle,
        "requestPolicy": {"headerContentType": policy.content_type or DEFAULT_CONTENT_TYPE},
        "guaranteed": False,
    }
    return json.dumps(shown, separators=(",", ":"))


def _shown(phases: Phases) -> dict[str, Any]:
    values = asdict(phases)
    return {
        name: int(values[field]) if field.endswith("_s") else values[field]
        for name, field in sorted(_MEMBERS.items(), key=lambda pair: pair[0])
    }


def _phases(document: Mapping[str, Any]) -> Phases | None:
    if not document:
        return None
    _only(document, set(_MEMBERS))
    values: dict[str, Any] = {}
    for name, field in _MEMBERS.items():
        if document.get(name) is None:
            continue
        value = document[name]
        if name == "backoffFunction":
            if value not in GROWTHS:
                raise _wrong(f"backoffFunction must be one of {', '.join(GROWTHS)}")
        elif isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise _wrong(f"{name} must be a number from 0")
        values[field] = float(value) if field.endswith("_s") else value
    phases = Phases(**values)
    if phases.retries > _MOST_RETRIES:
        raise _wrong(f"numRetries must be less than or equal to {_MOST_RETRIES}")
    if phases.growing < 0:
        raise _wrong("numRetries must be at least the sum of numNoDelayRetries, numMinDelayRetries, numMaxDelayRetries")
    if not 1 <= phases.least_s <= phases.most_s:
        raise _wrong("minDelayTarget must be at least 1, and less than or equal to maxDelayTarget")
    if phases.most_s > _MOST_TOTAL_S or total_s(phases) > _MOST_TOTAL_S:
        raise _wrong(f"the total time of all retries must be less than or equal to {_MOST_TOTAL_S} seconds")
    return phases


def _per_second(document: Mapping[str, Any]) -> int | None:
    _only(document, {"maxReceivesPerSecond"})
    value = document.get("maxReceivesPerSecond")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise _wrong("maxReceivesPerSecond must be a number from 1")
    return value


def _content_type(document: Mapping[str, Any]) -> str | None:
    _only(document, {"headerContentType"})
    value = document.get("headerContentType")
    if value is None:
        return None
    if not isinstance(value, str) or value.partition(";")[0].strip() not in _CONTENT_TYPES or not value.isprintable():
        raise _wrong(f"headerContentType must be one of {', '.join(sorted(_CONTENT_TYPES))}")
    return value


def _object(text: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _wrong("failed to parse JSON") from error
    if not isinstance(document, dict):
        raise _wrong("it must be a JSON object")
    return document


def _member(document: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = document.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _wrong(f"{name} must be a JSON object")
    return value


def _only(document: Mapping[str, Any], names: set[str]) -> None:
    for name in document:
        if name not in names:
            raise _wrong(f"Unexpected JSON member: {name}")


def _wrong(what: str) -> ServiceError:
    return faults.invalid(f"DeliveryPolicy: {what}")
