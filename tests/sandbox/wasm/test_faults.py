"""Error objects, from what the engine says and from what functions say."""

from hypothesis import given
from hypothesis import strategies as st

from mayfly.sandbox.wasm import faults

TRAP = """error while executing at wasm backtrace:
    0:   0x53 - <unknown>!inner
    1:   0x1a - <unknown>!outer

Caused by:
    wasm trap: wasm `unreachable` instruction executed
"""


def test_a_trap_has_its_cause_and_its_stack() -> None:
    fault = faults.of_trap(TRAP)
    assert fault.described("r") == {
        "errorMessage": "wasm trap: wasm `unreachable` instruction executed",
        "errorType": "Runtime.Trap",
        "requestId": "r",
        "stackTrace": ["<unknown>!inner", "<unknown>!outer"],
    }


def test_an_instance_that_is_too_large_is_out_of_memory() -> None:
    assert faults.of_trap("memory minimum size of 4096 pages exceeds memory limits").kind == "Runtime.OutOfMemory"


def test_the_error_of_a_handler_is_a_sentence_or_an_error_object() -> None:
    assert faults.of_refusal("no such order").described("r")["errorType"] == "Error"
    fault = faults.of_refusal('{"errorType": "NotFound", "errorMessage": "no such order", "stackTrace": ["a", 1]}')
    assert (fault.kind, str(fault), fault.stack) == ("NotFound", "no such order", ["a", "1"])
    assert str(faults.of_refusal("[]")) == "[]"


@given(st.text())
def test_any_text_is_a_fault(text: str) -> None:
    assert faults.of_trap(text).kind in (faults.TRAP, faults.MEMORY)
    assert faults.of_refusal(text).kind
