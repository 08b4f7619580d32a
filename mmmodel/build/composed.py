"""A build: what a reader toggles. And the kernel it boots: version, arch, configuration and patches in one class."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from ..kernel.arches import ARCHES, arch_layers
from ..kernel.config import NoSwap, NoThp
from ..kernel.patches import PATCHES, Patch
from ..kernel.versions import V4_5, VERSIONS
from ..words import BuildError as BuildError
from ..words import choose as choose
from .accepted import accepted, overridden
from .effect import lost
from .nearest import nearest_build


@dataclass(frozen=True)
class Build:
    """One kernel to investigate.

    version: v4.5 ... v6.1.184. arch: a name of data/arches.csv. swap, debug_vm: CONFIG_SWAP, CONFIG_DEBUG_VM. thp: by
    default what the arch supports; setting it on one that does not is allowed and `hypothetical`. patches: names or
    Patch classes, applied in order (a later one lies over an earlier one of the same level).

    Raises BuildError for a value that does not exist, naming those that do.
    """

    version: str = "v4.6"
    arch: str = "s390"
    swap: bool = True
    thp: bool | None = None
    debug_vm: bool = False
    patches: tuple[str | type[Patch], ...] = ()
    differs: tuple[str, ...] = field(default=(), init=False, repr=False, compare=False)

    @classmethod
    def from_audit(cls, report: Any, arch: str, swap: bool = True) -> Build:
        """The build nearest to an audited tree (see mm.audit); what it has otherwise is in `differs`, and in `notes`.

        Raises BuildError for an arch that is not modelled.
        """
        version, patches, differs = nearest_build(report)
        build = cls(version, arch, swap, patches=patches)
        object.__setattr__(build, "differs", differs)
        return build

    def __post_init__(self) -> None:
        choose("version", self.version, VERSIONS)
        choose("arch", self.arch, ARCHES)
        for name in ("swap", "thp", "debug_vm"):
            value = getattr(self, name)
            if not isinstance(value, bool) and not (name == "thp" and value is None):
                raise BuildError(f"{name} must be True or False, not {value!r}")
        if not isinstance(self.patches, list | tuple):
            raise BuildError(f"patches must be a list of patches, not {self.patches!r}")
        patches = [accepted(patch) for patch in self.patches]
        names = [patch.name for patch in patches]
        if len(set(names)) < len(names):
            raise BuildError(f"a patch is given twice: {', '.join(names)}")
        object.__setattr__(self, "patches", tuple(p.name if PATCHES.get(p.name) is p else p for p in patches))
        if self.thp is None:
            object.__setattr__(self, "thp", ARCHES[self.arch]["thp"] == "y")
        _ = self.kernel_class  # BuildError, if the patches do not go together

    @property
    def hypothetical(self) -> bool:
        """Does the build have THP on an arch that does not support it?"""
        return bool(self.thp) and ARCHES[self.arch]["thp"] != "y"

    @property
    def patch_classes(self) -> tuple[type[Patch], ...]:
        """The patches as classes."""
        return tuple(PATCHES[p] if isinstance(p, str) else p for p in self.patches)

    @property
    def kernel_class(self) -> type[V4_5]:
        """The composed class: arch patches, arch, header patches, stubs of the configuration, mm patches, version."""
        applied = [patch for patch in reversed(self.patch_classes) if not self._outside(patch)]
        mm, header, arch = ([patch for patch in applied if patch.level() == level] for level in range(3))
        return compose(
            (*arch, *arch_layers(self.arch, self.version), *header, *self.stubs, *mm, VERSIONS[self.version])
        )

    @property
    def stubs(self) -> tuple[type[NoSwap | NoThp], ...]:
        """What stands in the place of files that are not compiled."""
        return (NoSwap,) * (not self.swap) + (NoThp,) * (not self.thp)

    def _outside(self, patch: type[Patch]) -> str:
        """Why a patch is not applied at all; empty when it is."""
        order = list(VERSIONS)
        if not order.index(patch.since) <= order.index(self.version) <= order.index(patch.until):
            return patch.outside or f"only for {patch.since} to {patch.until}"
        if patch.level() == 2 and patch.file.split("/")[1] != self.arch:
            return f"{patch.file} is not compiled for {self.arch}"
        if patch.needs_debug_vm and not self.debug_vm:
            return "its assertions are compiled with CONFIG_DEBUG_VM only"
        missing = [f"{stub.file} is not compiled: {stub.instead}" for stub in self.stubs if stub.file == patch.file]
        return missing[0] if missing else "" if overridden(patch) else "it overrides no kernel function"

    def _lost(self) -> dict[str, tuple[str, bool]]:
        """What of each patch has no effect: the reason (empty: all has one), and is it the whole patch?"""
        patches = [(patch, self._outside(patch)) for patch in self.patch_classes]
        return {patch.name: (outside, True) if outside else lost(self, patch) for patch, outside in patches}

    @property
    def without_effect(self) -> dict[str, str]:
        """Patches that change nothing in this build, and why: not applicable, or overruled."""
        return {name: reason for name, (reason, whole) in self._lost().items() if reason and whole}

    @property
    def notes(self) -> list[str]:
        """What a reader could misunderstand about the build, a sentence each: patches without effect, or in part."""
        notes = [f"hypothetical: {self.arch} has no THP"] * self.hypothetical + list(self.differs)
        for name, (reason, whole) in self._lost().items():
            if reason:
                notes.append(f"{name} has {'no effect' if whole else 'an effect in part only'}: {reason}")
        return notes

    @property
    def official(self) -> bool:
        """Has it no patch but ours?"""
        return all(isinstance(patch, str) for patch in self.patches)

    @property
    def keeps_the_rule(self) -> bool:
        """Do its patches count as their version does, or say how they count (`references_due`)? Ours do."""
        return all("references_due" in dir(patch) for patch in self.patches if not isinstance(patch, str))

    @property
    def settings(self) -> dict[str, Any]:
        """What a kernel knows besides its functions: the configuration and facts about the arch."""
        facts = ARCHES[self.arch]
        return {
            "build": self,
            "debug_vm": self.debug_vm,
            "hpage_order": int(facts["huge_page_order"]),
            "keeps_the_rule": self.keeps_the_rule,
            "official": self.official,
            "page_tables": facts["page_tables"],
            "page_size": int(facts["page_kib"]) * 1024,
            "word": int(facts["word_bits"]) // 8,
        }

    def boot(self, cpus: int = 1, memory_mib: int = 256, kernel_class: type | None = None) -> Any:
        """Boot it: a kernel with `cpus` CPUs and one process, the huge zero page not yet allocated.

        kernel_class: a subclass of the build's own, to watch it.
        """
        kernel: Any = (kernel_class or self.kernel_class)(cpus)
        for name, value in self.settings.items():
            setattr(kernel, name, value)
        for layer in [layer for patch in self.patch_classes for layer in patch.layers()]:
            own = {n: v for n, v in vars(layer).items() if isinstance(v, list | dict | set) and n[:2] != "__"}
            vars(kernel).update(deepcopy(own))  # nothing is left from one kernel to the next
        kernel.boot_gather()
        kernel.boot_zone(memory_mib * 256 >> kernel.hpage_order)
        kernel.boot_huge_memory()
        kernel.boot_mm()
        return kernel

    def __repr__(self) -> str:
        """Code that makes this build, for a mail."""
        parts = [f"version={self.version!r}", f"arch={self.arch!r}"]
        parts += ["swap=False"] * (not self.swap) + ["debug_vm=True"] * self.debug_vm
        parts += [f"thp={self.thp}"] * (self.thp != (ARCHES[self.arch]["thp"] == "y"))
        if self.patches:
            parts.append(f"patches=[{', '.join(p.__name__ if isinstance(p, type) else repr(p) for p in self.patches)}]")
        return f"mm.Build({', '.join(parts)})"


def given(build: Build | None) -> Build:
    """The build asked for; the reported one by default.

    Raises BuildError if it is no build.
    """
    if build is not None and not isinstance(build, Build):
        raise BuildError(f"build must be an mm.Build, for example mm.Build(arch='s390'), not {build!r}")
    return build or Build()


@cache
def compose(layers: tuple[Any, ...]) -> type[V4_5]:
    """One class out of all layers, the highest first.

    Raises BuildError for patches that cannot be stacked.
    """
    try:
        return type("Kernel", layers, {})
    except TypeError:
        patches = ", ".join(layer.name for layer in reversed(layers) if issubclass(layer, Patch))
        raise BuildError(
            f"patches {patches}: one that derives from another has to come later and lie over it"
        ) from None
