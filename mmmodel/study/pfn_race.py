"""What CVE-2026-74632 does once it has happened, as measured on a real kernel: data/pfn_race.csv, pfn_race_crashes.csv.

The race was forced: a debug file does one half of the shrinker, another the other half. The kernel is Debian's 6.1.192
with the two functions that hand out and shrink the page put back to what they were in 5.14-rc5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..data import frame

if TYPE_CHECKING:
    import pandas as pd

OPERATIONS = {
    "munmap": "unmap",
    "madv-dontneed": "discard",
    "exit-with-both-mapped": "exit",
    "fork-exit": "fork, exit of the child",
    "mprotect-half-split": "split, then unmap",
    "write-fault": "write one byte",
    "write-munmap-then-fill-memory": "write, unmap, fill memory",
}
"""The variants that are told, and what the program did."""
SAID = {
    "non-zero pgtables_bytes": "page tables leak",
    "bad rss-counter": "the process's counters are wrong",
    "page dumped: nonzero mapcount": "the page is lost",
    "panic": "panic",
}
"""What the console says, in our words."""
FREED = "the page is in the free lists, and in use"
ITEMS = ("buddy", "nonzero_words", "nonzero_words_region2")
"""Of a note: is the page in the free lists? How many words of a region are not zero?"""


def boot(variant: str, swap: bool, kernel: str = "unfixed") -> pd.DataFrame:
    """What was measured of one program, without DEBUG_VM, and ITEMS of each note."""
    rows = frame("pfn_race").query("variant == @variant and kernel == @kernel and debug_vm == 'n'")
    rows = rows[rows.swap == "ny"[swap]]
    items = [dict(item.split("=", 1) for item in note.split(";")) for note in rows.note]
    return rows.assign(**{key: [found.get(key, "") for found in items] for key in ITEMS})


def said(variant: str, swap: bool, debug_vm: bool = False) -> pd.DataFrame:
    """What the console of the unfixed kernel said."""
    rows = frame("pfn_race_crashes").query("variant == @variant")
    return rows[(rows.swap == "ny"[swap]) & (rows.debug_vm == "ny"[debug_vm])]


def happened(variant: str, swap: bool) -> list[str]:
    """What happened, in words: who reads what another process wrote, whose page it is, PC, what the console said."""
    rows, console = boot(variant, swap), " ".join(said(variant, swap).symptom)
    strangers = rows[rows.op.isin(["third_process_map_read", "other_process_map_read"])]
    free = (rows.buddy == "1") & (rows.present == 1)
    found = ["another process reads what was written"] * bool((~strangers.nonzero_words.isin(["", "0"])).any())
    found += [FREED] * bool(free.any())
    if (lowest := int(rows.page_count.min())) < 1:
        found.append(f"PC falls to {lowest}")
    return found + [words for start, words in SAID.items() if start in console]


def stops(variant: str) -> bool:
    """With DEBUG_VM: did a BUG stop the kernel, with SWAP and without?"""
    return all("kernel BUG" in set(said(variant, swap, True).symptom) for swap in (True, False))
