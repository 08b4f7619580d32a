"""From a click to the repainted verdict, in Chromium and JupyterLab: our explorer beside a plain `interact`.

    python benchmarks/click.py [--toggles 50]

Each contender has a notebook and a kernel of its own, and the same toggles in the same order; the first few, which warm
the kernel up, do not count. The clock is the page's: it starts with the event and stops in the animation frame after
everything that shows the new build has changed (an image: has been decoded). `interact` draws the same with pyplot, in
the usual way, under the same verdicts; the last column is against it. Nearly all builds are new: few verdicts are
remembered ones. The chart is figures.beside: for most builds two charts, the model and the nearest measured kernel.
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
EXPLORE = (
    'mm.explorer({}, build, "40em", verdict=True, presets=True, version=True, arch=True, swap=True, thp=True, '
    "debug_vm=True, patches=True)"
)
INTERACT = """
import ipywidgets
from matplotlib import pyplot as plt
from mmmodel.kernel.arches import ARCHES
from mmmodel.kernel.versions import VERSIONS
from mmmodel.show.tables import label
from mmmodel.study import at_a_glance as quick, measurements
from mmmodel.study.unmap import Unmap

def diagram(build, fig):
    for ax, b in zip(fig.subplots(1, 2), (mm.Build(build.version, "x86"), build)):
        unmap = Unmap(b, cpus=1) if b.thp else None
        ax.set_title(label(b))
        for i, name in enumerate(unmap.route if unmap else []):
            ax.text(.5, 1 - i / 9, name, ha="center", bbox={"boxstyle": "round"}, family="monospace")
        ax.bar(["HZR", "PC"], [v or 0 for v in unmap.after] if unmap else [0, 0])

def chart(build, fig):
    real = measurements.nearest(build, "map-read-unmap")
    for ax, b in zip(fig.subplots(2, 1), (build, real)):
        ax.set_title(label(b))
        rows = mm.trace(b, "map-read-unmap").rows
        for count in "huge_zero_refcount", "page_count":
            ax.step(range(len(rows)), [getattr(row, count) for row in rows], where="mid", label=count)
        ax.set_xticks(range(len(rows)), [row.op for row in rows], rotation=45, ha="right")
    found = measurements.measured(build=real, scenario="map-read-unmap")
    ax.plot(found.step, found.page_count.astype(float), "s", found.step, found.huge_zero_refcount.astype(float), "o")
    ax.legend()

def view(version, arch, swap, q4):
    build = mm.Build(version, arch, swap, patches=["q4"] * q4)
    good, headline, *_ = quick.told(quick.quick_verdicts(build))
    fig = plt.figure(figsize=(10, 6))
    fig.suptitle(f"{headline}: {label(build)}")
    DRAW(build, fig)
    plt.show()

ipywidgets.interact(view, version=list(VERSIONS), arch=sorted(ARCHES), swap=True, q4=False);
"""
CONTENDERS = {
    "interact, diagram": (INTERACT.replace("DRAW", "diagram"), 0),
    "explorer, the_bug": (EXPLORE.format("figures.the_bug"), 100),
    "explorer, gather_sequence": (EXPLORE.format("lanes.gather_sequence"), 100),
    "interact, chart": (INTERACT.replace("DRAW", "chart"), 0),
    "explorer, counters": (EXPLORE.format("lambda build: figures.beside(build, 'map-read-unmap')"), 150),
}
"""Name: source and target of the median; each is compared with the `interact` before it."""
# Changes one toggle, waits until what it shows is there, and says how long that took.
CLICK = """
async ([toggle, choice]) => {
  const visible = [...document.querySelectorAll(".jp-OutputArea")].filter(e => e.offsetParent);
  const area = visible.find(e => e.querySelector("select, input"));
  const select = [...area.querySelectorAll("select")].find(e => [...e.options].some(o => o.text === choice));
  const ticks = [...area.querySelectorAll("label:has(input)")];
  const tick = !select && ticks.find(e => e.textContent.trim().replace(/^\\d+\\. /, "") === (choice || toggle));
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
    """What to toggle: (name, the choice or nothing for a tick), the same for everyone."""
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
    clicks, usual = toggles(options.toggles + WARM_UP), 1.0
    heads = "".join(f"{head:>9}" for head in ("median", "p95", "max", "target", "ratio"))
    print(f"{'ms from click to repaint':28}{heads}   {len(clicks) - WARM_UP} toggles")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=options.chromium, args=CHROMIUM)
        with served(Path(folder) / "log", *lab_options(folder)) as (url, _):
            for name, (source, target) in CONTENDERS.items():
                path = write_notebook(Path(folder) / f"{name.replace(', ', '-')}.ipynb", cell("code", "shown", source))
                times = measure(browser, url, path, clicks)
                middle, p95 = statistics.median(times), statistics.quantiles(times, n=20)[-1]
                usual = usual if target else middle
                print(f"{name:28}{middle:9.0f}{p95:9.0f}{max(times):9.0f}{target or '':9}{middle / usual:9.2f}")
        browser.close()


if __name__ == "__main__":
    main()
