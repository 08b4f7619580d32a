"""Whatever a tree holds, there are rows or one line; nothing hangs, nothing is run, nothing is written."""

import os
import subprocess
import time

import pytest
from small_trees import BASE, HUGE, NUMBER, OOM, ZAP, plant

import mmmodel as mm
from mmmodel.trees.tree import LIMIT

TLB = "arch/sh/include/asm/tlb.h"


def reasons(folder, **words):
    """The reasons of the rows that are unknown."""
    return {row.where for row in mm.audit(folder, **words).rows if row.verdict == "unknown"}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "No such file"),
        ("\0\x7fELF", "binary"),
        ("int a;\n" + "1+" * LIMIT, "larger than 2 MB"),
        ("", "no zap_huge_pmd"),
        (BASE[HUGE][:150], "no zap_huge_pmd"),
        ("unsigned no_huge_zero_page_here;\nint zap_huge_pmd(void) { }", "was not understood"),
        (BASE[HUGE].replace("return huge_zero_page;", "return (((;"), "cannot be parsed"),
        (BASE[HUGE].replace("fresh_block()", "!" * 100_000 + "1"), "nested too deeply"),
        (NUMBER.replace("    give_back", "    xchg(&a, b);\n" * 50_000 + "    give_back") + ZAP, "too long"),
    ],
)
def test_a_file_that_tells_nothing(tmp_path, content, reason):
    found = reasons(plant(tmp_path, {HUGE: content}))
    assert any(reason in words for words in found), found


def test_only_what_needs_the_file_is_unknown(tmp_path):
    rows = mm.audit(plant(tmp_path, {OOM: None})).rows
    assert {row.fault for row in rows if row.verdict == "unknown"} == {"reaper-fullmm"}
    rows = mm.audit(plant(tmp_path / "partial", {TLB: None})).rows
    assert {(row.arch, row.fault) for row in rows if row.verdict == "unknown"} == {
        ("sh", "singular-put"),
        ("sh", "reaper-fullmm"),
    }


@pytest.mark.parametrize("gone", ["arch/s390/Kconfig", "arch/s390/mm/Kconfig"])
def test_thp_is_not_guessed(tmp_path, gone):
    plant(tmp_path, {"arch/s390/Kconfig": 'source "arch/s390/mm/Kconfig"\n', gone: None})
    assert any("Kconfig" in words for words in reasons(tmp_path, archs=["s390"]))


def test_what_is_no_file(tmp_path):
    plant(tmp_path, {OOM: None, HUGE: None, TLB: None, "arch/ia64/include/asm/tlb.h": None, "mm/swap.c": None})
    (tmp_path / OOM).mkdir()
    os.mkfifo(tmp_path / HUGE)
    (tmp_path / "mm/swap.c").symlink_to("swap.c")
    (tmp_path / "secret").mkdir()
    outside = tmp_path.with_name("outside.h")
    outside.write_text(BASE[TLB])
    (tmp_path / TLB).symlink_to(outside)
    (tmp_path / "arch/again").symlink_to(".")
    assert reasons(tmp_path) == {f"{HUGE}: not a regular file"}
    (tmp_path / HUGE).unlink()
    plant(tmp_path, {path: None for path in BASE if path != HUGE})
    found = " ".join(reasons(tmp_path))
    for reason in (f"{OOM}: Is a directory", "swap.c: Too many levels of symbolic links", "a link that leads out"):
        assert reason in found


def test_a_file_that_may_not_be_read(tmp_path, monkeypatch):
    def refuse(path, *_):
        raise PermissionError(13, "Permission denied", path)

    plant(tmp_path)
    monkeypatch.setattr(os, "open", refuse)
    assert f"{HUGE}: Permission denied" in reasons(tmp_path)


def test_words_of_a_tree_do_not_reach_the_terminal(tmp_path):
    said = {"Makefile": "VERSION = 4\nPATCHLEVEL = 6\nEXTRAVERSION = \033[31m\n"}
    said["arch/x86/Kconfig"] = "config X86\n\tselect HAVE_ARCH_TRANSPARENT_HUGEPAGE if \033]0;x\n"
    report = mm.audit(plant(tmp_path, said | {HUGE: BASE[HUGE].replace("tlb_remove_page", "put_huge_zero_page")}))
    assert "\033" not in report.version + str(report.rows)


