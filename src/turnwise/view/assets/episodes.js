// Episodes of one run: filters that stand in the address, one page of rows at a time from the server.

import { get, path, query } from "./api.js";
import { choice, empty, failure, field, fill, h, loading, say, step } from "./dom.js";
import { count, number, perSeat, tone } from "./format.js";
import { note, to, visited } from "./router.js";

const FILTERS = ["env", "outcome", "seat", "agent", "invalid", "step_min", "step_max", "level", "kind", "text", "sort", "desc", "page", "size"];
const OUTCOMES = ["win", "draw", "loss", "truncated", "failed"];
const SORTS = [["step", "Step"], ["return", "Return"], ["turns", "Turns"], ["tokens", "Tokens"]];

/** The address of the last list that was looked at, per run, so that a reader goes back to it. */
export const lastList = new Map();

export async function page(root, params, app) {
  const { id } = params;
  const [run, facets] = await Promise.all([get(path`runs/${id}`, app.signal), get(path`runs/${id}/facets`, app.signal)]);
  app.title("Episodes", [["Runs", "#/"], [run.name, to("run", id)]]);
  const state = Object.fromEntries(FILTERS.map((name) => [name, params.query.get(name) ?? ""]));
  const rows = h("div", { class: "rows" });
  const total = h("span", { class: "muted" });
  let asked = 0;

  const change = (name, value) => {
    state[name] = value;
    if (name !== "page") state.page = "";
    note(state, { push: name === "page" });
    load();
  };
  const load = async () => {
    const mine = ++asked;
    lastList.set(id, to("run", id, "episodes", state));
    if (!rows.firstChild) fill(rows, loading("Looking for episodes…"));
    rows.setAttribute("aria-busy", "true");
    try {
      const found = await get(path`runs/${id}/episodes` + query(state), app.signal);
      if (mine !== asked) return;
      total.textContent = found.total === facets.total ? count(found.total, "episode") : `${found.total.toLocaleString("en")} of ${count(facets.total, "episode")}`;
      fill(rows, found.total ? [table(id, found.rows, state, change), pager(found, change)] : nothing(facets.total, clear));
      say(total.textContent);
    } catch (error) {
      if (mine === asked && error.name !== "AbortError") fill(rows, failure(error, load));
    }
    rows.removeAttribute("aria-busy");
  };
  const clear = () => { location.hash = to("run", id, "episodes"); };
  const links = () => rows.querySelectorAll("tbody a[data-key]");
  const turn = (by) => rows.querySelector(`[data-turn="${by}"]:not(:disabled)`)?.click();

  fill(root, h("div", { class: "heading" }, h("h1", {}, "Episodes"), total), filters(facets, state, change, clear), rows);
  app.keys([
    { keys: ["j", "ArrowDown"], text: "next episode", run: () => step(links(), 1) },
    { keys: ["k", "ArrowUp"], text: "previous episode", run: () => step(links(), -1) },
    { keys: ["n", "ArrowRight"], text: "next page", run: () => turn(1) },
    { keys: ["p", "ArrowLeft"], text: "previous page", run: () => turn(-1) },
    { keys: ["/"], text: "search in the text", run: () => root.querySelector("[name=text]").focus() },
  ]);
  await load();
  [...links()].find((link) => link.dataset.key === visited.episode)?.focus();
}

function filters(facets, state, change, clear) {
  const some = (name, label, values, texts) => {
    if (!values?.length || (values.length < 2 && !state[name])) return null;
    return choice(label, [["", "any"], ...(texts ?? values)], state[name], (value) => change(name, value), { name });
  };
  const number_ = (name, label) => field(label, state[name], (value) => change(name, value.replace(/\D/g, "")), { name, inputmode: "numeric", placeholder: String(facets.step?.[name === "step_min" ? 0 : 1] ?? "") });
  return h("form", { class: "card filters", role: "search", "aria-label": "Filter episodes", submit: (event) => event.preventDefault() },
    field("Text of a turn", state.text, (value) => change("text", value), { name: "text", type: "search", placeholder: "any text" }),
    some("env", "Environment", facets.env_id),
    choice("Outcome", [["", "any"], ...OUTCOMES], state.outcome, (value) => change("outcome", value), { name: "outcome" }),
    some("seat", "Seat", facets.seat), some("agent", "Agent", facets.agent), some("level", "Level", facets.level), some("kind", "Kind", facets.kind),
    choice("Invalid replies", [["", "any"], ["1", "at least one"], ["0", "none"]], state.invalid, (value) => change("invalid", value), { name: "invalid" }),
    facets.step ? h("div", { class: "range" }, number_("step_min", "From step"), number_("step_max", "To step")) : null,
    h("button", { type: "button", class: "quiet", click: clear }, "Clear filters"));
}

