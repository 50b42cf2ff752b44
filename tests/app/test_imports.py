"""Who imported whom, from the order in which imports completed."""

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from mayfly.app.imports import heaviest
from mayfly.engine.api import Import


@dataclass
class Node:
    own_us: int
    inner: "list[Node]" = field(default_factory=list)

    @property
    def total_us(self) -> int:
        return self.own_us + sum(node.total_us for node in self.inner)


trees = st.recursive(
    st.builds(Node, st.integers(1, 50_000)),
    lambda inner: st.builds(Node, st.integers(1, 50_000), st.lists(inner, max_size=4)),
    max_leaves=20,
)


def completed(nodes: list[Node], depth: int = 0) -> list[tuple[Node, int]]:
    """Nodes in the order in which their loading completes, with their depths."""
    found = []
    for node in nodes:
        found += [*completed(node.inner, depth + 1), (node, depth)]
    return found


def record(nodes: list[Node]) -> list[Import]:
    return [Import(f"m{at}", "", node.total_us, node.own_us) for at, (node, _) in enumerate(completed(nodes))]


@given(st.lists(trees, max_size=4))
def test_every_module_is_shown_below_the_one_that_imported_it(forest: list[Node]) -> None:
    depths = {f"m{at}": depth for at, (_, depth) in enumerate(completed(forest))}
    shown = heaviest(record(forest), 1000)
    assert {one.module: one.depth for one in shown} == depths


@given(st.lists(trees, max_size=4), st.integers(0, 12))
def test_the_heaviest_are_kept_and_none_without_its_importer(forest: list[Node], most: int) -> None:
    imports = record(forest)
    shown = heaviest(imports, most)
    totals = sorted((one.total_us for one in imports), reverse=True)
    assert sorted((one.total_us for one in shown), reverse=True) == totals[:most]
    above = -1
    for one in shown:
        assert one.depth <= above + 1
        above = one.depth


@given(st.lists(st.builds(Import, st.just("m"), st.just(""), st.integers(0, 9), st.integers(0, 9)), max_size=30))
def test_figures_that_make_no_sense_are_shown_all_the_same(imports: list[Import]) -> None:
    assert len(heaviest(imports, 1000)) == len(imports)
