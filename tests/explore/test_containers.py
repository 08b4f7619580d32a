"""A container in memory does what the container itself does, whatever its kind."""

from collections import Counter, OrderedDict, defaultdict, deque
from copy import copy, deepcopy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmmodel.explore.containers import Shared, freeze, thaw


def in_memory(value):
    """A container in a memory of one word."""
    cell = [freeze(value)]
    return Shared(lambda: cell[0], lambda new: cell.__setitem__(0, freeze(new)))


LISTS = {
    "append": lambda c, n: c.append(n),
    "extend": lambda c, n: c.extend([n, n + 1]),
    "insert": lambda c, n: c.insert(n % 3, n),
    "pop": lambda c, n: c.pop(),
    "del": lambda c, n: c.__delitem__(n % 3),
    "set": lambda c, n: c.__setitem__(n % 3, n),
    "get": lambda c, n: c[n % 3],
    "nested": lambda c, n: c.append([n]),
    "inner": lambda c, n: [item.append(n) for item in c if isinstance(item, list)],
    "index": lambda c, n: c.index(n),
    "reverse": lambda c, n: c.reverse(),
    "len": lambda c, n: (len(c), bool(c), n in c, list(c), c == [n], [*reversed(c)]),
}
DICTS = {
    "set": lambda c, n: c.__setitem__(n, n),
    "add": lambda c, n: c.__setitem__(n, c[n] + [n] if isinstance(c, defaultdict) else c[n] + 1),
    "append": lambda c, n: c[n].append(n),
    "setdefault": lambda c, n: c.setdefault(n, []).append(n),
    "pop": lambda c, n: c.pop(n),
    "get": lambda c, n: c.get(n),
    "update": lambda c, n: c.update({n: [n], n + 1: 0}),
    "del": lambda c, n: c.__delitem__(n),
    "clear": lambda c, n: c.clear(),
    "inner": lambda c, n: [item.append(n) for item in c.values() if isinstance(item, list)],
    "items": lambda c, n: (list(c), len(c), n in c, [(k, thaw(v)) for k, v in c.items()], sorted(c.keys())),
}
SETS = {
    "add": lambda c, n: c.add(n),
    "discard": lambda c, n: c.discard(n),
    "remove": lambda c, n: c.remove(n),
    "or": lambda c, n: c | {n},
    "len": lambda c, n: (len(c), n in c, sorted(c), c == {n}),
    "update": lambda c, n: c.update([n, n + 1]),
}
KINDS = [
    ([], LISTS), (deque(), LISTS), (deque(maxlen=2), {n: op for n, op in LISTS.items() if n != "insert"}), ({}, DICTS),
    (OrderedDict(), DICTS), (defaultdict(list), DICTS), (Counter(), DICTS), (set(), SETS),
]  # fmt: skip


@pytest.mark.parametrize(("empty", "operations"), KINDS, ids=lambda value: type(value).__name__)
@given(data=st.data())
def test_a_container_in_memory_does_what_it_does_outside(empty, operations, data):
    plain, shared = deepcopy(empty), in_memory(empty)
    for name in data.draw(st.lists(st.sampled_from(sorted(operations)), max_size=12)):
        number, results = data.draw(st.integers(0, 3)), []
        for container in (plain, shared):
            try:
                results.append(operations[name](container, number))
            except (IndexError, KeyError, TypeError, ValueError, AttributeError) as error:
                results.append(type(error))
        assert thaw(results[1]) == results[0]
        assert thaw(shared) == plain
        assert type(thaw(shared)) is type(plain)


def test_what_comes_out_is_ones_own():
    shared = in_memory([[1], [2]])
    mine, other, inner = shared.pop(), copy(shared), shared[0]
    mine.append(3)
    other[0].append(4)
    assert (repr(shared), mine, other) == ("[[1]]", [2, 3], [[1, 4]])
    inner.append(5)
    assert shared == [[1, 5]]
    assert isinstance(shared, list)
    assert isinstance(in_memory(defaultdict(int)), dict)
    with pytest.raises(TypeError, match="unhashable"):
        hash(shared)


def test_what_a_deque_knows_besides_its_items():
    shared = in_memory(deque([1, 2, 3], maxlen=3))
    shared.append(4)
    assert (shared.maxlen, list(shared)) == (3, [2, 3, 4])
    shared += [5]
    assert list(shared) == [3, 4, 5]
