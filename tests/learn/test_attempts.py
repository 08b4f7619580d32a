"""Every exercise that asks for a patch: what it takes, what it refuses, and in what words."""

import re

import pytest
from refusals import told

import mmmodel as mm
from mmmodel.kernel.mm_types import HUGE_ZERO_PAGE, Pmd
from mmmodel.kernel.patches import PATCHES
from mmmodel.kernel.versions import VERSIONS
from mmmodel.learn.asked import texts
from mmmodel.learn.attempts import ATTEMPTS
from mmmodel.learn.progress import answered

S390, IA64, SWAP_STATE = "arch/s390/include/asm/tlb.h", "arch/ia64/include/asm/tlb.h", "mm/swap_state.c"


def patch(title="Mine", file="mm", **functions):
    """A class of a reader's."""
    return type(title, (mm.Patch,), {"file": file, **functions})


def solution(id):
    """The class in the text of a solution."""
    code = re.search(r"```python\n(.*?)```", "\n\n".join(texts()[id][1:]), re.DOTALL)[1]
    found = {"mm": mm}
    exec(code, found)
    return next(value for value in reversed(found.values()) if isinstance(value, type))


def nothing(self, *args):
    pass


def one(self, tlb, page):
    self.free_pages_and_swap_cache((page,), 1)
    return 1


def complain(self, mm, page, expects, content):
    self.violate("mine", "always")


def silent(self, mm, page, expects, content):
    return page.content


def on_free(self, mm, page, expects, content):
    if page.owner is None:
        self.violate("mine", "a free page")
    return page.content


def put_always(self, page):
    self.put_huge_zero_page()


def asked_twice(self, page):
    if self.is_huge_zero_page(page):
        self.put_huge_zero_page()
        self.put_huge_zero_page()
    else:
        self.put_page(page)


def not_put(self, page):
    if not self.is_huge_zero_page(page):
        self.free_swap_cache(page)
        self.put_page(page)


def put_both(self, page):
    if self.is_huge_zero_page(page):
        self.put_huge_zero_page()
    self.free_swap_cache(page)
    self.put_page(page)


def forgetful(self, page):
    self.release_pages((page,), 1)


def bug(self, *args):
    self.VM_BUG_ON_PAGE(True, "always")


def never(self, *args):
    self.VM_BUG_ON_PAGE(False, "never")


def shortcut(self, pages, nr):
    self.put_page(pages[0])


def leave(self, tlb):
    tlb.batches = ((),)


def each(self, tlb):
    batches, tlb.batches = tlb.batches, ((),)
    for batch in batches:
        for page in batch:
            self.free_pages_and_swap_cache((page,), 1)


def twice(self, tlb):
    for batch in filter(None, tlb.batches):
        self.free_pages_and_swap_cache(batch, len(batch))


def small(self, tlb, page):
    self.free_swap_cache(page)
    self.put_page(page)
    return 1


def huge(self, tlb, page):
    if self.is_huge_zero_page(page):
        self.put_huge_zero_page()
    else:
        small(self, tlb, page)


def put_in_zap(self, tlb, page):
    self.put_huge_zero_page()


def many(self, tlb, page):
    self.free_pages_and_swap_cache((page,), 1)


def no_drain(self, tlb, page):
    self.free_swap_cache(page)
    self.release_pages((page,), 1)


def ask_both(self, tlb, page):
    many(self, tlb, page) if self.is_huge_zero_page(page) else self.put_page(page)


def dropped(self, tlb, page):
    if not self.is_huge_zero_page(page):
        self.put_page(page)


def loop(self, pages, nr):
    for page in pages[:nr]:
        if not self.release_huge_zero_page(page):
            self.put_page(page)


def flag(*order):
    """Ways to read the flag."""

    def test_huge_zero(self, mm):
        found = [getattr(self, name)(*[mm.huge_zero][: name == "READ_ONCE"]) for name in order]
        return bool(found[order.index("READ_ONCE")])

    return test_huge_zero


class Alive(mm.Patch):
    """Nobody is believed to be dead."""

    def tlb_gather_mmu(self, mm, fullmm=False):
        return super().tlb_gather_mmu(mm)


