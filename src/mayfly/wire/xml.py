"""XML in and out. In: a small tree built by expat, which refuses document types and entities. Out: escaped text.

The tree forgets namespaces, as AWS's services do; attributes keep their local names only.
"""

from collections.abc import Mapping
from typing import NoReturn
from xml.parsers import expat

from mayfly.errors import CallerError

MAX_DEPTH = 100
MAX_ELEMENTS = 250_000  # the longest request that S3 has, the list of 10,000 parts of an upload, has some 80,000


class MalformedXmlError(CallerError):
    """The text is no well-formed XML, or has a document type, or is nested too deeply."""


class Node:
    """An element: local name, attributes by local name, children in order, and its own text."""

    __slots__ = ("attributes", "children", "name", "text")

    def __init__(self, name: str, attributes: Mapping[str, str]) -> None:
        self.name = name
        self.attributes = attributes
        self.children: list[Node] = []
        self.text = ""

    def all(self, name: str) -> "list[Node]":
        """The children of that name."""
        return [child for child in self.children if child.name == name]

    def first(self, name: str) -> "Node | None":
        """The first child of that name."""
        return next((child for child in self.children if child.name == name), None)


class _Builder:
    def __init__(self) -> None:
        self.root: Node | None = None
        self._open: list[Node] = []
        self._texts: list[list[str]] = []  # of the open elements, in pieces
        self._left = MAX_ELEMENTS

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self._open) >= MAX_DEPTH:
            raise MalformedXmlError(f"more than {MAX_DEPTH} elements are nested")
        self._left -= 1
        if self._left < 0:
            raise MalformedXmlError(f"there are more than {MAX_ELEMENTS} elements")
        node = Node(_local(name), {_local(key): value for key, value in attributes.items()})
        if self._open:
            self._open[-1].children.append(node)
        else:
            self.root = node
        self._open.append(node)
        self._texts.append([])

    def end(self, _name: str) -> None:
        self._open.pop().text = "".join(self._texts.pop())

    def text(self, data: str) -> None:
        if self._texts:
            self._texts[-1].append(data)


def _local(name: str) -> str:
    return name.rpartition(":")[2]


def _refuse(*_: object) -> NoReturn:
    raise MalformedXmlError("document types and entities are not accepted")


def parse(text: bytes) -> Node:
    """The root element of `text`; `MalformedXmlError`."""
    builder = _Builder()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.text
    parser.StartDoctypeDeclHandler = _refuse
    parser.EntityDeclHandler = _refuse
    parser.ExternalEntityRefHandler = _refuse
    try:
        parser.Parse(text, True)
    except (expat.ExpatError, ValueError) as error:
        raise MalformedXmlError(str(error)) from error
    if builder.root is None:
        raise MalformedXmlError("there is no element")
    return builder.root


_TEXT = {ord("&"): "&amp;", ord("<"): "&lt;", ord(">"): "&gt;", ord("\r"): "&#13;"}
_TEXT.update({code: f"&#x{code:X};" for code in range(32) if code not in {9, 10, 13}})
_ATTRIBUTE = {**_TEXT, ord('"'): "&quot;", ord("\n"): "&#10;", ord("\t"): "&#9;"}


def escape(text: str) -> str:
    """`text` as character data. Control characters become references, which is what S3 does with odd keys."""
    return text.translate(_TEXT)


def escape_attribute(text: str) -> str:
    """`text` as the value of an attribute in double quotes."""
    return text.translate(_ATTRIBUTE)
