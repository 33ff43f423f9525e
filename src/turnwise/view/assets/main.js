// The shell around the pages: address -> page, top bar, theme, keys.
//
// A page is a module that exports `page(root, params, app)`, which may be async:
//   root    the element to fill, with `fill` and `h` of dom.js (text nodes only, never markup); says "Loading" until then
//   params  the parts of the address by name (id, key, group, sid), and `query`, a URLSearchParams
//   app     signal            aborted when the page is left: hand it to get() and to listeners
//           title(text, up)   the title of the document, and the way back: [[text, address], ...], outermost first
//           keys(list)        [{keys: ["j"], text: "next row", run: event => ...}], while the page is open
//           every(ms, task)   runs an async task again and again while the page is open and visible; stop by `false`
// An error that `page` throws is shown as a sentence. A page keeps what it shows in the address by note() of router.js.

import { failure, fill, h, loading } from "./dom.js";
import * as keys from "./keys.js";
import { match, visited } from "./router.js";

const PAGES = {
  runs: () => import("./runs.js"),
  run: () => import("./run.js"),
  episodes: () => import("./episodes.js"),
  episode: () => import("./episode.js"),
  tree: () => import("./tree.js"),
  diff: () => import("./diff.js"),
  play: () => import("./play.js"),
};

const content = document.getElementById("content");
let leave = new AbortController();
let back = "#/";

async function show() {
  leave.abort();
  const here = new AbortController();
  leave = here;
  const found = match(location.hash);
  const root = h("div", { class: `page page-${found?.name ?? "none"}` }, loading());
  const first = !content.firstChild;
  fill(content, root);
  scrollTo(0, 0);
  if (!first) content.focus({ preventScroll: true });
  mark(found?.name === "play" ? "play" : "runs");
  const app = context(here.signal);
  if (!found) {
    app.title("Nothing here");
    fill(root, h("h1", {}, "Nothing here"), h("p", {}, "No page has this address. ", h("a", { href: "#/" }, "All runs"), "."));
    return;
  }
  try {
    const module = await PAGES[found.name]();
    if (here.signal.aborted) return;
    await module.page(root, found.params, app);
    visited.run = found.params.id ?? visited.run;
    visited.episode = found.params.key ?? visited.episode;
  } catch (error) {
    if (here.signal.aborted || error.name === "AbortError") return;
    fill(root, failure(error, show));
  }
}

function context(signal) {
  return {
    signal,
    keys: (list) => keys.bind(list, signal),
    title(text, up = []) {
      document.title = text === "turnwise" ? text : `${text} · turnwise`;
      back = up.length ? up.at(-1)[1] : "#/";
      fill(document.getElementById("crumbs"), up.map(([name, address]) => [h("a", { href: address }, name), h("span", { "aria-hidden": "true" }, "/")]),
        up.length ? h("span", { "aria-current": "page" }, text) : null);
    },
    async every(milliseconds, task) {
      while (!signal.aborted) {
        await new Promise((done) => setTimeout(done, milliseconds));
        if (signal.aborted) return;
        if (!document.hidden && (await task()) === false) return;
      }
    },
  };
}

function mark(name) {
  for (const link of document.querySelectorAll("[data-nav]")) {
    if (link.dataset.nav === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

function dark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

function switchTheme() {
  const next = dark() ? "light" : "dark";
  document.documentElement.dataset.theme = next;
  try { localStorage.setItem("turnwise-theme", next); } catch { /* kept for this page only */ }
  nameTheme();
}

function nameTheme() {
  const button = document.getElementById("theme");
  button.textContent = dark() ? "Light" : "Dark";
  button.setAttribute("aria-label", `Switch to the ${dark() ? "light" : "dark"} theme`);
}

document.getElementById("theme").addEventListener("click", switchTheme);
document.getElementById("help").addEventListener("click", keys.help);
document.getElementById("skip").addEventListener("click", (event) => { event.preventDefault(); content.focus(); });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", nameTheme);
addEventListener("hashchange", show);
keys.bind([
  { keys: ["?"], text: "these keys", run: keys.help },
  { keys: ["Escape"], text: "back, one level up", run: () => { location.hash = back; } },
  { keys: ["t"], text: "dark or light", run: switchTheme },
]);
keys.start();
nameTheme();
show();
