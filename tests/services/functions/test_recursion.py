"""The `Lineage` of trace headers: how often each function was called in a chain."""

from hypothesis import given
from hypothesis import strategies as st

from mayfly.services.functions import recursion, tracing

ARN = "arn:aws:lambda:us-east-1:000000000000:function:"
ROOT = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
names = st.sampled_from([f"{ARN}{name}" for name in "abcdef"])


@given(st.lists(names, max_size=40))
def test_a_chain_counts_every_function_by_itself_and_keeps_its_trace(chain: list[str]) -> None:
    header = ROOT
    for number, arn in enumerate(chain):
        assert recursion.turns(header, arn) == chain[:number].count(arn)
        header = recursion.entered(header, arn)
        trace = tracing.parse(header)
        assert trace is not None
        assert (trace.root, trace.parent, trace.sampled) == (
            "1-5759e988-bd862e3fe1be46a994272793",
            "53995c3f42cd8ad8",
            True,
        )
        assert recursion.turns(trace.text, arn) == recursion.turns(header, arn)  # also through one that samples


def test_only_the_functions_that_were_called_last_stay_in_a_header() -> None:
    header = ROOT
    for number in range(40):
        header = recursion.entered(header, f"{ARN}{number}")
    assert recursion.turns(header, f"{ARN}39") == 1
    assert recursion.turns(header, f"{ARN}0") == 0
    assert len(header) < 400


@given(st.text(max_size=80))
def test_whatever_somebody_sends_is_a_header_with_a_count_of_its_own(rest: str) -> None:
    for header in (rest, f"{ROOT};Lineage={rest}", f"Lineage={rest};{ROOT}"):
        before = recursion.turns(header, f"{ARN}a")
        assert recursion.turns(recursion.entered(header, f"{ARN}a"), f"{ARN}a") >= min(before, 1)


def test_of_many_records_the_deepest_chain_counts() -> None:
    once = recursion.entered(ROOT, f"{ARN}a")
    twice = recursion.entered(once, f"{ARN}a")
    assert recursion.deepest([None, once, twice, ROOT], f"{ARN}a") == twice
    assert recursion.deepest([None], f"{ARN}a") is None
