// What moves on a page without a kernel: the frames of a stepper, and predictions. Without this all of it can be read.
"use strict";
const made = (name, properties, ...children) => {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
};

// The folded frames become one that is shown at a time; those that were shown in their place are for paper.
function stepped(fold) {
  const frames = [...fold.children].slice(1), last = frames.length - 1;
  let at = 0;
  const button = (words, by) => made("button", { type: "button", onclick: () => show(at + by) }, words);
  const slider = made("input", { type: "range", min: 0, max: last, ariaLabel: "step", oninput: () => show(+slider.value) });
  const show = (to) => {
    at = Math.min(Math.max(to, 0), last);
    slider.value = at;
    frames.forEach((frame, i) => frame.classList.toggle("now", i === at));
  };
  const bar = made("p", { className: "bar" }, button("◀ back", -1), slider, button("next ▶", 1));
  bar.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (by && event.target !== slider) show(at + by);
  });
  fold.previousElementSibling?.classList.add("paper");
  fold.replaceWith(made("div", { className: "mm-stepper" }, bar, made("div", { className: "frames", ariaLive: "polite" }, ...frames)));
  show(0);
}

// The answer stays folded away until one of the options was chosen.
function predicted(question) {
  const fold = question.querySelector("details"), answer = fold?.querySelector("b")?.textContent;
  if (!answer) return;
  const said = made("p", { role: "alert" });
  for (const option of question.querySelectorAll("li")) {
    const words = option.textContent;
    const choose = () => {
      const good = words === answer;
      const verdict = made("b", { className: good ? "good" : "bad" }, good ? "✓ right" : "✗ no");
      said.replaceChildren(verdict, `: you said “${words}”.`, good ? "" : ` It is: ${answer}.`);
      fold.hidden = false;
      fold.open = true;
    };
    option.replaceChildren(made("button", { type: "button", onclick: choose }, words));
  }
  fold.hidden = true;
  fold.before(said);
}

document.addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll("details.mm-steps").forEach(stepped);
  document.querySelectorAll(".mm-predict").forEach(predicted);
});
