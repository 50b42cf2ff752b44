"""Patch operations."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.services.apis.rest import patching
from mayfly.services.apis.rest.model import Stage
from mayfly.services.apis.rest.patching import Patch, entry, member, scalar
from mayfly.services.apis.rest.stage_patches import patched
from mayfly.services.contract import ServiceError

RULES = (scalar("name"), scalar("description", ops="add remove replace"), entry("tags"), member("types"))
STAGE = Stage(
    stage_name="s",
    deployment_id="d",
    created_at=0.0,
    updated_at=0.0,
    cache_cluster_enabled=False,
    tracing_enabled=False,
)


@given(st.dictionaries(st.text(min_size=1, max_size=5), st.text(max_size=5), max_size=4))
def test_whatever_is_added_is_there_until_it_is_removed(tags: dict[str, str]) -> None:
    def path(key: str) -> str:
        return "/tags/" + key.replace("~", "~0").replace("/", "~1")

    members: dict[str, Any] = {}
    patching.apply_curt(members, RULES, [Patch("add", path(key), value) for key, value in tags.items()])
    assert (members.get("tags") or {}) == tags
    patching.apply_curt(members, RULES, [Patch("remove", path(key)) for key in tags])
    assert not members.get("tags")


def test_a_member_is_added_once_and_replaced_by_another() -> None:
    members: dict[str, Any] = {}
    add = Patch("add", "/types/image~1png")
    patching.apply_curt(members, RULES, [add, add, Patch("replace", "/types/image~1png", "a/b")])
    assert members == {"types": ["a/b"]}


@pytest.mark.parametrize(
    ("patch", "words"),
    [
        (Patch("replace", "/none", "x"), "Invalid patch path /none"),
        (Patch("add", "/name", "x"), "Invalid patch operation specified. Must be one of: [replace]"),
    ],
)
def test_what_cannot_be_is_said_shortly(patch: Patch, words: str) -> None:
    with pytest.raises(ServiceError) as refused:
        patching.apply_curt({}, RULES, [patch])
    assert refused.value.message == words


def test_what_cannot_be_is_said_with_what_can() -> None:
    with pytest.raises(ServiceError) as refused:
        patching.apply_chatty({}, RULES, [Patch("replace", "/none", "x")])
    assert refused.value.message == (
        "Invalid patch path  '/none' specified for op 'replace'. "
        "Must be one of: [/name, /description, /tags/*, /types/*]"
    )


def test_a_method_of_a_stage_begins_with_the_settings_of_all() -> None:
    stage = patched(
        STAGE,
        [
            Patch("replace", "/*/*/throttling/burstLimit", "7"),
            Patch("replace", "/a~1b/GET/logging/loglevel", "INFO"),
            Patch("replace", "/a/b/POST/metrics/enabled", "true"),
        ],
    )
    assert stage.method_settings["a~1b/GET"].throttling_burst_limit == 7
    assert stage.method_settings["a~1b/GET"].logging_level == "INFO"
    assert stage.method_settings["a/b/POST"].metrics_enabled
    assert patched(stage, [Patch("remove", "/*/*")]).method_settings.keys() == {"a~1b/GET", "a/b/POST"}


@pytest.mark.parametrize(
    "patch",
    [
        Patch("replace", "/nothing", "x"),
        Patch("remove", "/*/*"),
        Patch("replace", "/*/*/logging/loglevel", "LOUD"),
        Patch("replace", "/*/*/caching/ttlInSeconds", "3601"),
        Patch("replace", "/canarySettings/percentTraffic", "101"),
        Patch("copy", "/deploymentId", None, "/canarySettings/deploymentId"),
        Patch("replace", "/variables/a", "not allowed: $"),
        Patch("replace", "/accessLogSettings/format", ""),
    ],
)
def test_a_stage_refuses_what_it_cannot_have(patch: Patch) -> None:
    with pytest.raises(ServiceError, match="BadRequestException"):
        patched(STAGE, [patch])
