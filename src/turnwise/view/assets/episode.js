// The transcript reader.

import { get, path } from "./api.js";
import { board } from "./boards.js";
import { choice, empty, fill, h, say } from "./dom.js";
import { lastList } from "./episodes.js";
import { count, number, perSeat, tone } from "./format.js";
import { QUANTITIES, available, reach } from "./quantities.js";
import { note, to } from "./router.js";
import { legend } from "./tokens.js";
import { turnView } from "./turn.js";

export async function page(root, params, app) {
  const { id, key } = params;
  const [run, found] = await Promise.all([get(path`runs/${id}`, app.signal), get(path`runs/${id}/episodes/${key}`, app.signal)]);
  const { episode, turns, forks, boards } = found;
  app.title(`Episode ${episode.id}`, [["Runs", "#/"], [run.name, to("run", id)], ["Episodes", lastList.get(id) ?? to("run", id, "episodes")]]);
  const seats = Object.keys(episode.seats);
  const most = Math.max(0, ...turns.map((turn) => Math.abs(turn.advantage ?? 0)));
  const shown = turns.map((turn) => turnView(turn, {
    position: boards?.[turn.index] ?? null, seatIndex: seats.indexOf(turn.seat), most,
    mark: episode.fork_turn === turn.index && episode.parent ? "forked here" : null,
    run: id, forks: forks.filter((fork) => fork.fork_turn === turn.index),
  }));
  const colours = painter(turns, shown, params.query.get("color"));
  const walk = walker(shown);
  fill(root, heading(id, key, found), facts(id, found), colours?.bar ?? null,
    h("div", { class: "reader" }, outline(turns, forks, seats, id, most, walk),
      h("div", { class: "turns" },
        turns.length ? shown.map((one) => one.node) : empty("This episode ended before anyone said a word."),
        ending(found))));
  app.keys([
    { keys: ["j", "ArrowRight"], text: "next turn", run: () => walk.by(1) },
    { keys: ["k", "ArrowLeft"], text: "previous turn", run: () => walk.by(-1) },
    { keys: ["c"], text: "text, or tokens in colour", run: () => colours?.toggle() },
    { keys: ["x"], text: "thinking open or closed", run: () => openAll(root) },
    ...(episode.group ? [{ keys: ["g"], text: "tree of the group", run: () => { location.hash = to("run", id, "tree", episode.group); } }] : []),
  ]);
  const wanted = params.query.get("turn");
  if (wanted !== null) requestAnimationFrame(() => walk.to(Number(wanted)));
}

function heading(id, key, { episode }) {
  return h("div", { class: "heading" },
    h("h1", {}, episode.env_id), h("code", { class: "muted" }, episode.id),
    episode.status !== "ok" ? h("span", { class: `chip ${tone("failed")}` }, episode.status) : null,
    h("div", { class: "actions" },
      episode.group ? h("a", { class: "button", href: to("run", id, "tree", episode.group) }, "Tree of the group") : null,
      h("a", { class: "button", href: `/api/${path`runs/${id}/episodes/${key}`}/export`, download: "" }, "Export as HTML")));
}

function facts(id, { episode, forks }) {
  const fact = (name, ...value) => h("div", {}, h("dt", {}, name), h("dd", {}, ...value));
  const maybe = (name, value) => (value === null || value === undefined || value === "" ? null : fact(name, String(value)));
  return h("dl", { class: "card facts" },
    Object.entries(episode.seats).map(([seat, agent]) => fact(seat, agent, " ", h("b", {}, perSeat({ "": episode.returns[seat] }).trim()))),
    maybe("Step", episode.step === null || episode.step === undefined ? null : number(episode.step)), maybe("Kind", episode.kind), maybe("Seed", episode.seed),
    maybe("Task", episode.task), maybe("Level", episode.level), maybe("Right answer", episode.ground_truth),
    episode.reward_parts ? fact("Reward made of", Object.entries(episode.reward_parts).map(([part, amounts]) => `${part}: ${perSeat(amounts)}`).join("; ")) : null,
    episode.parent ? fact("Forked from", h("a", { href: to("run", id, "episode", episode.parent, { turn: episode.fork_turn }) }, `its parent at turn ${episode.fork_turn + 1}`)) : null,
    forks.length ? fact("Forks", h("span", { class: "links" }, forks.map((fork) =>
      h("a", { href: to("run", id, "episode", fork.key, { turn: fork.fork_turn }) }, `turn ${fork.fork_turn + 1}: ${perSeat(fork.returns)}`)))) : null,
    more("Arguments of the environment", episode.env_kwargs), more("Metadata", episode.metadata));
}

