// What is toggled: in the page's fragment, as far as it differs from the start.
export const choices = JSON.parse(document.getElementById("choices").text);

export const TEMPLATE = `class MyFix(mm.Patch):
    """The idea, in one line: ask before dropping the page's own count."""

    file = "mm/swap_state.c"

    def free_page_and_swap_cache(self, page):
        if self.is_huge_zero_page(page):
            self.put_huge_zero_page()
        else:
            super().free_page_and_swap_cache(page)
`;
const BUILD = { version: "v4.6", arch: "s390", swap: true, thp: null, debug_vm: false, patches: [], mine: false };
const START = { a: BUILD, b: { ...BUILD, mine: true }, compare: true, scenario: "map-read-unmap", cpus: null, memory: "sc", source: TEMPLATE };

const difference = (value, start) =>
  Object.fromEntries(
    Object.entries(value)
      .map(([name, v]) => [name, name === "a" || name === "b" ? difference(v, start[name]) : v])
      .filter(([name, v]) => JSON.stringify(v) !== JSON.stringify(name === "a" || name === "b" ? {} : start[name])),
  );

function sound(build, start) {
  const given = { ...start, ...Object(build) };
  return {
    version: choices.version.includes(given.version) ? given.version : start.version,
    arch: Object.hasOwn(choices.arch, given.arch) ? given.arch : start.arch,
    swap: Boolean(given.swap),
    thp: given.thp === null ? null : Boolean(given.thp),
    debug_vm: Boolean(given.debug_vm),
    patches: [...new Set(Array.isArray(given.patches) ? given.patches : [])].filter((p) => Object.hasOwn(choices.patches, p)),
    mine: Boolean(given.mine),
  };
}

export function read() {
  let given = {};
  try {
    given = Object(JSON.parse(decodeURIComponent(location.hash.slice(1)) || "{}"));
  } catch {
    // a link that was cut short: the start
  }
  return {
    a: sound(given.a, START.a),
    b: sound(given.b, START.b),
    compare: Boolean(given.compare ?? START.compare),
    scenario: String(given.scenario ?? START.scenario),
    cpus: Number.isInteger(given.cpus) ? given.cpus : null,
    memory: choices.memory.includes(given.memory) ? given.memory : START.memory,
    source: String(given.source ?? START.source),
  };
}

export const fragment = (state) => `#${encodeURIComponent(JSON.stringify(difference(state, START)))}`;

export const names = (state) => (state.compare ? ["a", "b"] : ["a"]);
export const source = (state, name) => (state[name].mine ? state.source : "");
export function question(state, name, scenario) {
  const { mine, ...toggles } = state[name];
  const cpus = choices.concurrent.includes(scenario) ? state.cpus : null;
  return scenario ? { ...toggles, scenario, cpus, memory: state.memory } : toggles;
}