def test_a_deep_tree_is_read_in_a_moment(tmp_path):
    plant(tmp_path, {HUGE: "int f(void) { return " + "(" * 300_000 + "; }", OOM: "#if 1\n" * 100_000})
    started = time.monotonic()
    assert reasons(tmp_path)
    assert time.monotonic() - started < 20


# -- what is no tree


def made(folder, name):
    """A path of the name, with what that name promises."""
    path = folder / name
    if name == "file":
        path.write_text("")
    elif name != "absent":
        path.mkdir()
    return path


@pytest.mark.parametrize(
    ("name", "words", "said"),
    [
        ("absent", {}, "not there"),
        ("file", {}, "not a directory"),
        ("empty", {}, "no kernel source tree"),
        ("empty", {"rev": "HEAD"}, "no git repository"),
        ("a\0b", {}, "not there"),
    ],
)
def test_no_tree(tmp_path, name, words, said):
    path = f"{tmp_path}/{name}" if "\0" in name else made(tmp_path, name)
    with pytest.raises(mm.BuildError, match=said) as caught:
        mm.audit(path, **words)
    assert "\n" not in str(caught.value)


def test_an_arch_that_the_tree_does_not_have(tmp_path):
    with pytest.raises(mm.BuildError, match="it is s390 here"):
        mm.audit(plant(tmp_path), archs=["s390x"])


# -- git


@pytest.fixture
def repository(tmp_path):
    """The tree, committed and tagged, and then changed; with a configuration that would run something."""
    folder = plant(tmp_path / "work")
    who = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main"]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "all"], ["tag", "v4.6.2"]):
        subprocess.run(["git", *who, *command], cwd=folder, check=True)
    trap = f"touch {tmp_path}/ran"
    hook = folder / ".git/hooks/post-checkout"
    hook.write_text(f"#!/bin/sh\n{trap}\n")
    hook.chmod(0o755)
    with (folder / ".git/config").open("a") as config:
        config.write(f'[core]\n\tfsmonitor = "{trap}"\n\tpager = "{trap}"\n[remote "o"]\n\turl = "ext::{trap}"\n')
        config.write('\tpromisor = true\n[extensions]\n\tpartialClone = o\n[filter "x"]\n')
        config.write(f'\tsmudge = "{trap}"\n\ttextconv = "{trap}"\n')
    (folder / HUGE).write_text("")
    yield folder
    assert not (tmp_path / "ran").exists()


def state(folder):
    """Every file below a folder, and when it was written."""
    return {path: path.lstat().st_mtime_ns for path in folder.rglob("*")}


def test_a_revision_is_read_without_a_checkout(repository):
    before = state(repository)
    committed = mm.audit(repository, "v4.6.2")
    assert committed.affected
    assert committed.version == "v4.6.2"
    assert [row._replace(where="") for row in mm.audit(repository).rows] != committed.rows
    assert mm.audit(repository / ".git").rows == mm.audit(repository / ".git", "HEAD").rows == committed.rows
    assert state(repository) == before


@pytest.mark.parametrize("rev", ["nope", "", "--help", "HEAD:mm", "v4.6.2\nHEAD", "HEAD~1", "0" * 40])
def test_no_such_revision(repository, rev):
    with pytest.raises(mm.BuildError, match="has no revision"):
        mm.audit(repository, rev)


def test_an_object_that_is_not_there_is_not_fetched(repository):
    name = subprocess.run(
        ["git", "rev-parse", f"HEAD:{HUGE}"], cwd=repository, capture_output=True, text=True, check=True
    )
    number = name.stdout.strip()
    (repository / ".git/objects" / number[:2] / number[2:]).unlink()
    assert reasons(repository, rev="HEAD") == {f"{HUGE}: No such file or directory"}
