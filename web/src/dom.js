// Elements from values: text is always text.
export const $ = (id) => document.getElementById(id);

export function el(name, attributes = {}, ...content) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key in element && typeof value === "boolean") element[key] = value;
    else if (value !== null && value !== undefined) element.setAttribute(key, value);
  }
  element.append(...content);
  return element;
}

export const select = (label, options, value, onchange, attributes = {}) => {
  const list = el("select", { onchange: () => onchange(list.value), "aria-label": label, ...attributes });
  list.append(...options.map(([option, words, title]) => el("option", { value: option, title, selected: option === value }, words)));
  return list;
};

export const tick = (words, checked, onchange, title) => {
  const box = el("input", { type: "checkbox", "aria-label": words, checked, onchange: () => onchange(box.checked) });
  return el("label", { title }, box, ` ${words}`);
};

const DRAWN = new Set(["svg", "g", "rect", "path", "text", "title", "desc", "p", "b"]);
const LOOK = /^(aria-label|class|d|fill|font-.*|height|opacity|role|rx|stroke.*|style|text-anchor|transform|viewBox|width|x|y)$/;

// A drawing that the model made: shapes and words, and nothing else, whatever a patch did to the model.
export function drawing(html) {
  const parsed = new DOMParser().parseFromString(html, "text/html").body;
  for (const element of [...parsed.querySelectorAll("*")]) {
    if (!DRAWN.has(element.localName)) element.remove();
    for (const { name } of [...element.attributes]) if (!LOOK.test(name)) element.removeAttribute(name);
  }
  return [...parsed.childNodes];
}

// Words of the glossary say what they mean when they are pointed at.
export function explained(element, glossary) {
  const meaning = Object.fromEntries(glossary.map(([word, said]) => [word.toLowerCase(), said]));
  const words = Object.keys(meaning).sort((a, b) => b.length - a.length);
  if (!words.length) return;
  const any = new RegExp(`(?<![\\w-])(${words.map((w) => w.replace(/[^\w\s]/g, "\\$&")).join("|")})(?![\\w-])`, "i");
  const walk = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  const texts = [];
  while (walk.nextNode()) texts.push(walk.currentNode);
  for (const text of texts.filter((t) => !t.parentElement.closest("option, abbr, button, textarea, pre, svg, .cm-editor"))) {
    const parts = text.data.split(any);
    const marked = (part, i) => (i % 2 ? el("abbr", { title: meaning[part.toLowerCase()] }, part) : part);
    if (parts.length > 1) text.replaceWith(...parts.map(marked));
  }
}
