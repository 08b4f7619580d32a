"""A kernel with two mappings of the huge zero page."""


def boot(build, cpus=1):
    """A kernel with two huge zero mappings, at slots 0 and 1."""
    kernel = build.boot(cpus=cpus, memory_mib=16)
    for slot in (0, 1):
        kernel.mmap(kernel.init, slot * kernel.hpage_nr, (slot + 1) * kernel.hpage_nr)
        kernel.load(kernel.init, slot * kernel.hpage_nr)
    return kernel


def unmap(kernel, slot):
    kernel.munmap(kernel.init, slot * kernel.hpage_nr, (slot + 1) * kernel.hpage_nr)
