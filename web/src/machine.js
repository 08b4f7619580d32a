// Workers that run the model: one at work, one that waits, so that a stopped one is replaced at once.
const QUIET = 20_000; // milliseconds: of a patch that lets nothing be heard for so long no end is in sight

const files = () => Object.fromEntries(["wasm", "stdlib", "model"].map((id) => [id, document.getElementById(id).text]));
const code = (async () => {
  if (document.readyState === "loading") await new Promise((done) => addEventListener("DOMContentLoaded", done));
  const packed = Uint8Array.from(atob(document.getElementById("worker").text), (c) => c.charCodeAt(0));
  const plain = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return URL.createObjectURL(new Blob([await new Response(plain).text()], { type: "text/javascript" }));
})();

async function machine() {
  const worker = new Worker(await code);
  await new Promise((ready, failed) => {
    worker.onmessage = ({ data }) => (data.ready ? ready() : failed(new Error(data.failed)));
    worker.onerror = (event) => failed(new Error(event.message || "the worker does not start"));
    worker.postMessage({ files: files() });
  });
  return worker;
}

let current = machine();
let spare;
export const ready = current.then(() => (spare = machine()) && true);
let queue = Promise.resolve();
let end = () => {};

function unanswered(what) {
  return { status: "undecided", broken: "", what, states: 0, seconds: 0, error: "", unanswered: true };
}

async function put(kind, source, question, heard) {
  const worker = await current;
  return new Promise((done) => {
    let timer;
    const began = performance.now();
    const finish = (answer) => (clearTimeout(timer), (end = () => {}), done(answer));
    end = (what) => {
      worker.terminate();
      current = spare ?? machine();
      spare = machine();
      finish({ ...unanswered(what), seconds: (performance.now() - began) / 1000 });
    };
    const wait = () => (clearTimeout(timer), (timer = source && setTimeout(end, QUIET, "nothing was heard for 20 s: a patch that does not return?")));
    worker.onmessage = ({ data }) => {
      if ("states" in data) return wait(), heard?.(data.states);
      if (data.answer) return finish(data.answer);
      end(`Python gave up: ${data.failed}`);
    };
    wait();
    worker.postMessage({ kind, source, question });
  });
}

// Questions wait for each other. `wanted` is asked when it is their turn.
export function ask(kind, source, question, { heard, wanted = () => true } = {}) {
  const turn = queue.then(() => (wanted() ? put(kind, source, question, heard) : unanswered("not asked")));
  queue = turn.catch(() => {});
  return turn;
}

export const stop = (what = "stopped by you") => end(what);

// What scripts and tests use.
export async function check(source, question = {}) {
  const { status, broken, what, states, seconds, error } = await ask("verdict", String(source ?? ""), question);
  return { status, broken, what, states, seconds, error };
}
