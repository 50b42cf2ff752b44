"""What a template takes from outside of its stack: exports and outputs of other stacks. Pure.

Values are looked up once, when a definition is drawn up, and kept in it under the keys that are made here: an operation
that goes on after a restart sees what it saw before.
"""

from typing import Any

from mayfly.services.stacks.faults import validation

IMPORT = "Fn::ImportValue"
STACK_OUTPUT = "Fn::GetStackOutput"
_IMPORTED, _OUTPUT = "import", "output"
_SEPARATOR = "\n"  # neither names of exports nor of stacks, outputs and regions have line ends
_MEMBERS = {"StackName", "OutputName", "Region", "RoleArn"}


def import_key(name: str) -> str:
    return _SEPARATOR.join((_IMPORTED, name))


def output_key(region: str, stack: str, output: str) -> str:
    return _SEPARATOR.join((_OUTPUT, region, stack, output))


def imported_name(key: str) -> str | None:
    """The export that a key stands for; None for a key of something else."""
    kind, _, name = key.partition(_SEPARATOR)
    return name if kind == _IMPORTED else None


def output_parts(key: str) -> tuple[str, str, str] | None:
    """Region, stack and output that a key stands for; None for a key of something else."""
    kind, *parts = key.split(_SEPARATOR)
    return (parts[0], parts[1], parts[2]) if kind == _OUTPUT and len(parts) == 3 else None


def export_missing(name: str) -> Exception:
    return validation(f"No export named {name} found.")


def missing(key: str) -> Exception:
    """The failure of a key whose value nobody has."""
    if (name := imported_name(key)) is not None:
        return export_missing(name)
    region, stack, output = output_parts(key) or ("", "", "")
    return validation(f"Template error: output {output} of stack {stack} in {region} is not there ({STACK_OUTPUT})")


def name_of_import(name: Any) -> str:
    """The name of an export from the value of an argument; `ServiceError` ValidationError."""
    if not isinstance(name, str) or not name or "\0" in name or _SEPARATOR in name:
        raise validation(
            "Template error: the attribute in Fn::ImportValue must not depend on any resources, imported values, or "
            "Fn::GetAZs"
        )
    return name


def key_of_output(argument: Any, region: str) -> str:
    """The key of a Fn::GetStackOutput from its evaluated argument; `ServiceError` ValidationError."""
    if not isinstance(argument, dict) or not {"StackName", "OutputName"} <= set(argument) <= _MEMBERS:
        raise validation(
            f"Template error: every {STACK_OUTPUT} object requires the members StackName and OutputName, and takes "
            "Region and RoleArn"
        )
    if "RoleArn" in argument:
        raise validation(
            f"Template error: Mayfly does not support RoleArn in {STACK_OUTPUT}: stacks of other accounts are not read"
        )
    parts = (argument.get("Region", region), argument["StackName"], argument["OutputName"])
    if not all(isinstance(item, str) and item and "\0" not in item and _SEPARATOR not in item for item in parts):
        raise validation(f"Template error: the members of {STACK_OUTPUT} must be texts that depend on no resource")
    return output_key(*parts)