def puts(always=False, before=False, locks=False):
    """Wrong ways to mend the fault in a hole."""

    class Hole(mm.Patch):
        def _dax_pmd_fault(self, mm, index):
            if before and mm.pmd[index].value is not None:
                return "VM_FAULT_FALLBACK"
            result = super()._dax_pmd_fault(mm, index)
            if always or (result and not before):
                self.put_huge_zero_page()
            if locks:
                self.spin_lock(mm.ptl)
            return result

    return Hole


def put_if_filled(self, mm, index):
    """Without asking whether there was a reference to put."""
    result = VERSIONS["v4.6"]._dax_pmd_fault(self, mm, index)
    if result is not None and mm.pmd[index].value is not None:
        self.put_huge_zero_page()
    return result


def put_if_there_is_one(self, mm, index):
    """It may be that of another process."""
    result = VERSIONS["v4.6"]._dax_pmd_fault(self, mm, index)
    if result is not None and self.huge_zero_page.value is not None:
        self.put_huge_zero_page()
    return result


def put_at_the_fallback(self, mm, index):
    zero_page = self.get_huge_zero_page()
    if zero_page is None:
        return "VM_FAULT_FALLBACK"
    self.spin_lock(mm.ptl)
    if empty := mm.pmd[index].value is None:
        self.atomic_set(mm.pmd[index], Pmd(zero_page, False, HUGE_ZERO_PAGE))
    self.spin_unlock(mm.ptl)
    if empty:
        return None
    self.put_huge_zero_page()
    return "VM_FAULT_FALLBACK"


def taught(self, page):
    """put_page() that puts the huge zero page: also for a pin, which is none of its mappings."""
    if self.is_huge_zero_page(self.compound_head(page)):
        self.put_huge_zero_page()
    else:
        VERSIONS["v4.6"].put_page(self, page)


def without_the_slot(self, page):
    self.release_pages((page,), 1)


def flushed_too_soon(self, mm, index, full):
    self.tlb_invalidate(mm, index)
    return VERSIONS["v4.5"].pmdp_huge_get_and_clear_full(self, mm, index, full)


def reaped_after_a_flush(self, mm):
    self.tlb_invalidate(mm)
    return VERSIONS["v4.7"]._oom_reap_task(self, mm)


