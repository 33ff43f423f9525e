// Two checkpoints on the same seeds: who does better, and where each pair of games parts ways.

import { get, path, post } from "./api.js";
import { board } from "./boards.js";
import { choice, empty, failure, field, fill, h, loading, step } from "./dom.js";
import { count, number, signed } from "./format.js";
import { note, to } from "./router.js";
import { turnView } from "./turn.js";

const POLL_MS = 700;

export async function page(root, params, app) {
  const { id } = params;
  const run = await get(path`runs/${id}`, app.signal);
  app.title("Compare checkpoints", [["Runs", "#/"], [run.name, to("run", id)]]);
  const steps = run.checkpoints ?? [];
  fill(root, h("h1", {}, "Compare two checkpoints"));
  if (steps.length < 2) {
    root.append(empty(h("p", {}, `This run has saved ${count(steps.length, "checkpoint")}: two are needed.`), h("p", {}, "A setting of the run says how often one is saved; see its configuration.")));
    return;
  }
  const out = h("div", { class: "page" });
  const asked = {
    a: params.query.get("a") ?? String(steps[0]), b: params.query.get("b") ?? String(steps.at(-1)),
    games: params.query.get("games") ?? "16", opponent: params.query.get("opponent") ?? "self",
  };
  const start = h("button", { type: "submit", class: "main" }, "Play");
  const go = async () => {
    const wanted = { a: Number(asked.a), b: Number(asked.b), games: Math.max(1, Number(asked.games) || 16), opponent: asked.opponent.trim() || "self" };
    start.disabled = true;
    try {
      fill(out, loading("Loading both checkpoints…"));
      const { job } = await post(path`runs/${id}/diff`, wanted, app.signal);
      note({ ...wanted, job, pair: "" });
      await watch(job, wanted);
    } catch (error) {
      if (error.name !== "AbortError") fill(out, failure(error));
    }
    start.disabled = false;
  };
  const watch = async (job, wanted) => {
    for (;;) {
      const now = await get(path`jobs/${job}`, app.signal);
      if (now.state === "failed") throw new Error(now.error ?? "The games could not be played.");
      if (now.state === "done") return show(out, id, now.result, wanted, Number(params.query.get("pair") ?? 0), app);
      fill(out, h("div", { class: "state busy", role: "status" }, h("span", { class: "progress", "aria-hidden": "true" }, h("i", { vars: { "--part": now.total ? now.done / now.total : 0 } })), `${number(now.done)} of ${number(now.total)} games played`));
      await new Promise((done) => setTimeout(done, POLL_MS));
      if (app.signal.aborted) return undefined;
    }
  };
  root.append(form(steps, asked, start, go), out);
  const job = params.query.get("job");
  if (!job) {
    fill(out, empty("Choose two steps and press Play. Both play the same games: the same seeds, from the same seats."));
    return;
  }
  try { await watch(job, asked); } catch (error) { if (error.name !== "AbortError") fill(out, failure(error, go)); }
}

function form(steps, asked, start, go) {
  const change = (name) => (value) => { asked[name] = value; };
  const shown = steps.map((one) => [String(one), `step ${one}`]);
  return h("form", { class: "card bar", "aria-label": "What to compare", submit: (event) => { event.preventDefault(); go(); } },
    choice("First", shown, asked.a, change("a"), { name: "a" }), choice("Second", shown, asked.b, change("b"), { name: "b" }),
    field("Games", asked.games, change("games"), { name: "games", inputmode: "numeric", size: "5" }),
    field("Opponent", asked.opponent, change("opponent"), { name: "opponent", list: "opponents", size: "16" }),
    h("datalist", { id: "opponents" }, ["self", "random", "optimal"].map((name) => h("option", { value: name }))), start);
}

