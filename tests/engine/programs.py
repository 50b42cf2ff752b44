"""Programs for tests, in bash, which is everywhere: clients of the Runtime API without a library."""

import os
import shutil
import subprocess
from pathlib import Path

from mayfly.engine.api import Target
from mayfly.sandbox.api import SandboxSpec

# `ask METHOD PATH [BODY [HEADER]]` sets `head` and `body`; one connection a request.
ASK = r"""#!/bin/bash
api=(${AWS_LAMBDA_RUNTIME_API/:/ })
ask() {
  exec 3<>/dev/tcp/${api[0]}/${api[1]}
  printf '%s %s HTTP/1.1\r\nHost: x\r\n%sContent-Length: %d\r\nConnection: close\r\n\r\n%s' \
    "$1" "$2" "${4:+$4$'\r\n'}" "${#3}" "$3" >&3
  reply=$(cat <&3); exec 3<&-
  head=${reply%%$'\r\n\r\n'*}; body=${reply#*$'\r\n\r\n'}
}
header() { grep -i "^$1:" <<<"$head" | tr -d '\r' | cut -d' ' -f2-; }
runtime=/2018-06-01/runtime
next() { ask GET $runtime/invocation/next; id=$(header lambda-runtime-aws-request-id); }
"""
ECHO = (
    ASK
    + r"""
echo booting
while next; do
  echo "got $body"
  ask POST $runtime/invocation/$id/response "{\"you said\": $body}"
done
"""
)


def write(code: Path, script: str, name: str = "bootstrap", mode: int = 0o755) -> None:
    (code / name).write_text(script)
    (code / name).chmod(mode)


def bring(program: str, root: Path) -> None:
    """A program of this machine into another file system, with its libraries to where it looks for them."""
    listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    for path in [program, *(word for word in listed.split() if word.startswith("/"))]:
        target = root / path[1:]
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(os.path.realpath(path), target)
        for parent in target.relative_to(root).parents:
            (root / parent).chmod(0o755)


def program(code: Path, timeout_s: float = 20.0, memory_mb: int = 256) -> Target:
    """The function whose `bootstrap` is in `code`."""

    async def environment(instance: str) -> dict[str, str]:
        return {"PATH": "/usr/bin:/bin", "INSTANCE": instance}

    spec = SandboxSpec("", code, memory_mb=memory_mb, program=True)
    return Target("program", "program", spec, "handler", timeout_s, environment, contract="program")
