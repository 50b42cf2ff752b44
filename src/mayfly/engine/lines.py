"""What a process prints, cut into lines. Sans-IO: bytes in, text out.

Lines end at a line feed; a carriage return before it belongs to the line end. A line longer than `max_bytes` comes in
pieces, never cut inside a UTF-8 character, so that memory stays bounded whatever is printed. Invalid UTF-8 becomes
U+FFFD.
"""

MAX_LINE_BYTES = 256 * 1024  # an event of AWS CloudWatch Logs held 256 KiB for most of its history


class LineSplitter:
    """One stream of output."""

    __slots__ = ("_max_bytes", "_rest")

    def __init__(self, max_bytes: int = MAX_LINE_BYTES) -> None:
        if max_bytes < 4:
            raise ValueError("a line must have room for one character of four bytes")
        self._max_bytes = max_bytes
        self._rest = b""

    @property
    def partial(self) -> bool:
        """Whether a line has begun that has not ended."""
        return bool(self._rest)

    def feed(self, data: bytes) -> list[str]:
        """The lines that `data` completes."""
        *whole, rest = (self._rest + data).split(b"\n")
        lines: list[str] = []
        for line in whole:
            lines += self._pieces(line.removesuffix(b"\r"))
        if len(rest) > self._max_bytes:
            *full, rest = _cut(rest, self._max_bytes)
            lines += [_text(piece) for piece in full]
        self._rest = rest
        return lines

    def flush(self) -> list[str]:
        """What was begun, as a line of its own."""
        rest, self._rest = self._rest, b""
        return self._pieces(rest) if rest else []

    def _pieces(self, line: bytes) -> list[str]:
        if len(line) <= self._max_bytes:
            return [_text(line)]
        return [_text(piece) for piece in _cut(line, self._max_bytes)]


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace")


def _cut(line: bytes, max_bytes: int) -> list[bytes]:
    """`line` in pieces of at most `max_bytes`, cut between characters."""
    pieces: list[bytes] = []
    start = 0
    while len(line) - start > max_bytes:
        end = start + max_bytes
        # Step back over at most three continuation bytes (10xxxxxx); more of them in a row are not UTF-8.
        back = end
        while back > end - 3 and line[back] & 0xC0 == 0x80:
            back -= 1
        if line[back] & 0xC0 != 0x80:
            end = back
        pieces.append(line[start:end])
        start = end
    pieces.append(line[start:])
    return pieces
