"""What a runtime says about its start is checked, whatever it is; and which starts are worth a template."""

from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from mayfly.engine.api import Import
from mayfly.engine.starts import Account
from mayfly.policy import templates as policy
from mayfly.sandbox.api import Origin

anything: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=10,
)


@given(init=anything, restore=anything, imports=anything)
def test_whatever_a_runtime_says_makes_a_start(init: Any, restore: Any, imports: Any) -> None:
    account = Account(1.0)
    account.sandbox_made(1.5, "interpreter", {})
    start = account.ready(2.0, {"init_ms": init, "restore_ms": restore, "imports": imports}, snap_start=False)
    assert start.sandbox_ms == 500
    assert min(start.runtime_ms, start.init_ms, start.restore_ms) >= 0
    assert all(one.total_us >= 0 and len(one.path) <= 256 for one in start.imports)


def test_a_start_adds_up() -> None:
    account = Account(0.0)
    account.sandbox_made(0.004, "template", {"A": "a"})
    meta = {"init_ms": 3.0, "restore_ms": 1.0, "imports": [["app", "/var/task/app.py", 1900, 1800], ["bad"]]}
    start = account.ready(0.0095, meta, snap_start=False)
    assert (start.path, round(start.sandbox_ms), start.restore_ms, start.init_ms) == ("packages", 4, 1.0, 2.0)
    assert round(start.runtime_ms, 3) == 2.5
    assert start.imports == (Import("app", "/var/task/app.py", 1900, 1800),)


def test_a_fork_after_init_is_a_start_of_its_own_kind() -> None:
    account = Account(0.0)
    account.sandbox_made(0.001, "template", {})
    start = account.ready(0.002, {}, snap_start=True)
    assert (start.path, start.restored) == ("function", True)


def test_a_spare_of_a_version_with_snap_start_is_restored_if_it_was_forked_after_init() -> None:
    for origin, restored in (("template", True), ("interpreter", False)):
        account = Account(0.0)
        account.sandbox_made(0.001, cast(Origin, origin), {}, from_spare=True)
        start = account.ready(0.002, {}, snap_start=True)
        assert (start.path, start.restored) == ("spare", restored)
    account = Account(0.0)
    account.sandbox_made(0.001, "template", {}, from_spare=True)
    assert not account.ready(0.002, {}, snap_start=False).restored


def test_a_template_is_worth_it_when_imports_beyond_the_functions_own_take_long() -> None:
    own = policy.Loaded("app.models", policy.LEAST_SAVED_US * 10)
    small, large = policy.Loaded("six", 100), policy.Loaded("numpy", policy.LEAST_SAVED_US)
    assert not policy.worth_it([own, small], "app.handler")
    assert policy.worth_it([own, large], "app.handler")
    assert policy.worth_it([own], "other/app.handler")


@given(st.lists(st.builds(policy.Loaded, st.text(), st.integers()), max_size=20))
def test_more_imports_are_never_worth_less(imports: list[policy.Loaded]) -> None:
    if policy.worth_it(imports, "app.handler"):
        assert policy.worth_it([*imports, policy.Loaded("more", 1)], "app.handler")
