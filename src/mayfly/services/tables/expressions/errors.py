"""What is wrong with an expression, in DynamoDB's words but without the parameter's name, which the caller knows."""

from mayfly.errors import CallerError


class ExpressionError(CallerError):
    """The expression cannot be parsed, bound or applied. The message lacks only "Invalid XExpression: "."""


class UpdateError(CallerError):
    """A valid update does not fit the item that it met. The message is complete."""
