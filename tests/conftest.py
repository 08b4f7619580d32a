"""What several test files share."""

import compileall
import gc
import os
import shutil
import sys
from pathlib import Path

import pytest
from hypothesis import settings
from serving import CHROMIUM

from mmmodel.study.kept import FOLDER, cache

pytest_plugins = ["pytester"]
gc.set_threshold(50_000)  # explorations make many objects and few cycles
sys.modules["rfc3987_syntax"] = None  # compiled by jsonschema for seconds; no notebook has such a format
# Before a test limits the size of files: Python 3.11 keeps what could be written of a compiled module.
compileall.compile_dir(Path(__file__).parents[1] / "mmmodel", quiet=1)
REQUIRE_ALL = bool(os.environ.get("MMMODEL_REQUIRE_ALL"))

# The suite is the same each time; `pytest --hypothesis-profile explore` looks where nobody looked before.
settings.register_profile("repeatable", derandomize=True, database=None, deadline=None)
settings.register_profile("explore", max_examples=2000, deadline=None, print_blob=True)
settings.load_profile("repeatable")


SPREAD = {"test_attempts", "test_brute_force", "test_endings", "test_interleavings", "test_memory_models",
          "test_notebooks", "test_random_programs", "test_readers_patches", "test_sharing", "test_spin",
          "test_symmetry"}  # fmt: skip
"""Long test files whose tests have nothing in common that has to be opened or worked out first."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers():
    """One more than there are processors: now and then a test waits for a page, or for a process to end."""
    return None if os.environ.get("PYTEST_XDIST_AUTO_NUM_WORKERS") else (os.cpu_count() or 1) + 1


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """A file is for one worker, which opens or works out once what its tests share; a test of SPREAD for any."""
    from xdist.scheduler import LoadScopeScheduling

    config.option.loadscopereorder = False

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            path = nodeid.partition("::")[0]
            return nodeid if Path(path).stem in SPREAD else path

    return Scheduling(config, log)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """What is not marked slow is quick. Slow ones come first, so that nobody waits at the end; of them the notebooks,
    which leave what they found to meetings, and the files that go to one worker."""
    for item in items:
        if not item.get_closest_marker("slow"):
            item.add_marker("quick")
    first = dict.fromkeys(SPREAD, 3) | {"test_notebooks": 0, "test_browser": 1, "test_accessible": 1}
    items.sort(key=lambda item: (item.get_closest_marker("slow") is None, first.get(item.path.stem, 2)))


def refuse(report):
    """A skipped test (or file) fails where everything has to run."""
    if REQUIRE_ALL and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome, report.longrepr = "failed", f"skipped, but MMMODEL_REQUIRE_ALL is set: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    return refuse((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report():
    return refuse((yield))


@pytest.fixture(scope="session")
def in_common(tmp_path_factory):
    """A folder that the workers of one run of the tests share."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session", autouse=True)
def own_cache(in_common):
    """The user's cache is neither looked at nor touched; what one test leaves in it, as a run does, others find."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(in_common / "cache"))
        yield


@pytest.fixture
def found_before(monkeypatch):
    """As in a run or a meeting: verdicts that were worked out before are there."""
    monkeypatch.setenv(FOLDER, str(cache()))


@pytest.fixture(scope="session")
def chromium():
    """Path of the browser."""
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("install the Debian package chromium")
    return path


@pytest.fixture(scope="module")
def browser(chromium):
    """Chromium, for a module: there is room for one Playwright in a process."""
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=CHROMIUM)
        playwright.expect.set_options(timeout=180_000)
        yield browser
        browser.close()


@pytest.fixture
def no_scenarios_left():
    """A scenario of one test is none of another."""
    from mmmodel.explore.concurrent import PROGRAMS
    from mmmodel.explore.scenarios import known
    from mmmodel.explore.sequential import SEQUENTIAL

    before = known()
    yield
    for name in set(known()).difference(before):
        SEQUENTIAL.pop(name, None)
        PROGRAMS.pop(name, None)
