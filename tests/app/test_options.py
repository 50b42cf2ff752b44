"""What may be chosen for a server, and what is refused with the reason."""

from pathlib import Path
from typing import Any

import pytest

from mayfly.app.options import (
    OptionError,
    ServerOptions,
    engine_limits,
    memory_budget_mb,
    most_spares,
    template_budget_mb,
)
from mayfly.policy.rates import Rate
from mayfly.settings import EngineSettings, OciRuntime


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


def test_what_scales_how_fast_and_how_long_calls_wait_can_be_chosen() -> None:
    settings = ServerOptions(Path("data"), queue_s=2.5, scaling="20:5", calls_per_concurrency=10).settings(Path("data"))
    limits = engine_limits(settings.engine)
    assert (limits.queue_s, limits.scaling, limits.calls_per_concurrency) == (2.5, Rate(20, 5), 10)


def test_without_a_choice_instances_become_more_as_fast_as_on_aws_and_calls_as_they_like() -> None:
    limits = engine_limits(ServerOptions(Path("data")).settings(Path("data")).engine)
    assert (limits.scaling, limits.calls_per_concurrency) == (Rate(1000, 100), None)
    anything = ServerOptions(Path("data"), scaling="any").settings(Path("data")).engine
    assert engine_limits(anything).scaling is None


@pytest.mark.parametrize(("account", "unreserved"), [(1000, 100), (5000, 100), (100, 100), (10, 10)])
def test_the_accounts_concurrency_can_be_chosen_and_leaves_a_part_unreserved(account: int, unreserved: int) -> None:
    limits = ServerOptions(Path("data"), account_concurrency=account).settings(Path("data")).limits
    assert (limits.account_concurrency, limits.unreserved_minimum) == (account, unreserved)


@pytest.mark.parametrize(
    "wrong",
    [
        {"queue_s": -1.0},
        {"account_concurrency": 0},
        {"account_concurrency": 1_000_001},
        {"queue_s": 901.0},
        {"calls_per_concurrency": 0.0},
    ]
    + [{"scaling": text} for text in ("", "1000", "0:5", "5:0", "fast", "1:-1")],
)
def test_limits_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match="not"):
        ServerOptions(Path("data"), **wrong).settings(Path("data"))


def test_templates_have_a_part_of_the_machines_memory_or_of_what_was_chosen() -> None:
    def both(memory_mb: int | None) -> tuple[int, float]:
        settings = ServerOptions(Path("data"), memory_mb=memory_mb).settings(Path("data"))
        return memory_budget_mb(settings), template_budget_mb(settings)

    assert both(800) == (800, 100)
    instances, templates = both(None)
    assert templates == instances / 4 / 8
    assert both(instances)[1] == templates


def test_other_oci_runtimes_make_levels_of_their_own_names() -> None:
    options = ServerOptions(Path("data"), isolation="kata", oci_runtimes=("kata=/bin/true,--debug,--x=1",))
    engine = options.settings(Path("data")).engine
    assert engine.isolation == "kata"
    assert engine.oci_runtimes == (OciRuntime("kata", Path("/bin/true"), ("--debug", "--x=1")),)


def test_an_oci_runtime_that_is_not_installed_is_refused() -> None:
    options = ServerOptions(Path("data"), isolation="kata", oci_runtimes=("kata=/nowhere/kata",))
    with pytest.raises(OptionError, match="oci-runtime kata: /nowhere/kata is no program of this machine"):
        options.settings(Path("data"))


@pytest.mark.parametrize(
    "runtimes",
    [
        ("kata",),
        ("kata=relative",),
        ("Kata=/k",),
        ("gvisor=/x",),
        ("../k=/x",),
        ("k=/x,",),
        ("k=/bin/true", "k=/bin/false"),
    ],
)
def test_an_oci_runtime_that_is_no_new_name_and_an_absolute_path_is_refused(runtimes: tuple[str, ...]) -> None:
    with pytest.raises(OptionError, match="oci-runtime"):
        ServerOptions(Path("data"), oci_runtimes=runtimes).settings(Path("data"))


def test_a_level_that_nobody_gives_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(OptionError, match="namespace, container, gvisor, process or kata, not 'katta'"):
        ServerOptions(Path("data"), isolation="katta", oci_runtimes=("kata=/bin/true",)).settings(Path("data"))


def test_a_level_whose_sandboxes_take_more_memory_has_fewer_spares() -> None:
    at = {
        level: most_spares(ServerOptions(Path("data"), isolation=level).settings(Path("data")))
        for level in ("namespace", "container", "gvisor", "process")
    }
    assert at["namespace"] >= at["container"] >= at["gvisor"] >= at["process"] == 0
    assert most_spares(ServerOptions(Path("data"), isolation="gvisor", spares=7).settings(Path("data"))) == 7


def test_networks_that_requests_may_be_sent_to_are_checked(tmp_path: Path) -> None:
    settings = ServerOptions(tmp_path, outgoing_allow=("127.0.0.0/8", "fd00::1")).settings(tmp_path)
    assert settings.outgoing.allow == ("127.0.0.0/8", "fd00::1")
    with pytest.raises(OptionError, match=r"outgoing-allow.*localhost"):
        ServerOptions(tmp_path, outgoing_allow=("localhost",)).settings(tmp_path)


def test_types_that_nobody_knows_cannot_be_accepted_as_inert() -> None:
    wanted = ("AWS::EC2", "AWS::Route53::HostedZone", "all")
    assert ServerOptions(Path("data"), accept_inert=wanted).settings(Path("data")).accept_inert == wanted
    with pytest.raises(OptionError, match=r"AWS::EC3 \(near: .*AWS::EC2"):
        ServerOptions(Path("data"), accept_inert=("AWS::EC3",)).settings(Path("data"))
