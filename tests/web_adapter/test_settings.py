"""What an environment says of a web server."""

import pytest

from mayfly.web_adapter.settings import BadSettingError, WebSettings, settings_of


def test_without_a_word_it_is_found_out_and_expected_at_8080() -> None:
    assert settings_of({}) == WebSettings()
    assert settings_of({"PORT": "3000"}) == WebSettings(port=3000, ready_port=3000)


def test_every_variable_of_the_adapter_is_heeded() -> None:
    settings = settings_of(
        {
            "PORT": "1",
            "AWS_LWA_PORT": "7000",
            "AWS_LWA_READINESS_CHECK_PORT": "7001",
            "AWS_LWA_READINESS_CHECK_PATH": "ready",
            "AWS_LWA_READINESS_CHECK_PROTOCOL": "TCP",
            "AWS_LWA_READINESS_CHECK_HEALTHY_STATUS": "200-204, 301",
            "AWS_LWA_ASYNC_INIT": "true",
            "AWS_LWA_REMOVE_BASE_PATH": "/v1/",
            "AWS_LWA_PASS_THROUGH_PATH": "/other",
            "AWS_LWA_ENABLE_COMPRESSION": "true",
            "AWS_LWA_AUTHORIZATION_SOURCE": "X-Token",
            "AWS_LWA_ERROR_STATUS_CODES": "500,502-504",
        }
    )
    assert settings == WebSettings(
        port=7000,
        ready_port=7001,
        ready_path="/ready",
        ready_by_tcp=True,
        healthy=frozenset({200, 201, 202, 203, 204, 301}),
        slow_start=True,
        base_path="/v1",
        events_path="/other",
        compresses=True,
        authorization="x-token",
        failing=frozenset({500, 502, 503, 504}),
        demanded=True,
    )


def test_names_without_the_prefix_count_where_the_adapter_read_them_before_it_had_one() -> None:
    settings = settings_of({"READINESS_CHECK_PATH": "/up", "ASYNC_INIT": "true", "ENABLE_COMPRESSION": "true"})
    assert (settings.ready_path, settings.slow_start, settings.compresses) == ("/up", True, False)
    both = {"READINESS_CHECK_PATH": "/old", "AWS_LWA_READINESS_CHECK_PATH": "/new"}
    assert settings_of(both).ready_path == "/new"


def test_streamed_answers_are_not_compressed() -> None:
    variables = {"AWS_LWA_ENABLE_COMPRESSION": "true", "AWS_LWA_INVOKE_MODE": "response_stream"}
    assert not settings_of(variables).compresses


def test_a_function_may_say_whether_it_is_one() -> None:
    assert settings_of({"MAYFLY_WEB": "on"}).demanded
    assert settings_of({"MAYFLY_WEB": "off", "AWS_LWA_PORT": "1"}).excluded
    assert not settings_of({"MAYFLY_WEB": "auto"}).demanded


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "http"),
        ("AWS_LWA_PORT", "65536"),
        ("AWS_LWA_READINESS_CHECK_PORT", "0"),
        ("AWS_LWA_ERROR_STATUS_CODES", "5xx"),
        ("AWS_LWA_READINESS_CHECK_HEALTHY_STATUS", "200-"),
        ("MAYFLY_WEB", "yes"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_by_its_name(name: str, value: str) -> None:
    with pytest.raises(BadSettingError, match=name):
        settings_of({name: value})
