"""From a click to the repainted verdict, in Chromium and JupyterLab: our explorer beside a plain `interact`.

    python benchmarks/click.py [--toggles 50]

Each contender has a notebook and a kernel of its own, and the same toggles in the same order; the first few, which warm
the kernel up, do not count. The clock is the page's: it starts with the event and stops in the animation frame after
everything that shows the new build has changed (an image: has been decoded). `interact` draws the same panels with
matplotlib, in the usual way, under the same verdicts. Nearly all builds are new: few verdicts are remembered ones.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from serving import CHROMIUM, cell, in_lab, lab_options, served, write_notebook

WARM_UP = 5
TARGETS = {"median": 100, "p95": 200}
EXPLORE = (
    'mm.explorer({}, build, "40em", verdict=True, presets=True, version=True, arch=True, swap=True, thp=True, '
    "debug_vm=True, patches=True)"
)
MATPLOTLIB = """
import ipywidgets
from matplotlib import pyplot as plt
from mmmodel.study import measurements as evidence, at_a_glance as quick
from mmmodel.show.tables import label

def view(version, arch, swap, q4):
    build = mm.Build(version, arch, swap, patches=["q4"] * q4)
    good, headline, *_ = quick.told(quick.quick_verdicts(build))
    fig, panels = plt.subplots(1, 2, figsize=(10, 6))
    fig.suptitle(f"{headline}: {label(build)}")
    for ax, b in zip(panels, (mm.Build(version, "x86"), build)):
        unmap = evidence.one_unmap(b)
        ax.set_title(label(b))
        for i, name in enumerate(unmap.route if unmap else []):
            ax.text(.5, 1 - i / 9, name, ha="center", bbox={"boxstyle": "round"}, family="monospace")
        ax.bar(["HZR", "PC"], [v or 0 for v in unmap.after] if unmap else [0, 0])
    plt.show()

ipywidgets.interact(view, version=list(mm.build.VERSIONS), arch=sorted(mm.build.ARCHES), swap=True, q4=False);
"""
CONTENDERS = {
    "explorer, the_bug": EXPLORE.format("figures.the_bug"),
    "explorer, gather_sequence": EXPLORE.format("lanes.gather_sequence"),
    "interact, matplotlib": MATPLOTLIB,
}
# Changes one toggle, waits until what it shows is there, and says how long that took.
CLICK = """
async ([toggle, choice]) => {
  const visible = [...document.querySelectorAll(".jp-OutputArea")].filter(e => e.offsetParent);
  const area = visible.find(e => e.querySelector("select"));
  const select = [...area.querySelectorAll("select")].find(e => [...e.options].some(o => o.text === choice));
  const ticks = [...area.querySelectorAll("label:has(input)")];
  const tick = ticks.find(e => e.textContent.trim().replace(/^\\d+\\. /, "") === toggle);
  const panes = [...area.querySelectorAll(".widget-html-content")].filter(e => e.querySelector(".mm-verdict, svg"));
  const changed = new Set();
  const before = area.querySelector("img");
  return await new Promise((done, failed) => {
    const observer = new MutationObserver(async records => {
      for (const r of records) for (const p of panes) if (p.contains(r.target)) changed.add(p);
      const image = area.querySelector("img");
      if (panes.length ? changed.size < panes.length : !image || image === before) return;
      observer.disconnect();
      if (!panes.length) await image.decode();
      requestAnimationFrame(() => done(performance.now() - start));
    });
    observer.observe(area, {childList: true, subtree: true, characterData: true});
    setTimeout(() => failed(new Error(`nothing changed: ${toggle} ${choice}`)), 20000);
    const start = performance.now();
    if (tick) tick.querySelector("input").click();
    else { select.value = select.options[[...select.options].findIndex(o => o.text === choice)].value;
           select.dispatchEvent(new Event("change", {bubbles: true})); }
  });
}
"""


def toggles(number: int) -> list[tuple[str, str]]:
    """What to toggle: (name, the choice of a dropdown or nothing for a tick), the same for everyone."""
    draw, now = random.Random(1), {"version": "v4.6", "arch": "s390"}
    offered = {"version": ["v4.5", "v4.6", "v4.7", "v4.9", "v5.2", "v5.13", "v5.14"]}
    offered["arch"] = ["s390", "x86", "arm64", "arm", "powerpc", "sparc", "mips", "sh", "um", "ia64"]
    found = []
    for i in range(number):
        name = ("arch", "version", "CONFIG_SWAP", "arch", "q4", "version")[i % 6]
        if name in now:
            now[name] = draw.choice([value for value in offered[name] if value != now[name]])
        found.append((name, now.get(name, "")))
    return found


def measure(browser: Any, url: str, path: Path, clicks: list[tuple[str, str]]) -> list[float]:
    """Milliseconds of each click but the first few."""
    page = in_lab(browser.new_page(viewport={"width": 1600, "height": 1200}), url, path)
    page.wait_for_function("document.querySelector('.jp-OutputArea svg, .jp-OutputArea img')")
    words = {"CONFIG_SWAP": "swap"} if "interact" in path.stem else {}
    times = [page.evaluate(CLICK, [words.get(name, name), choice]) for name, choice in clicks]
    page.close()
    return times[WARM_UP:]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--toggles", type=int, default=50)
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    options = parser.parse_args()
    clicks = toggles(options.toggles + WARM_UP)
    print(f"{'ms from click to repaint':28}{'median':>9}{'p95':>9}{'max':>9}   {len(clicks) - WARM_UP} toggles")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=options.chromium, args=CHROMIUM)
        with served(Path(folder) / "log", *lab_options(folder)) as (url, _):
            for name, source in CONTENDERS.items():
                path = write_notebook(Path(folder) / f"{name.replace(', ', '-')}.ipynb", cell("code", "shown", source))
                times = measure(browser, url, path, clicks)
                p95 = statistics.quantiles(times, n=20)[-1]
                print(f"{name:28}{statistics.median(times):9.0f}{p95:9.0f}{max(times):9.0f}")
        browser.close()
    print(f"{'target for the explorer':28}{TARGETS['median']:9}{TARGETS['p95']:9}")


if __name__ == "__main__":
    main()
