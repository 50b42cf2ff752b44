"""What functions say of the records of a batch."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.services.functions.mappings.responses import failures, first_failure

IDS = ("a", "b", "c")


@pytest.mark.parametrize(
    "answer",
    [b"", b"null", b"{}", b"[]", b'""', b'{"batchItemFailures": []}', b'{"batchItemFailures": null}', b'"done"', b"7"],
)
def test_these_answers_mean_that_nothing_failed(answer: bytes) -> None:
    assert failures(answer, IDS) == frozenset()


@pytest.mark.parametrize(
    "items",
    [
        [{"itemIdentifier": ""}],
        [{"itemIdentifier": None}],
        [{"foo": "a"}],
        [{"foo": None}],
        [{"itemIdentifier": "someone else's"}],
        [{"itemIdentifier": "a"}, {"itemIdentifier": 7}],
        ["a"],
        "a",
        {"itemIdentifier": "a"},
    ],
)
def test_an_answer_that_is_wrong_fails_the_whole_batch(items: Any) -> None:
    assert failures(json.dumps({"batchItemFailures": items}).encode(), IDS) == frozenset(IDS)


def test_an_answer_that_is_no_json_fails_the_whole_batch() -> None:
    assert failures(b"{", IDS) == frozenset(IDS)


@given(st.sets(st.sampled_from(IDS)))
def test_records_that_are_named_failed_and_the_others_did_not(named: set[str]) -> None:
    answer = json.dumps({"batchItemFailures": [{"itemIdentifier": each} for each in named]}).encode()
    assert failures(answer, IDS) == named
    assert first_failure(answer, IDS) == min((IDS.index(each) for each in named), default=None)
