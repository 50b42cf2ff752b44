"""What a template consists of once it was read. Values only: `parser` makes them, `run` carries them out."""

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Text:
    """Characters that are written as they are."""

    text: str


@dataclass(frozen=True, slots=True)
class Property:
    """`.name`"""

    name: str


@dataclass(frozen=True, slots=True)
class Call:
    """`.name(arguments)`"""

    name: str
    arguments: "tuple[Expression, ...]"


@dataclass(frozen=True, slots=True)
class Index:
    """`[key]`"""

    key: "Expression"


Step: TypeAlias = "Property | Call | Index"


@dataclass(frozen=True, slots=True)
class Reference:
    """`$name.steps`; `literal` is how it was written, `backslashes` how many stood before it in text."""

    name: str
    steps: tuple[Step, ...]
    literal: str
    backslashes: int = 0


@dataclass(frozen=True, slots=True)
class Literal:
    """A number, a boolean, or a string in which nothing is looked for."""

    value: object


@dataclass(frozen=True, slots=True)
class Quoted:
    """A string in double quotes: a template of its own."""

    nodes: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class Items:
    """`[a, b]`"""

    items: "tuple[Expression, ...]"


@dataclass(frozen=True, slots=True)
class Pairs:
    """`{"a": b}`"""

    pairs: "tuple[tuple[Expression, Expression], ...]"


@dataclass(frozen=True, slots=True)
class Span:
    """`[first..last]`"""

    first: "Expression"
    last: "Expression"


@dataclass(frozen=True, slots=True)
class Not:
    """`!operand`"""

    operand: "Expression"


@dataclass(frozen=True, slots=True)
class Binary:
    """`left operator right`, the operator as a symbol."""

    operator: str
    left: "Expression"
    right: "Expression"


Expression: TypeAlias = "Reference | Literal | Quoted | Items | Pairs | Span | Not | Binary"


@dataclass(frozen=True, slots=True)
class Set:
    """`#set($target = value)`"""

    target: Reference
    value: Expression


@dataclass(frozen=True, slots=True)
class If:
    """`#if #elseif #else`: the first branch whose condition holds."""

    branches: "tuple[tuple[Expression, tuple[Node, ...]], ...]"
    otherwise: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class Foreach:
    """`#foreach($name in items)`"""

    name: str
    items: Expression
    body: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class Define:
    """`#define($name)`: written wherever the reference is."""

    name: str
    body: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class Macro:
    """`#macro(name $parameters)`"""

    name: str
    parameters: tuple[str, ...]
    body: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class MacroCall:
    """`#name(arguments)` of a macro that the template has, wherever; `body`: of `#@name(arguments) … #end`."""

    name: str
    arguments: tuple[Expression, ...]
    body: "tuple[Node, ...] | None" = None


@dataclass(frozen=True, slots=True)
class Break:
    """`#break`: leaves the innermost loop, or ends the template."""


@dataclass(frozen=True, slots=True)
class Stop:
    """`#stop`: ends the template."""


Node: TypeAlias = "Text | Reference | Set | If | Foreach | Define | Macro | MacroCall | Break | Stop"