function show(out, id, result, asked, first, app) {
  const side = h("div", { class: "page" });
  const { mean, low, high } = result.difference;
  const verdict = low === null ? "Too few games for an interval: play more." : low > 0 ? "Step b is better." : high < 0 ? "Step a is better." : "The interval holds 0: these games do not tell them apart.";
  const open = async (i) => {
    note({ pair: String(i) });
    rows.forEach((row, n) => (n === i ? row.setAttribute("aria-current", "true") : row.removeAttribute("aria-current")));
    fill(side, loading("Loading both games…"));
    try {
      await beside(side, id, result.pairs[i], asked, app);
    } catch (error) {
      if (error.name !== "AbortError") fill(side, failure(error, () => open(i)));
    }
  };
  const rows = result.pairs.map((pair, i) => h("tr", {},
    h("td", {}, h("button", { type: "button", class: "link", click: () => open(i) }, `seed ${pair.seed}`)), h("td", {}, pair.seat),
    h("td", { class: "number" }, signed(pair.return_a)), h("td", { class: "number" }, signed(pair.return_b)), h("td", { class: "number" }, signed(pair.return_b - pair.return_a)),
    h("td", { class: "number" }, number(pair.same_turns))));
  fill(out,
    h("dl", { class: "card facts" },
      h("div", {}, h("dt", {}, `a: step ${asked.a}, mean return`), h("dd", { class: "big" }, signed(result.mean_a))),
      h("div", {}, h("dt", {}, `b: step ${asked.b}, mean return`), h("dd", { class: "big" }, signed(result.mean_b))),
      h("div", {}, h("dt", {}, "b − a, with a 95% interval"), h("dd", { class: "big" }, `${signed(mean)} `, low === null ? null : h("span", { class: "muted interval" }, `${signed(low)} to ${signed(high)}`))),
      h("div", { class: "verdict" }, h("dt", {}, "What it says"), h("dd", {}, verdict.replace("Step a", `Step ${asked.a}`).replace("Step b", `Step ${asked.b}`)))),
    h("div", { class: "scroll low" }, h("table", { "aria-label": "Pairs of games" }, h("thead", {}, h("tr", {},
      ["Game", "Seat"].map((title) => h("th", { scope: "col" }, title)), ["Return of a", "Return of b", "b − a", "Same turns"].map((title) => h("th", { scope: "col", class: "number" }, title)))), h("tbody", {}, rows))),
    side);
  app.keys([
    { keys: ["j", "ArrowDown"], text: "next pair", run: () => step(out.querySelectorAll("button.link"), 1) },
    { keys: ["k", "ArrowUp"], text: "previous pair", run: () => step(out.querySelectorAll("button.link"), -1) },
  ]);
  if (rows.length) open(Math.min(first, rows.length - 1));
}

/** Two games of one pair, turn by turn beside each other; the first turn that differs is marked. */
async function beside(side, id, pair, asked, app) {
  const [a, b] = await Promise.all([pair.a, pair.b].map((key) => get(path`runs/${id}/episodes/${key}`, app.signal)));
  const seats = Object.keys(a.episode.seats);
  const shown = (found, i) => (found.turns[i]
    ? turnView(found.turns[i], { position: found.boards?.[i], seatIndex: seats.indexOf(found.turns[i].seat), mark: i === pair.same_turns ? "first difference" : null }).node
    : h("div", { class: "state" }, i === found.turns.length ? "The game is over here." : ""));
  const length = Math.max(a.turns.length, b.turns.length);
  const head = (name, key) => h("h2", {}, h("a", { href: to("run", id, "episode", key) }, name));
  fill(side,
    h("div", { class: "pair heads" }, head(`a: step ${asked.a}`, pair.a), head(`b: step ${asked.b}`, pair.b)),
    pair.same_turns >= length ? h("p", { class: "muted" }, "Both games are the same, turn for turn.") : null,
    Array.from({ length }, (_, i) => h("div", { class: `pair${i === pair.same_turns ? " parts" : i < pair.same_turns ? " same" : ""}` }, shown(a, i), shown(b, i))),
    a.boards && b.boards ? h("div", { class: "pair" }, board(a.boards.at(-1)), board(b.boards.at(-1))) : null);
}
