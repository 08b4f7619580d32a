// The model's own Python, in WebAssembly: everything it needs comes in the first message.
import "./alone.js";
import { loadPyodide } from "pyodide";
import createPyodideModule from "pyodide/pyodide.asm.mjs";
import { info } from "pyodide/pyodide-lock.json";

async function unpacked(text) {
  const bytes = Uint8Array.fromBase64?.(text) ?? Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
}

async function start({ wasm, stdlib, model }) {
  const files = { wasm: unpacked(wasm), zip: unpacked(stdlib) };
  self.fetch = async (url) => {
    const kind = String(url).split(".").pop();
    return new Response(await files[kind], { headers: { "Content-Type": `application/${kind}` } });
  };
  const python = await loadPyodide({
    createPyodideModule,
    indexURL: "https://page.invalid/",
    lockFileContents: { info, packages: {} },
    packageBaseUrl: "https://page.invalid/",
    stdLibURL: "https://page.invalid/python_stdlib.zip",
  });
  python.unpackArchive(await unpacked(model), "zip", { extractDir: "/lib/python3.14/site-packages" });
  return python.pyimport("mmmodel.report.inside").reply;
}

let answer;
self.onmessage = async ({ data }) => {
  try {
    if (data.files) {
      answer = await start(data.files);
      self.postMessage({ ready: true });
    } else {
      const said = answer(data.kind, data.source, JSON.stringify(data.question), (states) => self.postMessage({ states }));
      self.postMessage({ answer: JSON.parse(said) });
    }
  } catch (error) {
    self.postMessage({ failed: String(error?.message ?? error).trim().split("\n").pop() });
  }
};
