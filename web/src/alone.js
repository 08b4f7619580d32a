// From a file, browsers start classic workers only; Pyodide asks for another kind, but needs it to load files only.
self.importScripts = () => {
  throw new Error("everything is in the page");
};
