// Run by node when the page is built: node prepare.mjs PYODIDE FOLDER. There are prepare.py, stdlib.zip and model.zip.
import { readFileSync, writeFileSync } from "node:fs";

const [pyodide, folder] = process.argv.slice(2);
const { loadPyodide } = await import(`${pyodide}/pyodide.mjs`);
const python = await loadPyodide();
for (const name of ["stdlib", "model"]) python.FS.writeFile(`/tmp/${name}.zip`, readFileSync(`${folder}/${name}.zip`));
python.runPython(readFileSync(new URL("prepare.py", import.meta.url), "utf8"));
for (const name of ["stdlib", "model"]) writeFileSync(`${folder}/${name}.zip`, python.FS.readFile(`/tmp/new/${name}.zip`));
