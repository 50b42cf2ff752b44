"""Every form of a function's name leads to the same function."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.services.contract import ServiceError
from mayfly.services.functions.names import Home, Reference

CODES = ("ValidationException", "ResourceNotFoundException", "AccessDeniedException")
HOME = Home("000000000000", "us-east-1")
NAMES = st.from_regex(r"[a-zA-Z0-9_-]{1,64}", fullmatch=True).filter(
    lambda name: name not in ("function", "us-east-1") and not (name.isdecimal() and len(name) == 12)
)
QUALIFIERS = st.none() | st.sampled_from(["$LATEST", "1", "live"])


@given(NAMES, QUALIFIERS)
def test_names_and_arns_with_and_without_qualifier_are_understood(name: str, qualifier: str | None) -> None:
    suffix = f":{qualifier}" if qualifier else ""
    for form in (name, f"function:{name}", f"000000000000:function:{name}", HOME.arn(name)):
        assert HOME.parse(form + suffix) == Reference(name, qualifier)
        assert HOME.parse(form, qualifier) == Reference(name, qualifier)
        assert HOME.parse(form + suffix, qualifier) == Reference(name, qualifier)


@given(st.text(max_size=100))
def test_any_text_is_a_reference_or_an_error_of_the_caller(text: str) -> None:
    try:
        outcome = HOME.parse(text).name
    except ServiceError as error:
        outcome = error.code
    assert outcome in (*text.split(":"), *CODES)


@pytest.mark.parametrize("text", ["", "a b", "a:b:c:d", "arn:aws:s3:::bucket", "f:$OTHER", "ü"])
def test_what_names_no_function_is_refused(text: str) -> None:
    with pytest.raises(ServiceError) as error:
        HOME.parse(text)
    assert error.value.code == "ValidationException"


@pytest.mark.parametrize("qualifier", ["$LATEST", "1"])
def test_operations_on_whole_functions_take_no_qualifier(qualifier: str) -> None:
    with pytest.raises(ServiceError, match="permitted on Lambda functions only"):
        HOME.unqualified(f"f:{qualifier}")
