"""CPUs that are alike: explored up to their names, and everything that is said stays as it was."""

from itertools import product

import pytest

import mmmodel as mm
from mmmodel.explore.bounds import Bounds
from mmmodel.explore.concurrent import PROGRAMS
from mmmodel.explore.interleavings import explore
from mmmodel.explore.pieces import Pieces
from mmmodel.explore.scenarios import Program
from mmmodel.explore.symmetry import UpToNames, interchangeable
from mmmodel.explore.walk import Plain
from mmmodel.kernel.patches import PATCHES
from mmmodel.kernel.versions import VERSIONS

BUILDS = [mm.Build(version, arch) for version, arch in product(VERSIONS, ("s390", "x86", "powerpc"))]
BUILDS += [mm.Build("v4.6", arch, thp=True) for arch in ("sh", "um", "ia64", "arm64")]
BUILDS += [
    mm.Build(max("v4.6", PATCHES[name].since, key=list(VERSIONS).index), arch, patches=[name])
    for name, arch in product(PATCHES, ("s390", "x86"))
]
SIZES = {"zap-vs-shrinker": 4, "reaper-vs-shrinker": 4, "pin-vs-zap": 4, "pin-fast-vs-zap": 4, "fault-vs-fault": 2}
"""The scenarios with CPUs that run the same, at their smallest size."""


def both(build, name, cpus):
    """What is found with symmetry, and without it."""
    return [explore(build, PROGRAMS[name], cpus, symmetry=wanted) for wanted in (True, False)]


@pytest.mark.slow
@pytest.mark.parametrize("name", SIZES)
def test_the_same_verdicts_outcomes_and_shortest_witnesses(name):
    fewer = 0
    for build in BUILDS:
        if PROGRAMS[name].lacking(build):
            continue
        (found, outcomes), (plain, all_outcomes) = both(build, name, SIZES[name])
        assert (found.status, found.broken, found.depth) == (plain.status, plain.broken, plain.depth), build
        if found.broken:
            assert found.replay().broken == found.broken, build
        else:
            assert outcomes == all_outcomes, build
            assert found.states <= plain.states
            fewer += found.states < plain.states
    assert bool(fewer) == (name != "fault-vs-fault")


def seen(build, name, cpus, wanted):
    """A finished walk."""
    pieces = Pieces(build, PROGRAMS[name], cpus)
    walk = UpToNames(pieces, interchangeable(pieces)) if wanted else Plain(pieces)
    walk.run(Bounds())
    assert not walk.found
    return walk


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "build"),
    [
        ("zap-vs-shrinker", mm.Build("v4.7", "s390")),
        ("pin-vs-zap", mm.Build("v4.7", "x86")),
        ("pin-fast-vs-zap", mm.Build("v4.6", "x86")),
        ("reaper-vs-shrinker", mm.Build("v4.9", "s390")),
    ],
)
def test_every_state_is_walked_up_to_the_names_of_cpus(name, build):
    reduced, plain = seen(build, name, 4, True), seen(build, name, 4, False)
    told = {nameless(reduced, *reduced.opened(key)) for key in reduced.parents}
    assert told == {nameless(plain, *plain.opened(key)) for key in plain.parents}
    assert len(told) == len(reduced.parents) < len(plain.parents)


def nameless(walk, state, places):
    """A state without the names of CPUs 2 and 3: which of them has what is not told, nor which one holds a lock."""
    kernel, memory = walk.pieces.kernel, walk.pieces.memory
    values = [values[code] for values, code in zip(memory.values, memory.view(state), strict=True)]
    held = {memory.slots[id(lock), "value"] for lock in kernel.locks}
    shared = {slot: "alike" if slot in held and value in (2, 3) else value for slot, value in enumerate(values)}
    own = []
    for cpu in (2, 3):
        things = {id(kernel.cpus[cpu]): "cpu", id(kernel.cpus[cpu].gather): "gather"}
        slots = {(things[i], field): slot for (i, field), slot in memory.slots.items() if i in things}
        words = sorted((where, repr(shared.pop(slot))) for where, slot in slots.items())
        own.append(repr((stand(places[cpu]), words)))
    words = sorted(
        f"{memory.names[slot]}: {value!r}" for slot, value in shared.items() if value != memory.values[slot]["\0"]
    )
    return repr((words, stand(places[0]), stand(places[1]), sorted(own)))


def stand(place):
    return place.index, place.path, place.outside


def tells_them_apart(k, cpus):
    """CPUs that run the same code, which asks who runs it."""
    k.asked = mm.Var("asked", 0)

    def work(k):
        k.BUG_ON(k.cpu.id == 2 and k.atomic_read(k.asked) == 1, "it was CPU 2, after another one")
        k.atomic_inc(k.asked)

    return [[("work", work)] for _ in range(cpus)]


def test_code_of_a_readers_may_tell_cpus_apart():
    verdict, _ = explore(mm.Build("v4.7"), Program("mine", "", tells_them_apart, 3, 2), 3)
    assert (verdict.broken, verdict.alike) == ("no-bug", ())


def test_a_variable_that_was_never_set_is_no_error():
    def set_up(k, cpus):
        if cpus < 0:
            page = None
        return [[("work", lambda k: None if k else page)] for _ in range(cpus)]

    assert explore(mm.Build("v4.7"), Program("mine", "", set_up, 2, 2), 2)[0].holds


class AsksWho(mm.Patch):
    """CPU 3 must not leave."""

    def leave_mm(self):
        super().leave_mm()
        self.BUG_ON(self.cpu.id == 3, "CPU 3 leaves")


def test_so_may_a_patch():
    verdict = mm.check(mm.Build("v4.7", "x86", patches=[AsksWho]), "zap-vs-shrinker", 4)
    assert (verdict.broken, verdict.alike) == ("no-bug", ())


@pytest.mark.slow
def test_the_numbers_of_states():
    build = mm.Build("v4.7", "s390")
    found = [mm.check(build, "zap-vs-shrinker", cpus) for cpus in (2, 3, 4, 5, 6)]
    assert [v.states for v in found] == [137, 1329, 8151, 35380, 122560]
    assert [v.alike for v in found] == [(), (), (2, 3), (2, 3, 4), (2, 3, 4, 5)]


@pytest.mark.parametrize("symmetry", ["yes", None, 2])
def test_a_wrong_choice_is_refused(symmetry):
    with pytest.raises(mm.BuildError, match="symmetry must be True or False"):
        mm.check(mm.Build(), "zap-vs-shrinker", symmetry=symmetry)
