"""Patterns and events for properties: few names and values, so that they meet."""

from typing import Any

from hypothesis import strategies as st

names = st.sampled_from(["a", "b", "c", "a.b"])
texts = st.sampled_from(
    ["", "a", "ab", "abc", "ABC", "aBc", "cab", "*", "a*b", "10.0.0.1", "10.0.0.9", "2001:db8::1", "é"]
)
numbers = st.sampled_from([0, 1, -1, 1.5, 2, 100, 1e300])
scalars = st.one_of(texts, numbers, st.booleans(), st.none())
wildcards = st.sampled_from(["*", "a*", "*c", "*b*", "a*c", "*a*b*", "\\*", "a\\*b", "abc", ""])


def many(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return values | st.lists(values, min_size=1, max_size=3)


def ranges() -> st.SearchStrategy[list[Any]]:
    one = st.tuples(st.sampled_from(["=", "<", "<=", ">", ">="]), numbers)
    low = st.tuples(st.sampled_from([">", ">="]), st.sampled_from([-1, 0]))
    high = st.tuples(st.sampled_from(["<", "<="]), st.sampled_from([1, 2, 100]))
    return one.map(list) | st.tuples(low, high).map(lambda both: [*both[0], *both[1]])


operators: st.SearchStrategy[Any] = st.one_of(
    st.fixed_dictionaries({"exists": st.booleans()}),
    st.fixed_dictionaries({"prefix": texts}),
    st.fixed_dictionaries({"suffix": texts}),
    st.fixed_dictionaries({"prefix": st.fixed_dictionaries({"equals-ignore-case": texts})}),
    st.fixed_dictionaries({"suffix": st.fixed_dictionaries({"equals-ignore-case": texts})}),
    st.fixed_dictionaries({"equals-ignore-case": texts}),
    st.fixed_dictionaries({"wildcard": wildcards}),
    st.fixed_dictionaries({"numeric": ranges()}),
    st.fixed_dictionaries({"cidr": st.sampled_from(["10.0.0.0/29", "0.0.0.0/0", "10.0.0.8/31", "2001:db8::/32"])}),
    st.fixed_dictionaries({"anything-but": many(texts) | many(numbers)}),
    st.fixed_dictionaries({"anything-but": st.fixed_dictionaries({"wildcard": many(wildcards)})}),
    st.fixed_dictionaries({"anything-but": st.fixed_dictionaries({"equals-ignore-case": many(texts)})}),
    *(
        st.fixed_dictionaries({"anything-but": st.fixed_dictionaries({name: many(texts.filter(bool))})})
        for name in ("prefix", "suffix")
    ),
)
conditions = st.lists(scalars | operators, min_size=1, max_size=3)


def _larger(patterns: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    objects = st.dictionaries(names, conditions | patterns, min_size=1, max_size=3)
    alternatives = st.lists(patterns, min_size=2, max_size=3)
    return objects | st.tuples(objects, alternatives).map(lambda both: both[0] | {"$or": both[1]})


patterns = st.recursive(st.dictionaries(names, conditions, min_size=1, max_size=3), _larger, max_leaves=4)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3), max_leaves=12
)
events = st.dictionaries(names, values, max_size=4)
