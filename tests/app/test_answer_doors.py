"""When sandboxes are given a door for answers to stacks."""

from pathlib import Path
from unittest.mock import Mock

from mayfly.app.answer_doors import AnswerDoors
from mayfly.app.certificates import Certificates
from mayfly.http.server import FrontDoor


async def test_there_are_doors_while_answers_are_expected_of_who_was_asked_before_the_start(tmp_path: Path) -> None:
    doors = AnswerDoors(Certificates(tmp_path))
    doors.bind(Mock(spec=FrontDoor))
    assert not doors.wanted()
    doors.expect_for(0.0)
    assert not doors.wanted()
    doors.expect_for(60.0)
    doors.expect_for(0.0)
    assert doors.wanted()
