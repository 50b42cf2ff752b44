"""From a handler's name to the function it names, with AWS's errors on the way."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable
from typing import Any

from mayfly.sandbox.python.failures import RuntimeFault

Handler = Callable[[Any, Any], Any]


def find(name: str) -> Handler:
    """Import the module of `module.function` (`package/module.function` too) and look the function up.

    `RuntimeFault`, or whatever the module raises while it is imported.
    """
    module_name, dot, function_name = name.rpartition(".")
    if not dot:
        reason = "not enough values to unpack (expected 2, got 1)"
        raise RuntimeFault("Runtime.MalformedHandlerName", f"Bad handler '{name}': {reason}")
    if module_name.split(".")[0] in sys.builtin_module_names:
        text = f"Cannot use built-in module {module_name} as a handler module"
        raise RuntimeFault("Runtime.BuiltInModuleConflict", text)
    module = _import(module_name)
    try:
        function: Handler = getattr(module, function_name)
    except AttributeError:
        text = f"Handler '{function_name}' missing on module '{module_name}'"
        raise RuntimeFault("Runtime.HandlerNotFound", text) from None
    return function


def is_async(function: Handler) -> bool:
    """Whether what it returns is to be awaited."""
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)


def _import(name: str) -> Any:
    try:
        return importlib.import_module(name.replace("/", "."))
    except ImportError as error:
        raise RuntimeFault("Runtime.ImportModuleError", f"Unable to import module '{name}': {error}") from error
    except SyntaxError as error:
        where = f'  File "{error.filename}" Line {error.lineno}\n    {error.text}'
        text = f"Syntax error in module '{name}': {error}"
        raise RuntimeFault("Runtime.UserCodeSyntaxError", text, [where]) from error
    except (TypeError, ValueError) as error:
        # A name that cannot be a module's: "" or one that starts with a dot. What the module itself raises is its own.
        if not name.strip("./"):
            raise RuntimeFault("Runtime.ImportModuleError", f"Unable to import module '{name}': {error}") from error
        raise
