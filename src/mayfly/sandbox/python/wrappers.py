"""Scripts that functions have their runtime started by: the variable AWS_LAMBDA_EXEC_WRAPPER."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Optional

VARIABLE = "AWS_LAMBDA_EXEC_WRAPPER"
_NOT_EXECUTABLE, _NOT_FOUND = 126, 127  # as shells say it


def complaint(environment: Mapping[str, str]) -> Optional[tuple[str, int]]:  # noqa: UP045 (Python 3.9)
    """Why there is no starting the function's wrapper, and the status to end with; None: there is, or it has none."""
    wrapper = environment.get(VARIABLE)
    if not wrapper or os.access(wrapper, os.X_OK):
        return None
    if not os.path.isfile(wrapper):
        return f"{wrapper}: does not exist\n", _NOT_FOUND
    return f"{wrapper}: is not an executable\n", _NOT_EXECUTABLE
