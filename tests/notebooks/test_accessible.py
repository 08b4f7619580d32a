"""What axe-core says of the report, light and dark, and of a dark dashboard (of a light one: test_browser)."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from click.testing import CliRunner
from serving import needs_axe, serious, served

from mmmodel.cli import main
from mmmodel.report import run
from mmmodel.study.kept import cache

pytestmark = pytest.mark.slow


class Home(TemporaryDirectory):
    """Of a run that finds the verdicts of another."""

    def __enter__(self):
        cache().mkdir(parents=True, exist_ok=True)
        Path(self.name, run.VERDICTS).symlink_to(cache())
        return self.name


@needs_axe
def test_the_report(browser, tmp_path, monkeypatch):
    monkeypatch.setattr(run, "TemporaryDirectory", Home)
    result = CliRunner().invoke(main, ["run", "00", "10", "-o", str(tmp_path)])
    assert result.exit_code == 0, result.output
    for scheme in ("light", "dark"):
        page = browser.new_page(color_scheme=scheme, viewport={"width": 1024, "height": 768})
        for path in sorted(tmp_path.glob("*.html")):
            page.goto(path.as_uri())
            assert not serious(page), (scheme, path.name)
        page.close()


@needs_axe
def test_a_dark_dashboard(browser, tmp_path):
    pytest.importorskip("voila", reason="pip install 'mmmodel[meeting]'")
    with served(tmp_path / "log", "meeting", "10", "--no-browser", "--theme", "dark") as (url, _):
        page = browser.new_page(viewport={"width": 1024, "height": 768})
        page.goto(url, timeout=180_000)
        page.locator(".mm-explorer .mm-verdict").first.wait_for(timeout=180_000)
        assert page.evaluate("document.body.dataset.jpThemeLight") == "false"
        assert not serious(page)
        page.close()
