"""What axe-core says of the report and of the dashboard, in the light and in the dark: nothing serious."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from click.testing import CliRunner
from serving import ROOT, served

from mmmodel.cli import main
from mmmodel.report import run
from mmmodel.study.kept import cache

pytestmark = pytest.mark.slow
AXE = ROOT / "tests/axe/node_modules/axe-core/axe.min.js"
SERIOUS = """() => axe.run(document, {resultTypes: ["violations"]}).then(found => found.violations
    .filter(v => ["serious", "critical"].includes(v.impact))
    .flatMap(v => v.nodes.map(n => `${v.id}: ${n.target} ${n.any.map(a => a.message)} ${n.html}`.slice(0, 400))))"""


class Home(TemporaryDirectory):
    """Of a run that finds the verdicts of another."""

    def __enter__(self):
        Path(self.name, run.VERDICTS).symlink_to(cache())
        return self.name


@pytest.fixture
def pages(browser):
    """An open page in the light, and one in the dark."""
    if not AXE.exists():
        pytest.skip("install the npm package axe-core: npm ci --prefix tests/axe")
    options = {"viewport": {"width": 1024, "height": 768}, "bypass_csp": True}
    windows = [browser.new_context(color_scheme=scheme, **options) for scheme in ("light", "dark")]
    yield [window.new_page() for window in windows]
    for window in windows:
        window.close()


def serious(page):
    """Serious and critical violations of an open page."""
    page.add_script_tag(path=AXE)
    return page.evaluate(SERIOUS)


def test_the_report(pages, tmp_path, monkeypatch):
    monkeypatch.setattr(run, "TemporaryDirectory", Home)
    result = CliRunner().invoke(main, ["run", "00", "10", "-o", str(tmp_path)])
    assert result.exit_code == 0, result.output
    for path in sorted(tmp_path.glob("*.html")):
        for page in pages:
            page.goto(path.as_uri())
            assert serious(page) == [], path.name


def test_the_dashboard(pages, tmp_path):
    pytest.importorskip("voila", reason="pip install 'mmmodel[meeting]'")
    with served(tmp_path / "log", "meeting", "10", "--no-browser") as (url, _):
        for page in pages:
            page.goto(url, timeout=180_000)
            page.locator(".mm-explorer .mm-verdict").first.wait_for(timeout=180_000)
            assert serious(page) == []
