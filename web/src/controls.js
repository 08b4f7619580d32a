// The toggles of a build, and the stack of its patches.
import { choices } from "./state.js";
import { el, select, tick } from "./dom.js";

function stack(build, change) {
  const set = (patches) => change({ patches });
  const swapped = (i) => build.patches.with(i, build.patches[i - 1]).with(i - 1, build.patches[i]);
  const items = build.patches.map((patch, i) =>
    el("li", { title: choices.patches[patch] }, `${patch} `,
      el("button", { onclick: () => set(swapped(i)), disabled: !i, "aria-label": `${patch} earlier` }, "↑"),
      el("button", { onclick: () => set(build.patches.filter((p) => p !== patch)), "aria-label": `without ${patch}` }, "✕")));
  const left = Object.entries(choices.patches).filter(([patch]) => !build.patches.includes(patch));
  const more = select("add a patch", [["", "add a patch …"], ...left.map(([patch, says]) => [patch, patch, says])], "", (patch) => set([...build.patches, patch]));
  const mine = tick("with your patch", build.mine, (on) => change({ mine: on }), "over the others");
  return el("div", { class: "stack" }, ...(items.length ? [el("ol", {}, ...items)] : []), el("p", { class: "row" }, more, mine));
}

function preset(change) {
  const options = choices.presets.map(({ preset }) => [preset, preset]);
  return select("a known build", [["", "a known build …"], ...options], "", (name) => {
    const { version, arch, swap, debug_vm, patches } = choices.presets.find((row) => row.preset === name);
    change({ version, arch, swap: swap === "y", debug_vm: debug_vm === "y", thp: null, mine: false, patches: patches.split("+").filter(Boolean) });
  });
}

export function controls(title, build, change) {
  const thp = [["", `as the arch (${choices.arch[build.arch] ? "on" : "off"})`], ["on", "on"], ["off", "off"]];
  const now = build.thp === null ? "" : build.thp ? "on" : "off";
  return el("fieldset", {}, el("legend", {}, title),
    el("p", { class: "row" }, preset(change)),
    el("p", { class: "row" },
      el("label", {}, "version ", select("version", choices.version.map((v) => [v, v]), build.version, (version) => change({ version }))),
      el("label", {}, "arch ", select("arch", Object.keys(choices.arch).map((a) => [a, a]), build.arch, (arch) => change({ arch })))),
    el("p", { class: "row" }, tick("SWAP", build.swap, (swap) => change({ swap }), "CONFIG_SWAP"),
      tick("DEBUG_VM", build.debug_vm, (debug_vm) => change({ debug_vm }), "CONFIG_DEBUG_VM"),
      el("label", { title: "CONFIG_TRANSPARENT_HUGEPAGE" }, "THP ", select("THP", thp, now, (v) => change({ thp: v ? v === "on" : null })))),
    stack(build, change));
}
