// The editor of the reader's patch.
import { basicSetup } from "codemirror";
import { EditorView, keymap } from "@codemirror/view";
import { Prec } from "@codemirror/state";
import { indentUnit, HighlightStyle, syntaxHighlighting } from "@codemirror/language";
import { python } from "@codemirror/lang-python";
import { tags } from "@lezer/highlight";

const colours = HighlightStyle.define([
  { tag: [tags.keyword, tags.operatorKeyword], color: "var(--link)" },
  { tag: tags.string, color: "var(--good)" },
  { tag: tags.comment, color: "var(--mute)" },
  { tag: [tags.number, tags.bool], color: "var(--pc)" },
]);

const look = EditorView.theme({
  "&": { fontSize: "14px", border: "1px solid var(--line)", borderRadius: "4px", maxHeight: "60vh" },
  "&.cm-focused": { outline: "2px solid var(--link)" },
  ".cm-content": { fontFamily: "ui-monospace, monospace", caretColor: "var(--fg)" },
  ".cm-cursor": { borderLeftColor: "var(--fg)" },
  ".cm-gutters": { background: "var(--soft)", color: "var(--mute)", border: "none" },
  ".cm-activeLine, .cm-activeLineGutter": { background: "var(--active)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": { background: "var(--select)" },
  ".cm-tooltip, .cm-panels": { background: "var(--soft)", color: "var(--fg)" },
});

export function editor(parent, source, { changed, run }) {
  const view = new EditorView({
    parent,
    doc: source,
    extensions: [
      Prec.highest(keymap.of([{ key: "Mod-Enter", run: () => (run(), true) }])),
      basicSetup, python(), indentUnit.of("    "), look, syntaxHighlighting(colours),
      EditorView.contentAttributes.of({ "aria-label": "Your patch, in Python" }),
      EditorView.updateListener.of((update) => update.docChanged && changed(update.state.doc.toString())),
    ],
  });
  return (text) => view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text } });
}