FREE, REMOVE, RELEASE = "free_page_and_swap_cache", "tlb_remove_page", "release_pages"
CLEAR, FLUSH, PUT = "pmdp_huge_get_and_clear_full", "tlb_flush_mmu_free", "_put_compound_page"
WRONG = {
    "04.2": [patch(use=f) for f in (complain, silent, on_free)] + [patch(put_page=nothing), PATCHES["revert"]],
    "04.3": [patch(**{CLEAR: f}) for f in (nothing, bug, flushed_too_soon)]
    + [patch(pmdp_idte=nothing), patch(zap_huge_zero_page=nothing), PATCHES["q3"]],
    "05.4": [patch(file=SWAP_STATE, **{FREE: f}) for f in (nothing, put_always, asked_twice, not_put, put_both)]
    + [
        PATCHES["revert"],
        PATCHES["nr1-shortcut"],
        patch(put_page=nothing),
        patch(file=SWAP_STATE, **{FREE: without_the_slot}),
    ],
    "06.4": [patch(**{PUT: f}) for f in (nothing, bug, never)]
    + [PATCHES["q1-guard-put-page"], patch(put_page=bug), patch(_free_pages_ok=bug)],
    "07.1": [patch(file=SWAP_STATE, **{FREE: f}) for f in (nothing, put_always, forgetful, not_put)]
    + [PATCHES["q2"], PATCHES["q4"], patch(lru_add_drain=nothing)],
    "08.2": [patch(**{RELEASE: f}) for f in (shortcut, nothing)]
    + [PATCHES["nr1-shortcut"], PATCHES["q3"], patch(put_page=nothing), patch(**{FREE: forgetful})],
    "09.1": [patch(file=S390, **{REMOVE: f}) for f in (nothing, one)]
    + [PATCHES["q4"], PATCHES["q3"], PATCHES["quick-hack"], patch(file=S390, _tlb_remove_page=one)],
    "09.2": [patch(file=S390, **{name: f}) for name, f in (("_tlb_remove_page", one), (REMOVE, nothing))]
    + [PATCHES[name] for name in ("q4", "quick-hack", "q2")]
    + [patch(put_page=taught)],
    "09.4": [patch(file=IA64, **{FLUSH: f}) for f in (nothing, leave, each, twice)]
    + [PATCHES["q4"], PATCHES["q3"], PATCHES["page-refcount"]],
    "10.4": [PATCHES[name] for name in ("quick-hack", "q2", "q3", "revert", "nr1-shortcut")],
    "12.1": [patch(file=SWAP_STATE, **{FREE: f}) for f in (nothing, put_always, asked_twice, not_put, put_both)]
    + [PATCHES["nr1-shortcut"], PATCHES["mm-flag-acquire"]],
    "12.2": [PATCHES[name] for name in ("quick-hack", "q2", "q3", "revert")]
    + [patch(file=S390, **{REMOVE: f}) for f in (nothing, dropped)],
    "12.3": [PATCHES[name] for name in ("q4", "q3", "quick-hack")]
    + [patch(file=S390, **{REMOVE: f}) for f in (many, dropped, ask_both)],
    "12.4": [PATCHES[name] for name in ("q4", "q3", "quick-hack")]
    + [patch(zap_huge_zero_page=nothing), patch(file=S390, **{REMOVE: huge}), patch(file=S390, **{REMOVE: no_drain})],
    "12.5": [PATCHES[name] for name in ("page-refcount", "revert", "q3", "nr1-shortcut-guarded")]
    + [patch(zap_huge_zero_page=put_in_zap), patch(file=S390, **{REMOVE: dropped})],
    "12.6": [PATCHES[name] for name in ("nr1-shortcut-guarded", "nr1-shortcut", "q3")]
    + [patch(**{RELEASE: f}) for f in (shortcut, nothing)]
    + [patch(put_page=nothing), patch(put_page=put_always), patch(put_page=taught)],
    "12.7": [patch(_oom_reap_task=f) for f in (nothing, reaped_after_a_flush)]
    + [PATCHES["q4"], patch(tlb_flush_mmu_free=nothing), patch(file=S390, tlb_flush_mmu_tlbonly=nothing)],
    "12.8": [
        patch(test_huge_zero=flag(*order))
        for order in (["READ_ONCE"], ["smp_mb", "READ_ONCE"], ["smp_rmb", "READ_ONCE"], ["READ_ONCE", "smp_wmb"])
    ]
    + [patch(test_huge_zero=lambda self, mm: True), PATCHES["pfn-lock"]],
    "12.9": [
        puts(),
        puts(always=True),
        puts(before=True),
        puts(before=True, locks=True),
        patch(_dax_pmd_fault=nothing),
        patch(_dax_pmd_fault=put_if_filled),
        patch(_dax_pmd_fault=put_if_there_is_one),
        PATCHES["q3"],
    ],
}
OTHERWISE = {
    "04.2": patch(use=lambda self, mm, page, expects, content: (
        page.content if page.owner != "somebody else" else self.violate("mine", "foreign data"))),
    "04.3": patch(**{CLEAR: lambda self, mm, index, full: self.pmdp_huge_clear_flush(mm, index)}),
    "05.4": PATCHES["q3"],
    "06.4": PATCHES["q1-guard"],
    "07.1": PATCHES["q3"],
    "08.2": PATCHES["nr1-shortcut-guarded"],
    "09.1": patch(file=S390, _tlb_remove_page=small, tlb_remove_page=huge),
    "09.2": PATCHES["page-refcount"],
    "09.4": solution("09.4"),
    "10.4": PATCHES["page-refcount"],
    "12.1": PATCHES["q3"],
    "12.2": PATCHES["page-refcount"],
    "12.3": patch(file=S390, **{REMOVE: huge}),
    "12.4": PATCHES["page-refcount"],
    "12.5": patch(file=S390, **{REMOVE: no_drain}),
    "12.6": patch(**{RELEASE: loop}),
    "12.7": Alive,
    "12.8": patch(test_huge_zero=flag("READ_ONCE", "smp_rmb")),
    "12.9": patch(_dax_pmd_fault=put_at_the_fallback),
}  # fmt: skip


class Endless(mm.Patch):
    def zap_huge_zero_page(self, tlb, page):
        while True:
            pass


class Exits(mm.Patch):
    def zap_huge_zero_page(self, tlb, page):
        raise SystemExit(3)


class Fails(mm.Patch):
    def zap_huge_zero_page(self, tlb, page):
        return page.nothing_like_it


def whole():
    class Short(mm.Patch):
        def free_page_and_swap_cache(self): ...

    class Misspelt(mm.Patch):
        def free_page_and_swap_cash(self, page): ...

    class Empty(mm.Patch): ...

    class Generator(mm.Patch):
        def free_page_and_swap_cache(self, page):
            yield page

    return Short, Misspelt, Empty, Generator


