"""What a reader brings: patches of every kind, scenarios, mistakes. Each gets the verdict it deserves, or one line."""

import ctypes
import json
import os
import signal
import subprocess
import sys
from time import monotonic, sleep

import pytest
import reader_patches as given

import mmmodel as mm
from mmmodel.patience import PatchError
from mmmodel.programs import PROGRAMS
from mmmodel.registry import HOMES
from mmmodel.scenarios import SEQUENTIAL

FEW = [name for name in SEQUENTIAL if name not in ("unmap-until-panic", "refill-after-unmap", "fork-pressure")]
S390, NO_SWAP, X86 = {}, {"swap": False}, {"arch": "x86"}


@pytest.fixture(autouse=True)
def no_scenarios_left():
    """A scenario of one test is none of another."""
    before = dict(HOMES)
    yield
    for name in HOMES.keys() - before:
        HOMES.pop(name).pop(name)


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


@pytest.mark.parametrize(("patch", "toggles"), RIGHT, ids=str)
def test_a_right_fix_holds_however_it_counts(patch, toggles):
    assert broken_in(mm.Build("v4.6", patches=[patch], **toggles)) == set()


def test_what_a_fix_leaves_open_is_found():
    assert broken_in(mm.Build("v4.6", "x86", patches=[given.WithAHelper])) == {"zap-vs-shrinker", "pin-vs-zap"}
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


