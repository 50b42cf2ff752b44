"""Policies by the names that people give them: `fixed:10m`, `hybrid`, `hybrid:2h`, `hazard`, `hazard:0.5`."""

import re
from typing import Any

from mayfly.errors import CallerError
from mayfly.policy.hazard import Hazard
from mayfly.policy.hybrid import Hybrid
from mayfly.policy.windows import Fixed, Rule

NAMES = "fixed:10m, hybrid, hybrid:2h, hazard, hazard:0.5"
_SPAN = re.compile(r"(\d+(?:\.\d+)?)([smh])")
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}


class PolicyNameError(CallerError):
    """No policy has that name."""

    def __init__(self, text: str, why: str) -> None:
        super().__init__(f"{text!r} is not a policy: {why}. Policies are {NAMES}")


def parse(text: str) -> Rule[Any]:
    """The rule of that name. PolicyNameError."""
    kind, _, parameter = text.partition(":")
    if kind == "fixed":
        return Fixed(_span(text, parameter))
    if kind == "hybrid":
        if not parameter:
            return Hybrid()
        range_s = _span(text, parameter)
        if not 120 <= range_s <= 86_400:
            raise PolicyNameError(text, "the range must be between 2m and 24h")
        return Hybrid(range_s=range_s)
    if kind == "hazard":
        return Hazard() if not parameter else Hazard(price=_price(text, parameter))
    raise PolicyNameError(text, f"{kind!r} is unknown")


def _span(text: str, parameter: str) -> float:
    match = _SPAN.fullmatch(parameter)
    if match is None:
        raise PolicyNameError(text, "after the colon comes a time such as 90s, 10m or 4h")
    return float(match[1]) * _UNITS[match[2]]


def _price(text: str, parameter: str) -> float:
    try:
        price = float(parameter)
    except ValueError as error:
        raise PolicyNameError(text, "after the colon comes a price such as 0.5") from error
    if not 1e-6 <= price <= 1e6:
        raise PolicyNameError(text, "the price must be between 0.000001 and 1000000")
    return price