function more(name, record) {
  if (!Object.keys(record ?? {}).length) return null;
  return h("details", {}, h("summary", {}, name), h("pre", {}, JSON.stringify(record, null, 2)));
}

/** The switch between text and tokens, and what colours mean; null where no turn has tokens. */
function painter(turns, shown, wanted) {
  const names = available(turns);
  if (!names.length) return null;
  let on = names.includes(wanted);
  let name = on ? wanted : names[0];
  const key = h("div");
  const texts = h("button", { type: "button", click: () => set(false) }, "Text");
  const tokens = h("button", { type: "button", click: () => set(true) }, "Tokens");
  const select = choice("Coloured by", names.map((one) => [one, QUANTITIES[one].title]), name, (value) => { name = value; set(true); }, { name: "color" });
  const set = (next) => {
    on = next;
    const most = reach(name, turns);
    shown.forEach((one) => one.paint(on ? name : null, most));
    texts.setAttribute("aria-pressed", String(!on));
    tokens.setAttribute("aria-pressed", String(on));
    fill(key, on ? legend(name, most) : null);
    select.hidden = !on;
    note({ color: on ? name : "" });
    say(on ? `tokens coloured by ${QUANTITIES[name].title}` : "text");
  };
  set(on);
  return { bar: h("div", { class: "card bar paint" }, h("div", { class: "together", role: "group", "aria-label": "How replies are shown" }, texts, tokens), select, key), toggle: () => set(!on) };
}

/** Moves from turn to turn. */
function walker(shown) {
  let at = -1;
  const go = (index) => {
    if (!shown.length) return;
    at = Math.max(0, Math.min(shown.length - 1, index));
    const { node } = shown[at];
    node.focus({ preventScroll: true });
    node.scrollIntoView({ block: "start" });
    requestAnimationFrame(() => node.scrollIntoView({ block: "start" })); // what lies above has its true height by now
    document.querySelectorAll(".outline [aria-current]").forEach((link) => link.removeAttribute("aria-current"));
    document.querySelector(`.outline [data-to="${at}"]`)?.setAttribute("aria-current", "true");
    note({ turn: String(at) });
  };
  shown.forEach((one, index) => one.node.addEventListener("focusin", () => { at = index; }));
  return { to: go, by: (step) => go(at + step) };
}

/** All turns at a glance. */
function outline(turns, forks, seats, id, most, walk) {
  const forked = new Map();
  for (const fork of forks) forked.set(fork.fork_turn, (forked.get(fork.fork_turn) ?? 0) + 1);
  const item = (turn) => {
    const part = most ? Math.min(1, Math.abs(turn.advantage ?? 0) / most) : 0;
    return h("li", {}, h("a", { class: `seat-${seats.indexOf(turn.seat) % 4}`, href: `#turn-${turn.index}`, "data-to": turn.index, click: (event) => { event.preventDefault(); walk.to(turn.index); } },
      h("span", { class: "number" }, turn.index + 1), h("span", { class: "what" }, turn.action ?? (turn.status === "ok" ? "…" : turn.status)),
      forked.has(turn.index) ? h("span", { class: "chip" }, count(forked.get(turn.index), "fork")) : null,
      turn.advantage === null || turn.advantage === undefined ? null : h("span", { class: `beam ${turn.advantage < 0 ? "minus" : "plus"}`, "aria-hidden": "true" }, h("i", { vars: { "--part": part } }))));
  };
  return h("nav", { class: "outline", "aria-label": "Turns" }, h("ol", {}, turns.map(item)));
}

function ending({ episode, boards, turns }) {
  const last = boards && boards.length > turns.length ? boards.at(-1) : null;
  return h("section", { class: "card ending" }, h("h2", {}, "The end"),
    h("p", {}, perSeat(episode.returns), h("span", { class: "muted" }, ` after ${count(turns.length, "turn")}`)), last ? board(last) : null);
}

function openAll(root) {
  const all = [...root.querySelectorAll("details.thinking")];
  const open = all.some((one) => !one.open);
  all.forEach((one) => { one.open = open; });
}
