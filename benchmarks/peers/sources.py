"""The functions, in the shapes that Mayfly and the peers take them: hello answers at once, pandas imports it first."""

from typing import Any

from benchmarks.peers.subject import Kind

NUMPY, PANDAS = "2.4.6", "3.1.1"
PACKAGES = (f"numpy=={NUMPY}", f"pandas=={PANDAS}")
ANSWERS: dict[Kind, str] = {"hello": "hello", "pandas": f"{NUMPY} {PANDAS}"}
_BODIES: dict[Kind, str] = {
    "hello": 'BODY = "hello"\n',
    "pandas": 'import numpy, pandas\nBODY = numpy.__version__ + " " + pandas.__version__\n',
}
# "hold" keeps an instance busy, so that the next call needs another. "end" ends it soon after its reply; were it called
# once more before that, the call would not be a cold start, so it fails.
ENDS_S = 0.05  # less than what Mayfly waits before it freezes an instance
_LAMBDA = f"""import os, threading, time
ending = threading.Event()
def handler(event, context):
    time.sleep(event.get("hold", 0))
    if event.get("end"):
        if ending.is_set():
            raise RuntimeError("this instance was to be gone")
        ending.set()
        threading.Timer({ENDS_S}, os._exit, (0,)).start()
    return {{"statusCode": 200, "body": BODY}}
"""
_FLASK = """
def handler(request):
    return BODY
"""
_ASGI = """
import sys, uvicorn
REPLY = BODY.encode()
START = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(REPLY))]}
async def app(scope, receive, send):
    await receive()
    await send(START)
    await send({"type": "http.response.body", "body": REPLY})
uvicorn.run(app, host=sys.argv[1], port=int(sys.argv[2]), log_level="error", access_log=False, lifespan="off")
"""


def module(kind: Kind) -> str:
    """The module's name; not the kind itself, which would hide the package of that name."""
    return f"function_{kind}"


def for_lambda(kind: Kind) -> str:
    """A module with `handler(event, context)`."""
    return _BODIES[kind] + _LAMBDA


def for_flask(kind: Kind) -> str:
    """A module with `handler(request)`."""
    return _BODIES[kind] + _FLASK


def for_uvicorn(kind: Kind) -> str:
    """A program that takes host and port and serves raw ASGI."""
    return _BODIES[kind] + _ASGI


def lambda_reply(kind: Kind) -> dict[str, Any]:
    """What `for_lambda(kind)` returns."""
    return {"statusCode": 200, "body": ANSWERS[kind]}


def get(port: int, path: str = "/", host: str = "127.0.0.1") -> bytes:
    """The bytes of a GET."""
    return f"GET {path} HTTP/1.1\r\nhost: {host}:{port}\r\n\r\n".encode()


def post(port: int, path: str, payload: bytes) -> bytes:
    """The bytes of a POST of JSON."""
    head = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\ncontent-type: application/json\r\n"
    return f"{head}content-length: {len(payload)}\r\n\r\n".encode() + payload
