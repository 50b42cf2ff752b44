"""What can be wrong with a mapping template: how it is written, or what becomes of it when it runs."""

from mayfly.errors import CallerError


class TemplateError(CallerError):
    """Base of both."""


class TemplateSyntaxError(TemplateError):
    """The text is no template: what is wrong, and where (lines and columns from 1)."""

    def __init__(self, message: str, line: int, column: int) -> None:
        super().__init__(f"{message} (line {line}, column {column})")
        self.line = line
        self.column = column


class TemplateRunError(TemplateError):
    """A template that was read cannot go on: a method that refuses its arguments, a path that is none."""


class TemplateLimitError(TemplateRunError):
    """A template does more, nests deeper or writes more than one may."""
