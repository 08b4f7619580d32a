"""The allocator knows what is free; a page frame has one owner, who gives it back once; a counter wraps."""

import pytest

import mmmodel as mm

pytestmark = pytest.mark.usefixtures("no_scenarios_left")


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
