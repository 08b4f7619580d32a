"""What a reader brings: patches of every kind, scenarios, mistakes. Each gets the verdict it deserves, or one line."""

import proposals as given
import pytest

import mmmodel as mm
from mmmodel.explore.concurrent import PROGRAMS
from mmmodel.explore.sequential import SEQUENTIAL

FEW = [name for name in SEQUENTIAL if name not in ("unmap-until-panic", "refill-after-unmap", "fork-pressure")]
S390, NO_SWAP, X86 = {}, {"swap": False}, {"arch": "x86"}


def broken_in(build):
    """The scenarios in which a build breaks; every one is decided."""
    found = {name: mm.check(build, name) for name in (*FEW, *PROGRAMS)}
    assert all(verdict.complete for verdict in found.values())
    return {name for name, verdict in found.items() if not verdict}


# -- right fixes, however they count, and whatever they bring

RIGHT = [
    *[(patch, toggles) for patch in (given.MappingHoldsPage, given.PendingOnTheKernel, given.PendingInTheGather,
                                     given.NobodyPins) for toggles in (S390, NO_SWAP, X86)],
    *[(given.LoserTakesSmallPages, toggles) for toggles in (S390, X86)],
    *[(given.WithAHelper, toggles) for toggles in (S390, NO_SWAP)],
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("patch", "toggles"), RIGHT, ids=str)
def test_a_right_fix_holds_however_it_counts(patch, toggles):
    open_ = {"pin-fast-vs-zap"} if patch is given.NobodyPins else set()
    reaper = {"reaper-vs-shrinker"} if toggles is not X86 else set()
    assert broken_in(mm.Build("v4.6", patches=[patch], **toggles)) == open_ | reaper


def test_what_a_fix_leaves_open_is_found():
    assert broken_in(mm.Build("v4.6", "x86", patches=[given.WithAHelper])) == {
        "zap-vs-shrinker", "pin-vs-zap", "pin-fast-vs-zap", "reaper-vs-shrinker"
    }  # fmt: skip
    assert "two-mappings" in broken_in(mm.Build("v4.6", swap=False, patches=[given.LoserTakesSmallPages]))


class TwoPerMapping(mm.Patch):
    """Every mapping counts twice, on v4.7; it is given back twice."""

    def put_huge_zero_page(self):
        super().put_huge_zero_page()
        super().put_huge_zero_page()

    def get_huge_zero_page(self):
        page = super().get_huge_zero_page()
        if page is not None:
            self.atomic_inc(self.huge_zero_refcount)
        return page


class StatesItsRule(TwoPerMapping):
    """The same, and says so."""

    def references_due(self):
        held, count = super().references_due()
        return held and 2 * held - 1, count


class StatesAnother(TwoPerMapping):
    """Says that it counts as ever, and does not."""

    def references_due(self):
        return super().references_due()


class Stays(mm.Patch):
    """The page is meant to stay: the shrinker never gets it."""

    never_freed = True

    def shrink_huge_zero_page_scan(self):
        return 0


class Leaks(mm.Patch):
    """The same, and not meant."""

    def shrink_huge_zero_page_scan(self):
        return 0


class ForgetsReferences(mm.Patch):
    """A mapping takes a reference of the page that nobody drops: what the shrinker gives away is never free."""

    def set_huge_zero_page(self, pgtable, mm_, index, zero_page):
        if done := super().set_huge_zero_page(pgtable, mm_, index, zero_page):
            self.get_page(zero_page)
        return done


@pytest.mark.parametrize(("patch", "scenario", "broken"), [
    *[(ForgetsReferences, name, "not-leaked") for name in ("map-read-unmap", "fork", "fault-unmap-vs-shrinker")],
    (TwoPerMapping, "two-mappings", ""), (TwoPerMapping, "zap-vs-shrinker", ""),
    (StatesItsRule, "two-mappings", ""), (StatesItsRule, "zap-vs-shrinker", ""),
    (StatesAnother, "two-mappings", "references-balance"), (StatesAnother, "fault-vs-fault", "references-balance"),
    (Stays, "two-mappings", ""), (Stays, "fault-vs-shrinker", ""),
    (Leaks, "two-mappings", "not-leaked"), (Leaks, "fault-vs-shrinker", "not-leaked"),
])  # fmt: skip
def test_bookkeeping_judges_who_keeps_the_rule_and_harm_everybody(patch, scenario, broken):
    verdict = mm.check(mm.Build("v4.7", patches=[patch]), scenario)
    assert (verdict.broken, verdict.complete) == (broken, True)
    assert ("references-balance" in verdict.invariants) is ("references_due" in dir(patch))
    assert {"one-owner", "no-complaint", "no-deadlock", "not-leaked"} <= set(verdict.invariants)