SHORT, MISSPELT, EMPTY, GENERATOR = whole()
DID_NOT_COUNT = {
    "none": (None, "give a class that derives from mm.Patch"),
    "number": (5, "give a class that derives from mm.Patch"),
    "name": ("Mine", "by its name without quotes"),
    "official": ("q3", "by its name without quotes"),
    "list": ([EMPTY], "give a class that derives from mm.Patch"),
    "instance": (EMPTY(), "Empty() is an instance of a patch: give the class, Empty"),
    "function": (nothing, "a class derived from mm.Patch, not the function nothing"),
    "class": (dict, "dict is not a patch: derive it from mm.Patch"),
    "base": (mm.Patch, "derive it from mm.Patch"),
    "empty": (EMPTY, "no effect"),
    "signature": (SHORT, "the kernel calls free_page_and_swap_cache(page)"),
    "typo": (MISSPELT, "did you mean free_page_and_swap_cache?"),
    "generator": (GENERATOR, "it has no use for a generator"),
}


def test_every_exercise_is_tested():
    assert WRONG.keys() == OTHERWISE.keys() == ATTEMPTS.keys()
    assert min(map(len, WRONG.values())) >= 5


@pytest.mark.slow
@pytest.mark.parametrize("id", ATTEMPTS)
def test_takes_the_solution_and_another_one(id):
    for right in (solution(id), OTHERWISE[id]):
        text = told(mm.try_patch(id, right))
        assert f"{id}: ✓ right" in text
        assert "class" not in text.split("It holds")[-1].split("(mm.Patch)")[-1]
    assert answered() == {id: True}


@pytest.mark.parametrize(("file", "name", "function", "of"), [
    (S390, "zap_huge_zero_page", put_in_zap, "mm/huge_memory.c"),
    (S390, RELEASE, loop, "mm/swap.c"),
    ("include/linux/swap.h", "zap_huge_zero_page", put_in_zap, "mm/huge_memory.c"),
])  # fmt: skip
def test_a_class_edits_its_file_and_no_other(file, name, function, of):
    text = told(mm.try_patch("12.2", patch(file=file, **{name: function})))
    assert f"12.2: did not count {name}() is in {of}, not in {file}" in text


@pytest.mark.slow
@pytest.mark.parametrize("id", ATTEMPTS)
def test_refuses_what_is_wrong_and_says_where(id):
    for wrong in WRONG[id]:
        text = told(mm.try_patch(id, wrong))
        assert f"{id}: ✗ not yet" in text or "did not count" in text, (wrong.name, text)
        assert len(text.split()) > 8
    assert not answered()[id]


@pytest.mark.parametrize("id", ATTEMPTS)
@pytest.mark.parametrize("kind", DID_NOT_COUNT)
def test_what_cannot_be_tried_did_not_count_and_is_told_why(id, kind):
    given, words = DID_NOT_COUNT[kind]
    text = told(mm.try_patch(id, given))
    assert f"{id}: did not count" in text
    assert words in text
    assert len(text) < 400
    assert answered() == {}


@pytest.mark.slow
@pytest.mark.parametrize(("wrong", "words"), [
    (Endless, "zap_huge_zero_page does not return"), (Exits, "SystemExit: 3"), (Fails, "attribute 'nothing_like_it'"),
])  # fmt: skip
def test_code_that_fails_or_does_not_return_is_told_in_one_line(wrong, words, monkeypatch):
    monkeypatch.setattr("mmmodel.explore.patience.PATIENCE", 0.7)
    assert words in told(mm.try_patch("05.4", wrong))
    assert answered() == {}


@pytest.mark.parametrize("error", [ZeroDivisionError, SystemExit])
def test_code_that_fails_only_where_it_is_looked_at_closer_is_told_too(error):
    def fails(self, page):
        if "swapcache" in page.flags:
            raise error("mine")
        self.release_pages((page,), 1)

    assert f"did not count {error.__name__}: mine" in told(
        mm.try_patch("07.1", patch(file=SWAP_STATE, **{FREE: fails}))
    )


def test_the_cell_of_the_notebook_says_that_nothing_was_written_yet():
    assert "not answered yet In the place of ... comes your class" in told(mm.try_patch("04.2", ...))
    assert answered() == {}
