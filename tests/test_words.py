"""Versions and archs that are not modelled: which one has their code, and never a wrong one."""

import pytest

import mmmodel as mm
from mmmodel.kernel.arches import ARCHES
from mmmodel.kernel.versions import VERSIONS
from mmmodel.words import ALIASES, LATER, version_hint

NAMES = list(VERSIONS)

SAID = {
    "v4.8": "v4.8 has the code of v4.7 here: --version v4.7",
    "v4.10": "v4.10 has the code of v4.9 here: --version v4.9",
    "v5.1": "v5.1 has the code of v4.9 here: --version v4.9 (known to differ: from v4.15 the OOM reaper",
    "v5.3": "v5.3 has the code of v5.2 here: --version v5.2",
    "v5.12.9": "v5.12.9 has the code of v5.2 here: --version v5.2",
    "v4.6.2": "v4.6.2 has the code of v4.6 here: --version v4.6",
    "v4.6.4": "--version v4.6 (s390 with SWAP was fixed in the stable series (not in v4.6.2, in v4.6.5 at the latest)",
    "v4.4": "before v4.5, the first version modelled",
    "v4.4.302": "before v4.5, the first version modelled",
    "v3.8": "before v4.5, the first version modelled",
    "v6.12": "after v6.1.184, the last version modelled (near v6.1: it lacks the fix of CVE-2026-74632",
    "v6.12.104": "after v6.1.184, the last version modelled (near v6.1.184: it has the fix of CVE-2026-74632",
    "v6.6.y": "after v6.1.184, the last version modelled (near v6.1.184",
    "v6.6.152": "(near v6.1: it lacks the fix",
    "v7.1": "(near v6.1: it lacks the fix",
    "v5.15": "v5.15 has the code of v5.14 here: --version v5.14",
    "v5.15.218": "--version v5.14 (known to differ: it has the fix of CVE-2026-74632",
    "v6.0": "v6.0 has the code of v5.14 here: --version v5.14",
    "v6.1-rc6": "between v5.14 and v6.1",
    "v6.1.183": "v6.1.183 has the code of v6.1 here: --version v6.1",
    "v6.1.50": "v6.1.50 has the code of v6.1 here: --version v6.1",
    "v6.1.190": "--version v6.1.184",
    "v4.8-rc3": "v4.8 has the code of v4.7",
    "v4.6-rc3": "between v4.5 and v4.6",
    "4.6": "did you mean v4.6?",
    "linux-4.8": "v4.8 has the code of v4.7",
    "v4.8.y": "v4.8.y has the code of v4.7 here: --version v4.7",
    "v4.8.0": "v4.8 has the code of v4.7 here: --version v4.7",
    "v4.6.y": "--version v4.6 (s390 with SWAP was fixed in the stable series",
    "v4.6.0": "did you mean v4.6?",
    "v5.10-rt": "v5.10 has the code of v5.2 here: --version v5.2",
    "v5.10.59-rt52": "v5.10.59 has the code of v5.2 here: --version v5.2",
    "v5.10.y": "v5.10.y has the code of v5.2 here: --version v5.2 (known to differ: later releases of this stable",
    "v6.1.y": "v6.1.y has the code of v6.1.184 here",
}


@pytest.mark.parametrize("version", SAID)
def test_a_version_that_is_not_modelled(version):
    assert SAID[version] in version_hint(version, NAMES)


@pytest.mark.parametrize("version", ["v4.66", "v5.20", "4", "nope", "", "v4", "2016-06-02", "v4.6-mmotm"])
def test_no_version_is_suggested_for_what_is_none(version):
    assert "--version" not in version_hint(version, NAMES)
    assert "did you mean" not in version_hint(version, NAMES)


@pytest.mark.parametrize(
    ("toggles", "said"),
    [
        ({"version": "v4.8"}, "unknown version 'v4.8': v4.8 has the code of v4.7 here: --version v4.7"),
        ({"version": "v99.1"}, f"after {NAMES[-1]}, the last version modelled"),
        ({"arch": "riscv"}, "unknown arch 'riscv': riscv came with v4.15, and the archs here are those of v4.6"),
        ({"arch": "loongarch64"}, "loongarch came with v5.19"),
        ({"arch": "loong64"}, "loongarch came with v5.19"),
        ({"arch": "rv64"}, "riscv came with v4.15"),
        ({"arch": "riscv64"}, "riscv came with v4.15"),
        ({"arch": "nds32"}, "nds32 came with v4.17"),
        ({"arch": "x86_64"}, "unknown arch 'x86_64': it is x86 here"),
        ({"arch": "AArch64"}, "it is arm64 here"),
        ({"arch": "S390"}, "did you mean s390?"),
        ({"arch": "hexagn"}, "did you mean hexagon?"),
    ],
    ids=str,
)
def test_a_build_says_it(toggles, said):
    with pytest.raises(mm.BuildError) as error:
        mm.Build(**toggles)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("arch", ["lm32", "vax", "arm26", "kvx", ""])
def test_no_arch_is_suggested_for_one_there_never_was(arch):
    with pytest.raises(mm.BuildError, match=r"^unknown arch '[a-z0-9]*'; allowed"):
        mm.Build(arch=arch)


def test_other_names_are_of_archs_there_are():
    words = [word for names in ALIASES.values() for word in names.split()]
    assert ALIASES.keys() <= ARCHES.keys()
    assert len(set(words)) == len(words)
    assert ARCHES.keys().isdisjoint([*words, *LATER])


def test_a_table_and_a_name_that_are_none():
    with pytest.raises(ValueError, match="counters"):
        mm.data.rows("nope")
    with pytest.raises(AttributeError, match="nope"):
        _ = mm.nope
