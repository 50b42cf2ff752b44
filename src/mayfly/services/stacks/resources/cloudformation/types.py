"""What AWS::CloudFormation has."""

from typing import Final

from mayfly.services.stacks.resources.cloudformation.custom import CustomResource
from mayfly.services.stacks.resources.cloudformation.macro import Macro
from mayfly.services.stacks.resources.cloudformation.nested import NestedStack
from mayfly.services.stacks.resources.cloudformation.wait_condition import WaitCondition
from mayfly.services.stacks.resources.cloudformation.wait_handle import WaitConditionHandle

TYPES: Final = (CustomResource(), Macro(), NestedStack(), WaitCondition(), WaitConditionHandle())
