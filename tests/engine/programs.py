"""Programs for tests, in bash, which is everywhere: clients of the Runtime API without a library."""

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


def program(code: Path, timeout_s: float = 20.0, memory_mb: int = 256) -> Target:
    """The function whose `bootstrap` is in `code`."""

    async def environment(instance: str) -> dict[str, str]:
        return {"PATH": "/usr/bin:/bin", "INSTANCE": instance}

    spec = SandboxSpec("", code, memory_mb=memory_mb, program=True)
    return Target("program", "program", spec, "handler", timeout_s, environment, contract="program")
