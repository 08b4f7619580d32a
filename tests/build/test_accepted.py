"""A reader's patch: what can be one, wherever it was defined; and one line for what cannot."""

import functools
import math

import pytest

import mmmodel as mm


def patch(name="MyFix", base=mm.Patch, **body):
    """A class without a source."""
    return type(name, (base,), body)


class WrongFix(mm.Patch):
    """Takes more than the kernel gives."""

    def put_page(self, page, extra):
        pass


class Calls(mm.Patch):
    """Helpers: called, called by a helper, only by itself, only by each other."""

    def put_page(self, page):
        self.helper(page)

    def helper(self, page):
        [getattr(self, "second")(p) for p in (page,)]  # noqa: B009

    def second(self, page):
        super().put_page(page)


REFUSED = {
    "more arguments": (WrongFix, "WrongFix.put_page(self, page, extra): the kernel calls put_page(page)"),
    "fewer": (patch(put_page=lambda self: 0), "MyFix.put_page(self): the kernel calls put_page(page)"),
    "none": (patch(put_page=lambda: 0), "MyFix.put_page(): the kernel calls put_page(page)"),
    "a keyword of another name": (
        patch(tlb_gather_mmu=lambda self, mm, full=False: 0),
        "MyFix.tlb_gather_mmu(self, mm, full=False): the kernel calls tlb_gather_mmu(mm, fullmm=False)",
    ),
    "keywords left out": (
        patch(alloc_pages=lambda self, order, owner, movable=0: 0),
        "the kernel calls alloc_pages(order, owner, *, movable=False, compound=False)",
    ),
    "a static method with self": (
        patch(put_page=staticmethod(lambda self, page: 0)),
        "the kernel calls put_page(page)",
    ),
    "a property": (patch(put_page=property(lambda self: 0)), "MyFix.put_page: the kernel calls put_page(page)"),
    "no function": (patch(put_page=3), "MyFix.put_page: the kernel calls put_page(page)"),
    "a function for a property": (
        patch(mmu_gather_bundle=lambda self: 3),
        "mmu_gather_bundle: the kernel reads a value",
    ),
    "a function for a constant": (patch(reference_per_mm=lambda self: 3), "reference_per_mm: the kernel reads a value"),
    "in a class it derives from": (
        type("Derived", (WrongFix,), {}),
        "WrongFix.put_page(self, page, extra): the kernel",
    ),
    "a name misspelt": (
        patch(free_pages_and_swap_cash=lambda self, pages, nr: 0),
        "the kernel has no such function, and MyFix does not call it (did you mean free_pages_and_swap_cache?)",
    ),
    "nothing like it": (
        patch(xyzzy=lambda self: 0),
        "MyFix.xyzzy: the kernel has no such function, and MyFix does not call it",
    ),
    "called by itself": (patch(xyzzy=lambda self: self.xyzzy()), "MyFix.xyzzy: the kernel has no such function"),
    "by each other": (
        patch(xyzzy=lambda self: self.plugh(), plugh=lambda self: self.xyzzy()),
        "MyFix.xyzzy: the kernel has no such function",
    ),
    "an instance": (WrongFix(), "WrongFix() is an instance of a patch: give the class, WrongFix"),
    "a lambda": (lambda page: 0, "a class derived from mm.Patch, not the function <lambda>"),
    "a module": (math, "a class derived from mm.Patch, not the module math"),
    "the name of a class": ("MyFix", "unknown patch 'MyFix' (a class of your own: without quotes)"),
    "a whole kernel": (
        patch(base=mm.Build(patches=["q2"]).kernel_class),
        "MyFix is a whole kernel: derive it from mm.Patch alone",
    ),
    "a file that is no text": (patch(file=None), "name and file of MyFix must be text, not 'MyFix' and None"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_a_patch(case):
    given, said = REFUSED[case]
    with pytest.raises(mm.BuildError) as error:
        mm.Build(patches=[given])
    text = str(error.value)
    assert said in text
    assert "\n" not in text
    assert "pmdp_huge_clear_flush" not in text, "every function there is"


def factory(limit):
    """A patch that closes over a value and a function."""

    def good(kernel, page):
        return kernel.is_huge_zero_page(page) and limit

    class Made(mm.Patch):
        def free_page_and_swap_cache(self, page):
            (self.put_huge_zero_page() if good(self, page) else super().free_page_and_swap_cache(page))

    return Made


def logged(function):
    @functools.wraps(function)
    def wrapper(self, *args):
        return function(self, *args)

    return wrapper


class Decorated(mm.Patch):
    """All the ways to define a method."""

    limit = 1

    class Inner:
        """Not a function."""

    @logged
    def free_page_and_swap_cache(self, page):
        self.__put(page) if self.is_huge_zero_page(page) and self.wanted else super().free_page_and_swap_cache(page)

    def __put(self, page):
        self.check(page)
        self.put_huge_zero_page()

    @property
    def wanted(self):
        return self.limit > 0

    @staticmethod
    def check(page):
        assert page

    @classmethod
    def unused_name(cls):
        return cls

    put_page = lambda self, page, why="": self.unused_name() and super().put_page(page)  # noqa: E731


EXEC = """
class FromText(mm.Patch):
    def free_page_and_swap_cache(self, pg, *more, why=None):
        if self.is_huge_zero_page(pg):
            self.put_huge_zero_page()
        else:
            super().free_page_and_swap_cache(pg)
"""


def from_text():
    names = {"mm": mm}
    exec(EXEC, names)
    return names["FromText"]


class Mixin:
    """Not a patch by itself."""

    def free_page_and_swap_cache(self, page):
        self.tlb_free(page)


class WithMixin(Mixin, mm.Patch):
    """The mixin brings the function, the patch its helper."""

    def tlb_free(self, page):
        self.put_huge_zero_page() if self.is_huge_zero_page(page) else self.put_page(page)


class OfTwo(factory(1)):
    """Derives from a patch made by a factory."""


@pytest.mark.parametrize("fix", [factory(1), Decorated, from_text(), WithMixin, OfTwo, patch(base=from_text())])
def test_a_patch_may_come_from_anywhere(fix):
    """Each repairs the kernel of the report."""
    build = mm.Build(patches=[fix])
    assert build.notes == []
    assert mm.check(build, "two-mappings")
    assert mm.check(mm.Build(patches=[fix, Calls]), "zap-vs-shrinker")


def test_what_a_factory_closes_over_matters():
    assert not mm.check(mm.Build(patches=[factory(0)]), "two-mappings")


class Private(mm.Patch):
    """Two underscores, as the kernel has them, also where they are called."""

    def put_page(self, page):
        page = self.compound_head(page)
        (lambda: self.put_page_testzero(page) and self.__put_page(page))()

    def __put_page(self, page):
        self.dmesg.append("mine")
        super().__put_page(page)


def test_two_underscores_in_a_call_are_those_of_the_kernel():
    trace = mm.trace(mm.Build(patches=[Private]), "write-fault")
    assert "mine" in trace.dmesg
    assert trace.rows == mm.trace(mm.Build(), "write-fault").rows
