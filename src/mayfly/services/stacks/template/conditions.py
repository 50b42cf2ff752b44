"""What is true or false: conditions, and with a few functions more, the rules about parameters. Pure."""

from collections.abc import Callable, Mapping
from typing import Any

from mayfly.services.stacks.faults import validation
from mayfly.services.stacks.template.parameters import text_of

# An expression → its value.
Evaluate = Callable[[Any], Any]
# The name of a condition → whether it is true.
Holds = Callable[[str], bool]
# The functions whose value is true or false; "Condition" names another one.
FUNCTIONS = ("Fn::And", "Fn::Or", "Fn::Not", "Fn::Equals")
_FEWEST, _MOST = 2, 10


def decide(value: Any, evaluate: Evaluate, holds: Holds) -> bool:
    """The verdict of a condition; `ServiceError` ValidationError."""
    call = next(iter(value.items())) if isinstance(value, dict) and len(value) == 1 else ("", None)
    name, argument = call
    if name == "Condition":
        if not isinstance(argument, str):
            raise validation("Template format error: Every Condition member must be a string.")
        return holds(argument)
    if name == "Fn::Equals":
        if not isinstance(argument, list) or len(argument) != 2:
            raise validation("Template error: every Fn::Equals object requires a list of 2 string parameters.")
        left, right = (evaluate(item) for item in argument)
        return bool(comparable(left) == comparable(right))
    if name == "Fn::Not":
        if not isinstance(argument, list) or len(argument) != 1:
            raise validation("Template error: every Fn::Not object requires one boolean parameter.")
        return not decide(argument[0], evaluate, holds)
    if name in ("Fn::And", "Fn::Or"):
        if not isinstance(argument, list) or not _FEWEST <= len(argument) <= _MOST:
            raise validation(
                f"Template error: every {name} object requires a list of at least {_FEWEST} and at most {_MOST} "
                "boolean parameters."
            )
        verdicts = [decide(item, evaluate, holds) for item in argument]
        return all(verdicts) if name == "Fn::And" else any(verdicts)
    raise validation(
        "Template format error: Conditions can only be boolean operations on parameters and other conditions"
    )


def comparable(value: Any) -> Any:
    """A value as comparisons see it: what a template writes as a number or a boolean is the same as its text."""
    if isinstance(value, list):
        return [comparable(item) for item in value]
    return text_of(value) if isinstance(value, str | int | float | bool) else value


def check_rules(
    rules: Mapping[str, Mapping[str, Any]],
    evaluate: Evaluate,
    holds: Holds,
    parameters: Mapping[str, tuple[str, Any]],
) -> None:
    """Judge the rules of a template; `ServiceError` ValidationError names the first that is broken.

    `parameters`: type and value by name.
    """
    functions = _RuleFunctions(evaluate, holds, parameters)
    for name, rule in rules.items():
        if "RuleCondition" in rule and not functions.verdict(rule["RuleCondition"]):
            continue
        for assertion in rule["Assertions"]:
            if not functions.verdict(assertion["Assert"]):
                said = assertion.get("AssertDescription")
                raise validation(
                    f"Template error: Rule {name} is not satisfied" + (f": {said}" if said else " by the parameters")
                )


class _RuleFunctions:
    def __init__(self, evaluate: Evaluate, holds: Holds, parameters: Mapping[str, tuple[str, Any]]) -> None:
        self._evaluate = evaluate
        self._holds = holds
        self._parameters = parameters

    def verdict(self, value: Any) -> bool:
        """Whether an expression of a rule is true."""
        name, argument = next(iter(value.items())) if isinstance(value, dict) and len(value) == 1 else ("", None)
        if name in ("Fn::And", "Fn::Or") and isinstance(argument, list) and _FEWEST <= len(argument) <= _MOST:
            verdicts = [self.verdict(item) for item in argument]
            return all(verdicts) if name == "Fn::And" else any(verdicts)
        if name == "Fn::Not" and isinstance(argument, list) and len(argument) == 1:
            return not self.verdict(argument[0])
        if name == "Fn::Contains":
            items, item = self._two(name, argument)
            return comparable(item) in comparable(_listed(name, items))
        if name == "Fn::EachMemberEquals":
            items, item = self._two(name, argument)
            return all(comparable(one) == comparable(item) for one in _listed(name, items))
        if name == "Fn::EachMemberIn":
            items, others = self._two(name, argument)
            allowed = comparable(_listed(name, others))
            return all(comparable(one) in allowed for one in _listed(name, items))
        if name == "Fn::Equals" and isinstance(argument, list) and len(argument) == 2:
            left, right = self._two(name, argument)
            return bool(comparable(left) == comparable(right))
        return decide(value, self._value, self._holds)

    def _two(self, name: str, argument: Any) -> tuple[Any, Any]:
        if not isinstance(argument, list) or len(argument) != 2:
            raise validation(f"Template error: every {name} object requires a list of 2 parameters.")
        return self._value(argument[0]), self._value(argument[1])

    def _value(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._value(item) for item in value]
        name, argument = next(iter(value.items())) if isinstance(value, dict) and len(value) == 1 else ("", None)
        if name == "Fn::RefAll":
            return [found for kind, found in self._parameters.values() if kind == argument]
        if name in ("Fn::ValueOf", "Fn::ValueOfAll"):
            raise validation(
                f"Template error: Mayfly does not support {name}: it asks for attributes of VPCs, subnets, instances "
                "and hosted zones, which there are none of"
            )
        return self._evaluate(value)


def _listed(name: str, value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise validation(f"Template error: every {name} object requires a list of strings.")
    return value
