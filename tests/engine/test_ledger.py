"""The books of the engine, kept through any order of events."""

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from mayfly.engine.ledger import Ledger

from .conftest import target

FUNCTIONS = ["a", "b", "c"]
functions = st.sampled_from(FUNCTIONS)
ACCOUNT = 20


class Books(RuleBasedStateMachine):
    """Compares the ledger with a model that counts from scratch each time."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger(1000, ACCOUNT)
        self.under_way: list[str] = []
        self.reserved: dict[str, int] = {}
        self.provisioned: dict[tuple[str, str], int] = {}

    @rule(function=functions, key=st.sampled_from(["v1", "v2"]), instances=st.integers(0, 5))
    def provision(self, function: str, key: str, instances: int) -> None:
        self.ledger.provision(function, key, instances)
        self.provisioned[function, key] = instances

    @rule(function=functions)
    def a_call_on_a_provisioned_instance_counts_nowhere(self, function: str) -> None:
        before = self.ledger.demand(target("h", function=function), 0, 0.0, accepted=False)
        self.ledger.accept(function, provisioned=True)
        assert self.ledger.demand(target("h", function=function), 0, 0.0, accepted=False) == before
        assert self.ledger.calls == len(self.under_way) + 1
        self.ledger.settle(function, provisioned=True)

    def standing(self, *functions: str) -> int:
        return sum(number for (function, _), number in self.provisioned.items() if function in functions)

    @rule(function=functions)
    def accept(self, function: str) -> None:
        self.ledger.accept(function)
        self.under_way.append(function)

    @precondition(lambda self: self.under_way)
    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        function = data.draw(st.sampled_from(self.under_way))
        self.ledger.settle(function)
        self.under_way.remove(function)

    @rule(function=functions, concurrency=st.none() | st.integers(0, 10))
    def reserve(self, function: str, concurrency: int | None) -> None:
        self.ledger.reserve(function, concurrency)
        self.reserved.pop(function, None)
        if concurrency is not None:
            self.reserved[function] = concurrency

    @invariant()
    def every_function_sees_its_own_numbers(self) -> None:
        unreserved = [function for function in self.under_way if function not in self.reserved]
        for function in FUNCTIONS:
            demand = self.ledger.demand(target("h", function=function), 0, 0.0, accepted=False)
            assert demand.function_calls == self.under_way.count(function) + self.standing(function)
            assert demand.reserved == self.reserved.get(function)
            free = self.standing(*(name for name in FUNCTIONS if name not in self.reserved))
            assert demand.unreserved_calls == len(unreserved) + free
            assert demand.unreserved_limit == max(0, ACCOUNT - sum(self.reserved.values()))

    @invariant()
    def what_counts_against_a_limit_is_as_in_the_snapshot(self) -> None:
        for function in FUNCTIONS:
            for accepted in {False, function in self.under_way}:
                demand = self.ledger.demand(target("h", function=function), 0, 0.0, accepted=accepted)
                calls, limit = self.ledger.counted(function, accepted=accepted)
                if demand.reserved is not None:
                    assert (calls, limit) == (demand.function_calls, demand.reserved)
                else:
                    assert (calls, max(0, limit)) == (demand.unreserved_calls, demand.unreserved_limit)

    @invariant()
    def an_accepted_call_does_not_count_against_itself(self) -> None:
        for function in set(self.under_way):
            made = target("h", function=function)
            others = self.ledger.demand(made, 0, 0.0, accepted=True)
            everybody = self.ledger.demand(made, 0, 0.0, accepted=False)
            assert others.function_calls == everybody.function_calls - 1
            assert others.unreserved_calls == everybody.unreserved_calls - (function not in self.reserved)


TestBooks = Books.TestCase
