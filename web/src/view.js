// What is shown of answers: the table of verdicts, witnesses, counters.
import * as Plot from "@observablehq/plot";
import { choices, names } from "./state.js";
import { drawing, el } from "./dom.js";

const SIGN = { holds: "✓", broken: "✗", undecided: "?", error: "✗" };
const LOOK = { holds: "good", broken: "bad", undecided: "open", error: "bad" };
const many = (n, word) => `${n.toLocaleString("en")} ${word}${n === 1 ? "" : "s"}`;

export function told(answer) {
  if (!answer) return "";
  if (answer.lacking) return `– ${answer.lacking}`;
  const { status, broken, what, reason, states, error } = answer;
  const said = { holds: states ? ` in ${many(states, "state")}` : "", broken: `: ${broken}`, undecided: `: ${reason || what}`, error: `: ${error}` };
  return `${SIGN[status]} ${status}${said[status]}`;
}

const cell = (answer) => el("td", { class: answer && LOOK[answer.status], title: answer?.what }, told(answer) || "…");

export function table(state, labels, rows, answers, pick) {
  const shown = names(state);
  const head = ["scenario", ...shown.map((name) => labels[name] ?? "…"), ...(shown.length > 1 ? [""] : [])];
  const lines = rows.map((scenario) => {
    const found = shown.map((name) => answers[name]?.[scenario]);
    const differs = found.every(Boolean) && new Set(found.map((a) => a.status)).size > 1;
    const here = scenario === state.scenario;
    const button = el("button", { onclick: () => pick(scenario), "aria-pressed": String(here), title: choices.scenarios[scenario], "data-scenario": scenario }, scenario);
    return el("tr", { class: here ? "here" : null }, el("th", { scope: "row" }, button), ...found.map(cell),
      ...(shown.length > 1 ? [el("td", differs ? { title: "the two differ", "aria-label": "differs" } : {}, differs ? "≠" : "")] : []));
  });
  return [el("thead", {}, el("tr", {}, ...head.map((words) => el("th", { scope: "col" }, words)))), el("tbody", {}, ...lines)];
}

function chart(counters, sequential) {
  const rows = counters.flatMap(([op, hzr, pc], step) => [{ step, op, counter: "HZR", value: hzr }, { step, op, counter: "PC", value: pc }]);
  const known = rows.filter((row) => row.value !== null);
  const values = known.map((row) => row.value);
  const few = counters.length <= 24;
  const named = few && sequential;
  const x = { label: sequential ? "operation" : "step of the witness", domain: [0, counters.length - 1], tickRotate: named ? -40 : 0,
    ticks: few ? counters.length : 10, tickFormat: (i) => (named ? (counters[i]?.[0] ?? "") : i + !sequential) };
  const y = { label: null, grid: true, nice: true, ticks: Math.max(1, Math.min(5, Math.max(...values) - Math.min(0, ...values))), tickFormat: "d" };
  const style = { counter: { HZR: "var(--hzr)", PC: "var(--pc)" } };
  const marks = { x: "step", y: "value", stroke: (row) => style.counter[row.counter], z: "counter" };
  const figure = Plot.plot({
    width: 560, height: named ? 280 : 220, marginBottom: named ? 100 : 40, marginLeft: 36, marginRight: 40, x, y,
    style: { background: "none", fontSize: "12px" },
    ariaLabel: `Counters over ${many(counters.length, "operation")}: HZR ends at ${counters.at(-1)[1]}, PC at ${counters.at(-1)[2]}`,
    marks: [
      Plot.ruleY([0], { strokeOpacity: 0.5 }),
      Plot.lineY(rows, { ...marks, curve: "step-after", strokeWidth: 2 }),
      Plot.dot(known, { ...marks, symbol: (row) => (row.counter === "HZR" ? "circle" : "square"), r: few ? 4 : 1.5,
        title: (row) => `${row.step}: ${row.op}: ${row.counter} ${row.value}` }),
      Plot.text(known, Plot.selectLast({ ...marks, stroke: null, fill: (row) => style.counter[row.counter], text: "counter", dx: 8, textAnchor: "start", fontWeight: "bold" })),
    ],
  });
  return el("figure", {}, figure, el("figcaption", {}, "○ HZR: huge_zero_refcount. □ PC: the page's own count."));
}

export function picture(name, answer, label, sequential) {
  const said = el("p", { class: LOOK[answer.status] }, `${told(answer)}${answer.broken ? `: ${answer.what}` : ""}`);
  const notes = (answer.notes ?? []).map((note) => el("p", { class: "small" }, note));
  const charted = answer.counters?.length > 1 ? [chart(answer.counters, sequential)] : [];
  const lanes = answer.lanes && answer.broken ? [el("div", { class: "lanes", tabindex: 0, "aria-label": "witness" }, ...drawing(answer.lanes))] : [];
  return el("article", { "data-build": name }, el("h3", {}, label), said, ...notes, ...charted, ...lanes);
}

export function mail(state, labels, described, rows, answers) {
  const parts = names(state).map((name) => [
    labels[name], described[name]?.python ?? "", "",
    ...rows.map((scenario) => `  ${scenario.padEnd(26)}${told(answers[name]?.[scenario]) || "not checked"}`), "",
  ].join("\n"));
  const own = names(state).some((name) => state[name].mine) ? ["The patch:", "", state.source.replace(/^/gm, "    ").trimEnd(), ""] : [];
  return [`Verdicts over ${many(rows.length, "scenario")}, memory ${state.memory}:`, "", ...parts, ...own, `-- \n${choices.made}`].join("\n");
}
