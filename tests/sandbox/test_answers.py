"""Which answers of interpreters hold from one start to the next."""

import os
from pathlib import Path

import pytest

from mayfly.sandbox.answers import Answers
from mayfly.sandbox.api import Interpreter


class Machine:
    """Interpreters that count how often they are asked."""

    def __init__(self, root: Path) -> None:
        self.executable = root / "node"
        self.executable.write_text("#!")
        self.memory = root / "answers.json"
        self.asked = 0
        self.answer: Interpreter | None = Interpreter((20, 1, 2), self.executable, root, "nodejs")

    def probe(self, _executable: Path) -> Interpreter | None:
        self.asked += 1
        return self.answer

    def start(self) -> Interpreter | None:
        """As a server does."""
        answers = Answers(self.memory)
        found = answers.probe(self.probe)(self.executable)
        answers.keep()
        return found


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_an_interpreter_is_asked_once_and_known_from_then_on(machine: Machine) -> None:
    assert [machine.start() for _ in range(3)] == [machine.answer] * 3
    assert machine.asked == 1
    assert machine.memory.stat().st_mode & 0o777 == 0o600


def test_one_that_was_replaced_or_touched_is_asked_again(machine: Machine) -> None:
    machine.start()
    machine.executable.write_text("#! another")
    machine.start()
    assert machine.asked == 2
    os.utime(machine.executable, (1, 1))
    machine.start()
    assert machine.asked == 3


def test_the_answer_of_a_shim_is_not_kept_because_it_is_anothers(machine: Machine) -> None:
    machine.answer = Interpreter((20, 1, 2), machine.executable.parent / "real", machine.executable.parent, "nodejs")
    for _ in range(2):
        assert machine.start() == machine.answer
    assert machine.asked == 2


def test_a_refusal_is_not_kept(machine: Machine) -> None:
    answer, machine.answer = machine.answer, None
    assert machine.start() is None
    machine.answer = answer
    assert machine.start() == answer


def test_one_that_is_gone_is_forgotten(machine: Machine) -> None:
    machine.start()
    answers = Answers(machine.memory)
    answers.keep()  # nobody was asked
    assert Answers(machine.memory).probe(machine.probe)(machine.executable) == machine.answer
    assert machine.asked == 2


@pytest.mark.parametrize("content", ["", "[]", '{"/usr/bin/node": {"version": "20"}}', "\x00"])
def test_a_memory_that_cannot_be_understood_is_none(machine: Machine, content: str) -> None:
    machine.memory.write_text(content)
    assert machine.start() == machine.answer
    assert machine.start() == machine.answer
    assert machine.asked == 1


def test_a_memory_that_cannot_be_written_is_no_failure(machine: Machine) -> None:
    machine.memory = machine.memory.parent / "missing" / "answers.json"
    assert [machine.start(), machine.start()] == [machine.answer] * 2
    assert machine.asked == 2
