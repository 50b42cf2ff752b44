"""Just enough of the Debug Adapter Protocol to be an editor: requests, their answers, and events, over a socket."""

import json
import socket
from typing import Any


class Editor:
    """A client of a debug adapter."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), 60)
        self._socket.settimeout(60)
        self._file = self._socket.makefile("rb")
        self._sequence = 0
        self._events: list[dict[str, Any]] = []
        self._answers: dict[int, dict[str, Any]] = {}

    def send(self, command: str, **arguments: Any) -> int:
        """The number of a request, whose answer may be waited for."""
        self._sequence += 1
        body = json.dumps(
            {"seq": self._sequence, "type": "request", "command": command, "arguments": arguments}
        ).encode()
        self._socket.sendall(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        return self._sequence

    def ask(self, command: str, **arguments: Any) -> Any:
        """The body of the answer."""
        return self.answer(self.send(command, **arguments))

    def answer(self, sequence: int) -> Any:
        while sequence not in self._answers:
            self._read()
        answer = self._answers.pop(sequence)
        assert answer["success"], answer
        return answer.get("body")

    def event(self, name: str) -> Any:
        """The body of the next event of that name."""
        while True:
            for event in self._events:
                if event["event"] == name:
                    self._events.remove(event)
                    return event.get("body")
            self._read()

    def close(self) -> None:
        self._file.close()
        self._socket.close()

    def _read(self) -> None:
        length = 0
        while line := self._file.readline().strip():
            if line.lower().startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        assert length, "the debugger closed the connection"
        told = json.loads(self._file.read(length))
        if told["type"] == "response":
            self._answers[told["request_seq"]] = told
        elif told["type"] == "event":
            self._events.append(told)