@pytest.mark.parametrize(("patch", "scenario", "broken"), [
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


def test_rounds_are_told_apart_by_what_a_patch_remembers():
    verdict = mm.check(mm.Build("v4.7", patches=[Counts]), "unmap-until-panic")
    assert (verdict.broken, verdict.what) == ("no-bug", "450 puts")


# -- what does not return, waits for ever, or fails


class Slow(mm.Patch):
    """A right patch in a long exploration."""

    def put_huge_zero_page(self):
        super().put_huge_zero_page()


def test_a_long_exploration_of_a_readers_patch_is_no_code_that_does_not_return(monkeypatch):
    monkeypatch.setattr("mmmodel.patience.PATIENCE", 0.2)
    verdict = mm.check(mm.Build("v4.7", patches=[Slow]), "zap-vs-shrinker", 5)
    assert (verdict.status, verdict.states) == ("holds", 152781)


class StandsStill(mm.Patch):
    """A machine that stops for a while, as under load or while garbage is collected: no Python runs."""

    def put_huge_zero_page(self):
        ctypes.PyDLL(None).usleep(900_000)
        super().put_huge_zero_page()


def test_a_machine_that_stops_for_a_while_is_no_code_that_does_not_return(monkeypatch):
    monkeypatch.setattr("mmmodel.patience.PATIENCE", 0.2)
    assert mm.check(mm.Build("v4.7", patches=[StandsStill]), "map-read-unmap").status == "holds"


@pytest.mark.parametrize("patch", [given.Loop, given.SpinsOnAWord])
@pytest.mark.parametrize("scenario", ["map-read-unmap", "zap-vs-shrinker"])
def test_a_patch_that_does_not_return_is_undecided(patch, scenario):
    verdict = mm.check(mm.Build(patches=[patch]), scenario)
    assert (verdict.status, verdict.holds, bool(verdict)) == ("undecided", None, False)
    assert verdict.bound == "free_page_and_swap_cache does not return"
    assert verdict.seconds < 10


def test_a_deadlock_is_a_verdict_with_a_witness():
    for scenario in ("map-read-unmap", "exit-mmap", "zap-vs-shrinker", "pin-vs-zap"):
        verdict = mm.check(mm.Build("v4.6", "x86", patches=[given.LocksTwice]), scenario)
        assert (verdict.broken, bool(verdict.witness)) == ("no-deadlock", True)
        assert "page_table_lock" in verdict.what


class LocksCrosswise(mm.Patch):
    """Two locks, in either order."""

    def boot_huge_memory(self):
        super().boot_huge_memory()
        self.a_lock, self.b_lock = mm.Var("a_lock"), mm.Var("b_lock")

    def zap_huge_zero_page(self, tlb, page):
        first, second = (self.a_lock, self.b_lock) if self.cpu.id else (self.b_lock, self.a_lock)
        self.spin_lock(first)
        self.spin_lock(second)
        super().zap_huge_zero_page(tlb, page)
        self.spin_unlock(second)
        self.spin_unlock(first)


def test_so_is_one_that_takes_two():
    assert mm.check(mm.Build("v4.7", patches=[LocksCrosswise]), "map-read-unmap")
    verdict = mm.check(mm.Build("v4.7", patches=[LocksCrosswise]), "zap-vs-zap")
    assert verdict.broken == "no-deadlock"
    assert "CPU 0 waits for a_lock" in verdict.what
    assert "CPU 1 waits for b_lock" in verdict.what
    assert verdict.replay().broken == "no-deadlock"


class Fails(mm.Patch):
    """A Python error."""

    def free_page_and_swap_cache(self, page):
        return page.no_such_field


class ReturnsNothing(mm.Patch):
    """What the kernel then does with it fails there."""

    def pte_alloc_one(self, mm_):
        return "not a table"


@pytest.mark.parametrize("scenario", ["map-read-unmap", "zap-vs-shrinker"])
def test_a_python_error_is_one_line_of_the_readers_own(scenario):
    with pytest.raises(PatchError) as caught:
        mm.check(mm.Build(patches=[Fails]), scenario)
    assert "Fails.free_page_and_swap_cache, line " in str(caught.value)
    assert "(return page.no_such_field): AttributeError" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_patch_without_source_fails_in_one_line_too():
    names = {"mm": mm}
    body = "class Made(mm.Patch):\n    def put_page(self, page):\n        1 / 0\n"
    exec(body, names)
    with pytest.raises(PatchError, match=r"Made.put_page, line 3: ZeroDivisionError: division by zero"):
        mm.check(mm.Build(patches=[names["Made"]]), "write-fault")


def test_an_error_in_the_set_up_of_a_scenario_is_a_verdict():
    verdict = mm.check(mm.Build(debug_vm=True, patches=["q1-guard-put-page", "page-refcount"]), "fault-vs-shrinker")
    assert (verdict.broken, verdict.op) == ("no-bug", "set-up")
    assert verdict.replay().op == "set-up"


# -- the allocator knows what is free; a page frame has one owner


class PutsTwice(mm.Patch):
    """An ordinary page is put once more."""

    def free_page_and_swap_cache(self, page):
        super().free_page_and_swap_cache(page)
        if "head" not in page.flags:
            self.put_page(page)


class PutsLate(mm.Patch):
    """An ordinary page is put once more, at the next unmap."""

    def boot_huge_memory(self):
        super().boot_huge_memory()
        self.late = []

    def free_page_and_swap_cache(self, page):
        super().free_page_and_swap_cache(page)
        self.late.append(page)

    def munmap(self, mm_, start, end):
        for page in list(self.late):
            self.put_page(page)
        self.late.clear()
        super().munmap(mm_, start, end)


def writes(k):
    """4K pages are written and unmapped, twice; between that somebody gets some."""
    yield "start"
    for i in (1, 2):
        k.mmap(k.init, 0, 8)
        k.store(k.init, 0, "data")
        yield f"write_{i}"
        k.munmap(k.init, 0, 8)
        yield f"munmap_{i}"
        k.alloc_pages(0, "A")
        yield f"alloc_{i}"
    yield "end"


@pytest.mark.parametrize("debug_vm", [False, True])
@pytest.mark.parametrize(("patch", "op"), [(PutsTwice, "munmap_1"), (PutsLate, "munmap_2")])
def test_an_ordinary_page_that_is_put_once_more_is_found(patch, op, debug_vm):
    mm.scenario("writes")(writes)
    assert mm.check(mm.Build("v4.7", debug_vm=debug_vm), "writes")
    verdict = mm.check(mm.Build("v4.7", debug_vm=debug_vm, patches=[patch]), "writes")
    assert verdict.broken in ("one-owner", "no-complaint", "no-bug")
    assert debug_vm or verdict.op == op


def pages(*acts):
    """A scenario of one CPU that asks for pages and gives them back."""

    def run(k):
        yield "start"
        held = {}
        for act, name, order in acts:
            if act == "alloc":
                held[name] = k.alloc_pages(order, name)
            elif act == "tail":
                held[name] = k.page(held[order].pfn + 1)
            else:
                getattr(k, act)(held[name])
            yield f"{act} {name}"

    return run


LATE = [("alloc", "first", 0), ("put_page", "first", 0), ("alloc", "A", 0), ("put_page", "first", 0), ("alloc", "B", 0)]
TAIL = [("alloc", "driver", 1), ("tail", "tail", "driver"), ("get_page", "tail", 0), ("put_page", "tail", 0)]
ONCE = [("alloc", "A", 0), ("put_page", "A", 0), ("alloc", "B", 0), ("put_page", "B", 0), ("alloc", "C", 0)]
PINNED = [("alloc", "A", 0), ("get_page", "A", 0), ("put_page", "A", 0), ("put_page", "A", 0), ("alloc", "B", 0)]
TWICE = [("alloc", "A", 0), ("put_page", "A", 0), ("put_page", "A", 0), ("alloc", "B", 0)]


@pytest.mark.parametrize(("acts", "op"), [
    (LATE, "put_page first"), (TAIL, "put_page tail"), (TWICE, "put_page A"), (ONCE, ""), (PINNED, ""),
])  # fmt: skip
def test_a_page_frame_has_one_owner_who_gives_it_back_once(acts, op):
    mm.scenario("pages")(pages(*acts))
    verdict = mm.check(mm.Build("v4.7", "x86"), "pages")
    assert (verdict.broken, verdict.op) == ("one-owner" if op else "", op)


def test_a_block_that_is_freed_again_while_it_is_free_is_a_bad_page():
    k = mm.Build().boot()
    for slot in (0, 1):
        k.mmap(k.init, slot * k.hpage_nr, (slot + 1) * k.hpage_nr)
        k.load(k.init, slot * k.hpage_nr)
    k.munmap(k.init, 0, k.hpage_nr)
    k.unpin(k.get_user_page(k.init, k.hpage_nr))
    assert k.dmesg == ["BUG: Bad page state: nonzero mapcount (page 0x200, PageBuddy, count 0)"]
    assert k.free_pages() == len({p for kind in k.free_area for o, pfns in enumerate(kind) for f in pfns
                                  for p in range(f, f + (1 << o))})  # fmt: skip


def test_a_counter_wraps_as_an_int_does():
    k = mm.Build("v4.7").boot()
    k.huge_zero_refcount.value = 2**31 - 1
    k.atomic_inc(k.huge_zero_refcount)
    assert k.huge_zero_refcount.value == -(2**31)
    k.atomic_dec_and_test(k.huge_zero_refcount)
    assert k.huge_zero_refcount.value == 2**31 - 1


# -- scenarios


def test_a_scenario_of_ones_own_is_checked_traced_and_replaced():
    @mm.scenario("mine")
    def mine(k):
        """One unmap."""
        yield "start"
        k.mmap(k.init, 0, k.hpage_nr)
        k.load(k.init, 0)
        yield "read"
        k.munmap(k.init, 0, k.hpage_nr)
        yield "unmap"

    assert mm.check(mm.Build(), "mine").op == "unmap"
    assert list(mm.trace(mm.Build("v4.7"), "mine").frame.op) == ["start", "read", "unmap"]
    assert list(mm.matrix(["s390"], ["v4.6", "v4.7"], scenarios=["mine"]).status) == [
        "broken",
        "broken",
        "holds",
        "broken",
    ]
    assert "mine" not in set(mm.matrix(["s390"], ["v4.7"], [True]).scenario)

    @mm.program("mine", cpus=2)
    def again(k, cpus):
        """The cell ran again, with several CPUs."""
        k.note = []
        return [[("note", lambda k: k.note.append(k.cpu.id))] for _ in range(cpus)]

    assert mm.check(mm.Build(), "mine").cpus == 2
    with pytest.raises(mm.BuildError, match="unknown sequential scenario"):
        mm.trace(mm.Build(), "mine")


def test_a_program_may_fork_exit_and_unmap_parts():
    @mm.program("family", cpus=2)
    def family(k, cpus):
        k.mmap(k.init, 0, k.hpage_nr)
        k.load(k.init, 0)
        return [
            [("fork", lambda k: k.fork(k.init, "child")), ("exit", lambda k: k.exit(k.mms[-1]))],
            [
                ("half", lambda k: k.munmap(k.init, 0, k.hpage_nr // 2)),
                ("shrink", lambda k: k.shrink_huge_zero_page_scan()),
            ],
        ]

    assert mm.check(mm.Build("v4.7"), "family")
    verdict = mm.check(mm.Build(), "family")
    assert verdict.broken == "references-balance"
    assert verdict.replay().broken == verdict.broken


def not_a_generator(k):
    return ["start"]


def yields_numbers(k):
    yield 1


@pytest.mark.parametrize(("make", "words"), [
    (lambda: mm.scenario("fork")(writes), "scenario of the investigation"),
    (lambda: mm.program("fork")(writes), "scenario of the investigation"),
    (lambda: mm.scenario(writes), "scenario is a function with a name"),
    (lambda: mm.scenario("mine")(3), "must be a function"),
    (lambda: mm.scenario("mine", memory_mib=0), "memory_mib"),
    (lambda: mm.program("mine", cpus=99), "2 to 8"),
    (lambda: mm.check(mm.Build(), mm.scenario("mine")(not_a_generator) and "mine"), "generator"),
    (lambda: mm.check(mm.Build(), mm.scenario("mine")(yields_numbers) and "mine"), "name of each operation"),
    (lambda: mm.check(mm.Build(), mm.program("mine")(lambda k, cpus: 3) and "mine"), "list of operations for each CPU"),
    (lambda: mm.check(mm.Build(), mm.program("mine")(lambda k, cpus: [[], [], []]) and "mine"), "there are 2"),
    (lambda: mm.check(mm.Build(), mm.program("mine")(lambda k, cpus: [["op"]]) and "mine"), "function of the kernel"),
    (lambda: mm.check(mm.Build(), mm.program("mine")(shares) and "mine"), "keep what is to be remembered on the"),
    (lambda: mm.check(mm.Build(), "mine"), "unknown scenario"),
])  # fmt: skip
def test_a_scenario_that_cannot_be_says_why(make, words):
    with pytest.raises(mm.BuildError, match=words) as caught:
        make()
    assert "\n" not in str(caught.value)


def shares(k, cpus):
    box = []
    return [[("put", lambda k: box.append(1))], [("get", lambda k: box.pop())]]


# -- in words, the same in every run


def shown(*words, **environment):
    command = [sys.executable, "-m", "mmmodel.cli", "verdict", *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("words", [
    ("zap-vs-shrinker", "--version", "v4.5", "--arch", "x86", "--witness"), ("two-mappings", "--witness"),
    ("fault-vs-shrinker", "--version", "v5.13", "--arch", "x86", "--witness"),
])  # fmt: skip
def test_a_witness_is_in_words_the_same_in_every_run(words):
    runs = [shown(*words, "--format", "json", PYTHONHASHSEED=seed).stdout for seed in ("1", "2", "77")]
    plain = [[line for line in run.splitlines() if "seconds" not in line] for run in runs]
    assert plain[0] == plain[1] == plain[2]
    assert len(plain[0]) > 30
    assert not any(bad in runs[0] for bad in ("frozenset", " at 0x7", "Var(", "TlbEntry", "Pmd("))


@pytest.mark.parametrize(("build", "scenario"), [
    (mm.Build(), "two-mappings"), (mm.Build(debug_vm=True), "map-read-unmap"),
    (mm.Build("v4.5", "x86"), "zap-vs-shrinker"), (mm.Build("v5.13"), "fault-vs-shrinker"),
    (mm.Build("v4.7", patches=[Leaks]), "zap-vs-shrinker"), (mm.Build("v4.6", "x86", patches=["revert"]), "pin-vs-zap"),
])  # fmt: skip
def test_a_witness_runs_again_on_a_fresh_kernel(build, scenario):
    verdict = mm.check(build, scenario)
    again = verdict.replay()
    assert (again.broken, again.what, again.op) == (verdict.broken, verdict.what, verdict.op)
    assert [step[:2] for step in again.witness] == [step[:2] for step in verdict.witness]
    with pytest.raises(ValueError, match="no witness"):
        mm.check(mm.Build("v4.7"), scenario if scenario != "fault-vs-shrinker" else "fork").replay()


# -- undecided, from the command line and in a notebook


@pytest.mark.parametrize(("words", "status", "bound"), [
    (("zap-vs-shrinker", "--arch", "x86", "--version", "v4.5", "--max-states", "50"), 3, "50 states"),
    (("zap-vs-shrinker", "--arch", "x86", "--version", "v4.5", "--max-seconds", "0.000001"), 3, "time"),
    (("unmap-until-panic", "--version", "v4.7", "--max-seconds", "0.000001"), 3, "time"),
    (("zap-vs-shrinker", "--arch", "x86", "--version", "v4.5"), 1, ""),
    (("zap-vs-shrinker", "--arch", "x86", "--version", "v4.7"), 0, ""),
])  # fmt: skip
def test_an_undecided_verdict_exits_with_3(words, status, bound):
    run = shown(*words, "--format", "json")
    (row,) = json.loads(run.stdout)
    assert (run.returncode, row["bound"]) == (status, bound)
    assert row["status"] == {0: "holds", 1: "broken", 3: "undecided"}[status]
    assert row["holds"] is {0: True, 1: False, 3: None}[status]


@pytest.mark.parametrize("words", [
    ("verdict", "zap-vs-shrinker", "--version", "v4.7", "--cpus", "7"), ("verdict", "--version", "v4.7", "--cpus", "7"),
    ("matrix", "--format", "csv"),
])  # fmt: skip
def test_ctrl_c_keeps_what_there_is_and_is_undecided(words):
    command = [sys.executable, "-m", "mmmodel.cli", *words]
    run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    sleep(6)
    began = monotonic()
    os.killpg(run.pid, signal.SIGINT)
    out, err = run.communicate(timeout=30)
    if "--cpus" in words and "zap-vs-shrinker" not in words:  # a sequential scenario takes one CPU
        assert (run.returncode, "Traceback" in err) == (2, False)
        return
    assert monotonic() - began < (20 if words[0] == "matrix" else 5)  # a table of everything takes its time to print
    assert "undecided" in out
    assert "interrupted" in out
    assert "Traceback" not in err
    assert run.returncode in (1, 3)  # 1: what was finished by then has broken ones


def test_a_table_has_the_three_answers():
    class Slow(given.SpinsOnAWord):
        """Does not return where it is called."""

    table = mm.matrix(["s390"], ["v4.6"], [True], [[], ["quick-hack"], [Slow]], ["fork", "fault-vs-fault"])
    assert list(table.status) == ["broken", "holds", "holds", "holds", "undecided", "undecided"]
    assert list(table.holds) == [False, True, True, True, None, None]
    assert "does not return" in table.what[4]


def test_a_verdict_shows_itself_in_a_notebook():
    code = """
from IPython.core.interactiveshell import InteractiveShell
show = InteractiveShell.instance().display_formatter.format
import mmmodel as mm
for options in {}, {"max_states": 9}:
    print(show(mm.check(mm.Build("v4.7"), "zap-vs-shrinker", **options))[0]["text/html"])
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "✓ holds" in out
    assert "looked at: references-balance" in out
    assert "? undecided" in out