# -- state of every kind


class Kinds(mm.Patch):
    """Lists, dictionaries, sets, counters and objects, on the kernel, the gather, pages, processes and CPUs."""

    seen = ()

    class Note:
        def __init__(self):
            self.puts = 0

    def boot_huge_memory(self):
        super().boot_huge_memory()
        self.notes = {"all": [], cpu_name(self): {0}}
        self.note = Kinds.Note()
        self.word = mm.Var("own.word", 0)

    def zap_huge_zero_page(self, tlb, page):
        tlb.mm.zapped = getattr(tlb.mm, "zapped", 0) + 1
        self.cpu.mine = [*getattr(self.cpu, "mine", []), page]
        page.note = {"cpu": self.cpu.id}
        self.seen += (tlb.mm.name,)
        self.notes["all"].append(page)
        self.notes[cpu_name(self)].add(tlb.mm.zapped)
        tlb.late = list(self.notes["all"])
        super().zap_huge_zero_page(tlb, page)

    def tlb_finish_mmu(self, tlb):
        super().tlb_finish_mmu(tlb)
        if getattr(tlb, "late", None):
            self.note.puts += len(tlb.late)
            self.atomic_inc(self.word)
            del tlb.late[:]
            assert self.cpu.mine.pop() is self.huge_zero_page.value


def cpu_name(kernel):
    return f"cpu{kernel.cpu.id}"


class Sees(Kinds):
    """Stops when two processes have been noted."""

    def tlb_finish_mmu(self, tlb):
        super().tlb_finish_mmu(tlb)
        self.BUG_ON(self.note.puts >= 2 and self.word.value == 2 and len(self.seen) == 2, "both")

    def boot_huge_memory(self):
        super().boot_huge_memory()
        self.notes.update({f"cpu{cpu.id}": set() for cpu in self.cpus})


def test_state_of_every_kind_is_explored_and_traced():
    plain = mm.check(mm.Build("v4.7"), "zap-vs-zap")
    assert plain
    assert mm.check(mm.Build("v4.7", patches=[Kinds]), "two-mappings")
    verdict = mm.check(mm.Build("v4.7", patches=[Sees]), "zap-vs-zap")
    assert (verdict.broken, verdict.what) == ("no-bug", "both")
    assert {step.cpu for step in verdict.witness} == {0, 1}
    assert "own.word: 1 -> 2" in " ".join(step.changed for step in verdict.witness)


class Aliases(mm.Patch):
    """The same list in two places."""

    def boot_huge_memory(self):
        super().boot_huge_memory()
        self.notes = []

    def zap_huge_zero_page(self, tlb, page):
        tlb.late = self.notes
        super().zap_huge_zero_page(tlb, page)


def test_a_list_in_two_places_is_refused_in_words():
    assert mm.check(mm.Build("v4.7", patches=[Aliases]), "two-mappings")
    with pytest.raises(mm.BuildError, match="late is set to what another field holds too: give it a copy"):
        mm.check(mm.Build("v4.7", patches=[Aliases]), "zap-vs-zap")


class Counts(mm.Patch):
    """Only a round that begins with the same count is the same round."""

    def boot_huge_memory(self):
        super().boot_huge_memory()
        self.count = {"puts": 0}

    def put_huge_zero_page(self):
        self.count["puts"] += 1
        self.BUG_ON(self.count["puts"] == 450, "450 puts")
        super().put_huge_zero_page()


@pytest.mark.slow
def test_rounds_are_told_apart_by_what_a_patch_remembers():
    verdict = mm.check(mm.Build("v4.7", patches=[Counts]), "unmap-until-panic")
    assert (verdict.broken, verdict.what) == ("no-bug", "450 puts")
