"""Identifiers that are made for every call."""

import os
import uuid

import pytest

from mayfly import ids


def test_a_request_id_is_a_random_uuid_in_the_form_of_aws() -> None:
    many = ids.RequestIds()
    made = [ids.request_id() for _ in range(1000)] + [many.next() for _ in range(1000)]
    assert len(set(made)) == 2000
    for text in made:
        read = uuid.UUID(text)
        assert (str(read), read.version, read.variant) == (text, 4, uuid.RFC_4122)
    assert {text[19] for text in made} == set("89ab")


def test_ids_of_requests_are_in_order_of_time(monkeypatch: pytest.MonkeyPatch) -> None:
    many, now = ids.RequestIds(), 1.6e9
    monkeypatch.setattr("mayfly.ids.time.time", lambda: now)
    before = [many.next() for _ in range(many.AHEAD)]
    now += 0.001
    assert many.next() > max(before)


def test_digits_are_as_many_as_asked_for() -> None:
    made = [ids.digits(40) for _ in range(1000)]
    assert len(set(made)) == 1000
    assert {len(text) for text in made} == {40}
    assert set("".join(made)) == set("0123456789abcdef")


def test_a_forked_process_draws_other_digits() -> None:
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(writing, ids.digits(40).encode())
        os._exit(0)
    os.waitpid(pid, 0)
    assert os.read(reading, 100).decode() != ids.digits(40)
    os.close(reading)
    os.close(writing)