function table(id, rows, state, change) {
  const sorted = state.sort || "step";
  const down = state.desc !== "0";
  const sortable = new Map(SORTS.map(([name, title]) => [title, name]));
  const order = (name) => {
    state.desc = name === sorted && down ? "0" : "1";
    change("sort", name);
  };
  const head = [["Episode"], ["Step", "number"], ["Environment"], ["Seats"], ["Outcome"], ["Return"], ["Turns", "number"], ["Tokens", "number"], ["Invalid", "number"], ["Kind"]]
    .map(([title, kind]) => {
      const name = sortable.get(title);
      const mine = name === sorted;
      return h("th", { class: kind, scope: "col", "aria-sort": mine ? (down ? "descending" : "ascending") : null },
        name ? h("button", { type: "button", click: () => order(name) }, title, mine ? (down ? " ↓" : " ↑") : "") : title);
    });
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Table of episodes" }, h("table", { "aria-label": "Episodes" }, h("thead", {}, h("tr", {}, head)), h("tbody", {}, rows.map((row) => line(id, row)))));
}

function line(id, row) {
  return h("tr", {},
    h("td", {}, h("a", { href: to("run", id, "episode", row.key), "data-key": row.key }, short(row.id)),
      row.parent ? h("span", { class: "chip beside" }, "fork") : null,
      row.forked ? h("span", { class: "chip beside" }, count(row.forked, "fork")) : null),
    h("td", { class: "number" }, number(row.step)),
    h("td", {}, row.env_id, row.level ? h("small", {}, `level ${row.level}`) : null),
    h("td", {}, h("span", { class: "wide" }, Object.entries(row.seats).map(([seat, agent]) => `${seat}: ${agent}`).join(" · "))),
    h("td", {}, h("span", { class: `chip ${tone(row.outcome)}` }, row.outcome)),
    h("td", {}, perSeat(row.returns)),
    h("td", { class: "number" }, number(row.turns)),
    h("td", { class: "number" }, number(row.tokens)),
    h("td", { class: "number" }, row.invalid ? h("span", { class: "chip bad" }, number(row.invalid)) : "0"),
    h("td", {}, row.kind ?? "–"));
}

const short = (text) => (text.length > 28 ? `${text.slice(0, 26)}…` : text);

function pager(found, change) {
  const pages = Math.max(1, Math.ceil(found.total / found.size));
  const go = (by) => change("page", String(found.page + by));
  return h("nav", { class: "pager", "aria-label": "Pages of the list" },
    h("span", { class: "muted" }, `${(found.page * found.size + 1).toLocaleString("en")} to ${(found.page * found.size + found.rows.length).toLocaleString("en")} of ${found.total.toLocaleString("en")}`),
    h("button", { type: "button", "data-turn": "-1", disabled: found.page <= 0, click: () => go(-1) }, "← Previous"),
    h("span", {}, `page ${(found.page + 1).toLocaleString("en")} of ${pages.toLocaleString("en")}`),
    h("button", { type: "button", "data-turn": "1", disabled: found.page + 1 >= pages, click: () => go(1) }, "Next →"));
}

function nothing(all, clear) {
  if (!all) return empty("No episode of this run has been written down yet. They appear at the next recorded step.");
  return empty(h("p", {}, "No episode fits these filters."), h("button", { type: "button", click: clear }, "Clear filters"));
}
