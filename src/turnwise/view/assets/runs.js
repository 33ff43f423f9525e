// All runs: one row each, sortable, kept up to date.

import { get } from "./api.js";
import { empty, fill, h, say, step } from "./dom.js";
import { ago, count, number, tone } from "./format.js";
import { note, to, visited } from "./router.js";

const REFRESH_MS = 5000;
const STATUS = { running: "running", done: "done", stopped: "stopped", episodes: "episodes only" };

// name of the column, what it is sorted by, what it shows
const COLUMNS = [
  ["Run", (run) => run.name, name],
  ["Environment", (run) => run.env ?? "", (run) => run.env ?? "–"],
  ["Algorithm", (run) => run.algorithm ?? "", (run) => run.algorithm ?? "–"],
  ["Model", (run) => run.model ?? "", (run) => run.model ?? "–"],
  ["Seed", (run) => run.seed ?? -1, (run) => number(run.seed), "number"],
  ["Steps", (run) => run.step ?? -1, progress],
  ["Result", (run) => run.headline?.value ?? -Infinity, headline, "number"],
  ["Games", (run) => run.games ?? -1, (run) => number(run.games), "number"],
  ["Status", (run) => run.status, status],
  ["Last change", (run) => run.updated ?? 0, (run) => ago(run.updated), "number"],
];

export async function page(root, params, app) {
  app.title("Runs");
  const table = h("div");
  const counted = h("span", { class: "muted" });
  fill(root, h("div", { class: "heading" }, h("h1", {}, "Runs"), counted), table);
  let sort = params.query.get("sort") ?? "Last change";
  let down = params.query.get("desc") !== "0";
  let runs = [];

  const draw = () => {
    const column = COLUMNS.find(([title]) => title === sort) ?? COLUMNS.at(-1);
    const rows = [...runs].sort((a, b) => (down ? -1 : 1) * compare(column[1](a), column[1](b)));
    const focused = table.contains(document.activeElement) ? document.activeElement.id : null;
    counted.textContent = runs.length ? count(runs.length, "run") : "";
    fill(table, runs.length ? grid(rows, sort, down, order) : nothing());
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  };
  const order = (title) => {
    down = title === sort ? !down : true;
    sort = title;
    note({ sort, desc: down ? "" : "0" });
    draw();
    say(`sorted by ${title}, ${down ? "largest first" : "smallest first"}`);
  };
  const load = async () => {
    runs = (await get("runs", app.signal)).runs;
    draw();
  };
  const links = () => table.querySelectorAll("tbody a");
  app.keys([
    { keys: ["j", "ArrowDown"], text: "next run", run: () => step(links(), 1) },
    { keys: ["k", "ArrowUp"], text: "previous run", run: () => step(links(), -1) },
  ]);
  await load();
  if (visited.run) document.getElementById(`run-${visited.run}`)?.focus();
  app.every(REFRESH_MS, () => load().catch(() => {}));
}

function grid(runs, sort, down, order) {
  const head = COLUMNS.map(([title, , , kind], i) =>
    h("th", { class: kind, scope: "col", "aria-sort": title === sort ? (down ? "descending" : "ascending") : null },
      h("button", { type: "button", id: `sort-${i}`, click: () => order(title) }, title, title === sort ? (down ? " ↓" : " ↑") : "")));
  const row = (run) => h("tr", { "data-run": run.id }, COLUMNS.map(([, , shown, kind]) => h("td", { class: kind }, shown(run))));
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Table of runs" }, h("table", { "aria-label": "Runs" }, h("thead", {}, h("tr", {}, head)), h("tbody", {}, runs.map(row))));
}

function name(run) {
  const place = run.status === "episodes" ? to("run", run.id, "episodes") : to("run", run.id);
  return [
    h("a", { href: place, id: `run-${run.id}` }, run.name),
    run.alerts ? h("span", { class: "chip warn beside" }, count(run.alerts, "alert")) : null,
    h("small", {}, run.path),
  ];
}

function progress(run) {
  if (run.step === null || run.step === undefined) return "–";
  const part = run.steps ? Math.min(1, run.step / run.steps) : 0;
  return [
    run.steps ? h("span", { class: "progress", "aria-hidden": "true" }, h("i", { vars: { "--part": part } })) : null,
    run.steps ? `${number(run.step)} of ${number(run.steps)}` : number(run.step),
  ];
}

function headline(run) {
  return run.headline ? [number(run.headline.value), h("small", {}, run.headline.name)] : "–";
}

function status(run) {
  return h("span", { class: `chip ${tone(run.status)}` }, STATUS[run.status] ?? run.status);
}

function compare(a, b) {
  return typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), "en", { numeric: true });
}

function nothing() {
  return empty(
    h("p", {}, "There are no runs here yet."),
    h("p", {}, "Train one with ", h("code", {}, "turnwise train env=kuhn_poker"), "; it appears on this page by itself."));
}
