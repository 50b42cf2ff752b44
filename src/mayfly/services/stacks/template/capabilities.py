"""Which capabilities a caller has to acknowledge for a template. Pure."""

from collections.abc import Collection

from mayfly.services.stacks.faults import insufficient_capabilities
from mayfly.services.stacks.template.document import Template

IAM, NAMED_IAM, AUTO_EXPAND = "CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"
# IAM resource types, and the property that names one.
_NAMES = {
    "AWS::IAM::Role": "RoleName",
    "AWS::IAM::User": "UserName",
    "AWS::IAM::Group": "GroupName",
    "AWS::IAM::ManagedPolicy": "ManagedPolicyName",
    "AWS::IAM::Policy": None,
    "AWS::IAM::AccessKey": None,
    "AWS::IAM::InstanceProfile": "InstanceProfileName",
    "AWS::IAM::UserToGroupAddition": None,
}


def required(template: Template) -> tuple[list[str], str]:
    """The capabilities that `template` needs, and why; empty for one that makes nothing that grants rights."""
    iam = [resource for resource in template.resources.values() if resource.type in _NAMES]
    if not iam:
        return [], ""
    named = any(_NAMES[resource.type] in resource.properties for resource in iam)
    types = ", ".join(sorted({resource.type for resource in iam}))
    return [NAMED_IAM if named else IAM], f"The following resource(s) require capabilities: [{types}]"


def check(template: Template, given: Collection[str], *, expands: bool) -> None:
    """`ServiceError` InsufficientCapabilitiesException unless `given` covers what is required.

    `expands`: macros are carried out without a change set in which somebody could have looked at the result.
    """
    missing = [capability for capability in required(template)[0] if capability not in given and NAMED_IAM not in given]
    if expands and AUTO_EXPAND not in given:
        missing.append(AUTO_EXPAND)
    if missing:
        raise insufficient_capabilities(missing)
