// The page: what is toggled, what is asked, what is shown.
import { $, el, explained } from "./dom.js";
import { ask, check, ready, stop } from "./machine.js";
import { choices, fragment, names, question, read, source, TEMPLATE } from "./state.js";
import { controls } from "./controls.js";
import { editor } from "./editor.js";
import * as view from "./view.js";

window.mmmodel = { check, ready, stop };

let state = read();
let asking = state; // what the answers are about: the editor may be ahead of it
let turn = 0; // a later run makes an earlier one stop asking
let described = {};
let answers = {};
let busy = false;

const rows = () => [...new Set(names(state).flatMap((name) => Object.keys(described[name]?.scenarios ?? choices.scenarios)))];
const labels = () => Object.fromEntries(["a", "b"].map((name) => [name, described[name]?.label]));
const say = (words) => ($("status").textContent = words);
const later = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

function show() {
  const focused = document.activeElement?.dataset.scenario;
  $("verdicts").replaceChildren(...view.table(state, labels(), rows(), answers, pick));
  if (focused) $("verdicts").querySelector(`[data-scenario="${CSS.escape(focused)}"]`)?.focus();
}

function showControls() {
  const focused = document.activeElement?.getAttribute("aria-label");
  const within = document.activeElement?.closest("fieldset")?.dataset.build;
  const titles = state.compare ? { a: "Build A", b: "Build B" } : { a: "Build" };
  $("builds").replaceChildren(...names(state).map((name) => {
    const set = controls(titles[name], state[name], (more) => update({ [name]: { ...state[name], ...more } }));
    set.dataset.build = name;
    return set;
  }));
  if (within) document.querySelector(`[data-build="${within}"] [aria-label="${focused}"]`)?.focus();
  $("compare").checked = state.compare;
  $("cpus").value = state.cpus ?? "";
  $("memory").value = state.memory;
  explained($("ask"), choices.glossary);
}

function keep() {
  history.replaceState(null, "", fragment(state));
  $("printed").textContent = state.source;
}

function update(more) {
  state = { ...state, ...more };
  showControls();
  keep();
  return run();
}

async function pick(scenario) {
  state = { ...state, scenario };
  keep();
  show();
  await pictures(turn);
}

// What a run that is not wanted any more is doing: given a moment, then stopped.
async function released(mine) {
  let over = false;
  const idle = ask("none", "", {}, { wanted: () => false }).then(() => (over = true));
  await Promise.race([idle, later(700)]);
  if (!over && mine === turn) stop("something else was asked");
}

async function run() {
  const mine = ++turn;
  const wanted = () => mine === turn;
  asking = state;
  answers = { a: {}, b: {} };
  described = {};
  $("error").hidden = true;
  busy = true;
  $("stop").disabled = false;
  await ready;
  await released(mine);
  const began = performance.now();
  for (const name of names(asking)) {
    const found = await ask("described", source(asking, name), question(asking, name), { wanted });
    if (!wanted()) return;
    if (found.status) return finish(found.error || found.what);
    described[name] = found;
  }
  show();
  const scenarios = rows();
  if (!scenarios.includes(state.scenario)) state.scenario = scenarios[0];
  const order = [state.scenario, ...scenarios.filter((s) => s !== state.scenario)];
  const todo = order.flatMap((scenario) => names(asking).map((name) => [scenario, name]));
  $("progress").max = todo.length;
  let done = 0;
  for (const [scenario, name] of todo) {
    if (!wanted()) return;
    const lacking = described[name].scenarios[scenario];
    const heard = (n) => say(`${scenario}: ${n.toLocaleString("en")} states …`);
    $("progress").value = done++;
    say(`${scenario} (${done} of ${todo.length}) …`);
    const found = lacking === ""
      ? await ask("verdict", source(asking, name), question(asking, name, scenario), { heard, wanted })
      : { lacking: lacking ?? "the build has no such scenario" };
    if (!wanted()) return;
    answers[name][scenario] = found;
    show();
    if (scenario === state.scenario && name === names(asking).at(-1)) await pictures(mine);
    if (found.unanswered) return finish(found.what);
  }
  $("progress").value = done;
  finish("", `${scenarios.length} scenarios checked in ${((performance.now() - began) / 1000).toFixed(1)} s`);
}

function halt() {
  turn += 1;
  stop();
  finish("stopped by you");
}

function finish(error, words = "") {
  busy = false;
  $("stop").disabled = true;
  $("error").hidden = !error;
  $("error").textContent = error;
  say(words || error);
  if (error) show();
}

async function pictures(mine) {
  const scenario = state.scenario;
  $("scenario").textContent = scenario;
  $("says").textContent = choices.scenarios[scenario] ?? "";
  const shown = [];
  for (const name of names(asking)) {
    const known = answers[name]?.[scenario];
    if (!known || known.lacking || known.unanswered) continue;
    const wanted = () => mine === turn && scenario === state.scenario;
    const found = await ask("picture", source(asking, name), question(asking, name, scenario), { wanted });
    if (!wanted()) return;
    shown.push(view.picture(name, found, described[name].label, described[name].sequential.includes(scenario)));
  }
  $("pictures").replaceChildren(...shown);
  explained($("pictures"), choices.glossary);
}

async function copy(text) {
  $("copied").hidden = false;
  $("copied").value = text;
  $("copied").select();
  await navigator.clipboard?.writeText(text).catch(() => {}); // then it stands there, selected
}

const cpus = () => question(asking, "a", state.scenario).cpus;
const own = () => names(asking).some((name) => asking[name].mine);
const TEXTS = {
  link: () => location.href,
  python: () => {
    const how = Object.entries({ cpus: cpus(), memory: asking.memory }).map(([name, v]) => (v ? `, ${name}=${JSON.stringify(v)}` : ""));
    const code = names(asking).map((name) => `mm.check(${described[name]?.python}, ${JSON.stringify(state.scenario)}${how.join("")})`);
    return ["import mmmodel as mm", ...(own() ? ["", "", asking.source, ""] : [""]), ...code, ""].join("\n");
  },
  command: () => {
    const how = `${cpus() ? ` --cpus ${cpus()}` : ""} --memory ${asking.memory}`;
    const lines = names(asking).map((name) => `${described[name]?.command.replace("verdict", `verdict ${state.scenario}`)}${how}`);
    return [...(own() ? ["# fix.py: your patch, after `import mmmodel as mm`"] : []), ...lines, ""].join("\n");
  },
  mail: () => view.mail(asking, labels(), described, rows(), answers),
};

function wire() {
  $("cpus").append(...["", 2, 3, 4, 5, 6, 7, 8].map((n) => el("option", { value: n }, n ? `${n}` : "as the scenario")));
  $("memory").append(...choices.memory.map((order) => el("option", { value: order }, order)));
  $("cpus").onchange = () => update({ cpus: Number($("cpus").value) || null });
  $("memory").onchange = () => update({ memory: $("memory").value });
  $("compare").onchange = () => update({ compare: $("compare").checked });
  $("check").onclick = run;
  $("stop").onclick = halt;
  addEventListener("keydown", (event) => event.key === "Escape" && busy && halt());
  for (const [id, text] of Object.entries(TEXTS)) $(id).onclick = () => copy(text());
  const changed = (text) => ((state = { ...state, source: text }), keep(), say("Edited: Ctrl+Enter checks it."));
  const write = editor($("editor"), state.source, { changed, run });
  $("template").onclick = () => (write(TEMPLATE), run());
  addEventListener("hashchange", () => ((state = read()), write(state.source), update({})));
}

wire();
showControls();
show();
keep();
run().catch((error) => say(`The model does not start: ${error.message}`));
