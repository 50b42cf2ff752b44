"""What may be chosen for a server, and what is refused with the reason."""

from pathlib import Path

import pytest

from mayfly.app.options import OptionError, ServerOptions
from mayfly.settings import EngineSettings


def chosen(keep_alive: str) -> EngineSettings:
    return ServerOptions(Path("data"), keep_alive=keep_alive).settings(Path("data")).engine


def test_instances_are_kept_by_what_was_learnt_unless_something_else_is_chosen() -> None:
    assert ServerOptions(Path("data")).settings(Path("data")).engine.keep_alive == "learned"
    assert chosen("learned").keep_alive == "learned"


@pytest.mark.parametrize(("words", "seconds"), [("fixed", 300.0), ("fixed:600", 600.0), ("fixed:0", 0.0)])
def test_a_fixed_time_may_be_chosen(words: str, seconds: float) -> None:
    assert (chosen(words).keep_alive, chosen(words).keep_alive_s) == ("fixed", seconds)


@pytest.mark.parametrize("words", ["", "never", "fixed:", "fixed:-1", "fixed:inf", "fixed:5 minutes", "learned:5"])
def test_other_words_for_it_are_refused(words: str) -> None:
    with pytest.raises(OptionError, match="learned, fixed or fixed:SECONDS"):
        chosen(words)
