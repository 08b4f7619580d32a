"""The page and this Python say the same of builds, scenarios and patches that nobody chose."""

import inspect
from itertools import islice
from random import Random
from urllib.parse import quote

import proposals
import pytest

import mmmodel as mm
from mmmodel.explore.checking import SCENARIOS
from mmmodel.kernel.arches import ARCHES
from mmmodel.kernel.patches import PATCHES
from mmmodel.kernel.versions import VERSIONS

pytestmark = pytest.mark.slow
CASES, AT_ONCE, MOST = 500, 50, 3000
CALLS = {
    "free_page_and_swap_cache": "page", "release_huge_zero_page": "page", "zap_huge_zero_page": "tlb, page",
    "tlb_remove_page": "tlb, page", "put_huge_zero_page": "",
}  # fmt: skip
BODIES = (
    "super().{f}({a})", "return super().{f}({a})", "self.put_huge_zero_page()", "self.put_page({p})", "pass",
    "self.no_such_function()", "return False", "return True", "1 / 0",
    "if self.is_huge_zero_page({p}):\n            self.put_huge_zero_page()\n        super().{f}({a})",
)  # fmt: skip
GIVEN = [inspect.getsource(value) for value in vars(proposals).values() if inspect.isclass(value)]
GIVEN = ["from mmmodel.kernel.machine import Var\n" + text for text in GIVEN if "while" not in text]
BAD = ["class X(mm.Patch): ?", "no_such_name", "class X(mm.Patch):\n    def munmap(self): pass", "raise SystemExit(1)"]


def a_patch(random, number):
    """A class that overrides a function or two with something."""
    lines = [f"class Random{number}(mm.Patch):"]
    for function in random.sample(list(CALLS), random.randint(1, 2)):
        arguments = CALLS[function]
        page = "page" if "page" in arguments else "self.huge_zero_page.value"
        body = random.choice(BODIES).format(f=function, a=arguments, p=page)
        lines += [f"    def {function}({', '.join(filter(None, ('self', arguments)))}):", f"        {body}"]
    return "\n".join(lines)


def a_case(random):
    """A source and a question."""
    own = [a_patch(random, i) for i in range(random.randint(1, 2))]
    source = random.choice(["", "", random.choice(GIVEN), random.choice(BAD), *["\n".join(own)] * 4])
    question = {
        "version": random.choice(list(VERSIONS)),
        "arch": random.choice(["s390", "s390", "x86", "arm64", *ARCHES]),
        "swap": random.random() < 0.7,
        "thp": random.choice([None, None, True, False]),
        "debug_vm": random.random() < 0.3,
        "patches": random.sample(list(PATCHES), random.choice([0, 0, 1, 2])),
        "scenario": random.choice(list(SCENARIOS)),
        "memory": random.choice(["sc", "sc", "sc", "tso", "arch"]),
    }
    return source, question


def judged(random):
    """Cases with what mm.check says of them; those that have many states are left out."""
    while True:
        case = a_case(random)
        expected = here(*case)
        if expected["status"] != "undecided":
            yield *case, expected


def here(source, question):
    """What mm.check says of the same: what a notebook would do."""
    toggles = {name: value for name, value in question.items() if name not in ("scenario", "memory")}
    names = {"__name__": "a_notebook", "mm": mm}
    try:
        exec(source, names)
        own = [v for v in names.values() if isinstance(v, type) and v.__module__ == "a_notebook"]
        build = mm.Build(**toggles | {"patches": [*toggles["patches"], *own]})
        verdict = mm.check(build, question["scenario"], memory=question["memory"], max_states=MOST)
    except (Exception, SystemExit):
        return {"status": "error", "broken": "", "what": "", "states": 0}
    return {name: getattr(verdict, name) for name in ("status", "broken", "what", "states")}


ASK = "cases => Promise.all(cases.map(([source, question]) => mmmodel.check(source, question)))"


def test_the_page_agrees_with_mm_check(opened):
    random, page = Random(2016), opened("#" + quote('{"compare":false}'))
    cases = list(islice(judged(random), CASES))
    asked = [case for *case, _ in cases]
    said = [answer for at in range(0, CASES, AT_ONCE) for answer in page.evaluate(ASK, asked[at : at + AT_ONCE])]
    assert [(case, answer) for case, answer in zip(cases, said, strict=True) if case[2].items() - answer.items()] == []
    found = [answer["status"] for answer in said]
    assert min(map(found.count, ("holds", "broken", "error"))) > CASES / 20, "too few of a kind to mean anything"
    assert all(bool(a["error"]) == (a["status"] == "error") and "\n" not in a["error"] for a in said)
