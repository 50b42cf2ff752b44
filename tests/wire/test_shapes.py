"""Functions compiled from shapes, by several threads."""

import threading
from collections.abc import Callable

from botocore.model import Shape

from mayfly.wire.shapes import Compiler

Step = Callable[[], str]


def test_a_thread_that_asks_for_what_another_is_compiling_gets_what_works_at_once() -> None:
    begun, go = threading.Event(), threading.Event()
    answers: list[str] = []

    def build(shape: Shape, _compiler: Compiler[Step]) -> Step:
        begun.set()
        assert go.wait(20)
        return lambda: shape.name

    compiler = Compiler(build)
    shape = Shape("Input", {"type": "string"})

    def ask() -> None:
        answers.append(compiler.step(shape)())

    first, second = threading.Thread(target=ask), threading.Thread(target=ask)
    first.start()
    assert begun.wait(20)
    second.start()
    second.join(0.1)  # time enough to get something too early
    go.set()
    first.join()
    second.join()
    assert answers == ["Input", "Input"]


def test_a_shape_that_contains_itself_is_compiled_once() -> None:
    built = []

    def build(shape: Shape, compiler: Compiler[Callable[[int], int]]) -> Callable[[int], int]:
        built.append(shape.name)
        inner = compiler.step(shape)
        return lambda depth: 0 if depth == 0 else inner(depth - 1) + 1

    assert Compiler(build).step(Shape("Tree", {"type": "string"}))(5) == 5
    assert built == ["Tree"]
