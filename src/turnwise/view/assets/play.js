// Play: choose a game and an opponent (#/play), and the game itself (#/play/SID).

import { get, path, post, query } from "./api.js";
import { board } from "./boards.js";
import { empty, failure, fill, h, loading, say, step } from "./dom.js";
import { perSeat, tone } from "./format.js";
import { note, to } from "./router.js";

const POLL_MS = 400;
const SHOWN_GAMES = 60;
const SHOWN_MOVES = 120;
const OUTCOMES = { win: "You win", loss: "You lose", draw: "Nobody wins", truncated: "Stopped before its end", failed: "The game failed" };

export function page(root, params, app) {
  return params.sid ? game(root, params.sid, app) : chooser(root, params, app);
}

// Choosing

async function chooser(root, params, app) {
  app.title("Play");
  const { games, agents } = await get("play/games", app.signal);
  const list = h("div", { class: "games", role: "group", "aria-label": "Games" });
  const form = h("div", { class: "card setup" });
  const counted = h("span", { class: "muted", role: "status" });
  const search = h("input", { type: "search", id: "search", placeholder: "kuhn, chess, word, grid…", autocomplete: "off", spellcheck: "false", input: () => draw() });
  search.value = params.query.get("find") ?? "";
  const draw = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const found = games.filter((one) => words.every((word) => `${one.id} ${one.family} ${one.summary}`.toLowerCase().includes(word)));
    counted.textContent = `${found.length} of ${games.length} games`;
    note({ find: search.value });
    fill(list, found.slice(0, SHOWN_GAMES).map((one) => h("button", { type: "button", class: "game", "aria-pressed": String(one.id === chosen), "data-game": one.id, click: () => choose(one.id) },
      h("b", {}, one.id), h("span", { class: "muted" }, one.summary || one.family))),
    found.length > SHOWN_GAMES ? h("p", { class: "muted" }, "Write more to see fewer.") : null,
    found.length ? null : empty("No game is called so."));
  };
  let chosen = params.query.get("game") ?? "";
  const choose = async (id) => {
    chosen = id;
    note({ game: id });
    list.querySelectorAll(".game").forEach((one) => one.setAttribute("aria-pressed", String(one.dataset.game === id)));
    fill(form, loading());
    try {
      const details = await get(`play/games${query({ game: id })}`, app.signal);
      if (chosen === id) fill(form, setup(details, agents, app));
    } catch (error) {
      if (error.name !== "AbortError" && chosen === id) fill(form, failure(error, () => choose(id)));
    }
  };
  fill(root, h("div", { class: "heading" }, h("h1", {}, "Play"), counted),
    h("div", { class: "choose" }, h("div", { class: "pick" }, h("label", { class: "field" }, h("span", {}, "Find a game"), search), list), form));
  fill(form, h("p", { class: "muted" }, "Choose a game."));
  draw();
  if (chosen) choose(chosen);
  const buttons = () => list.querySelectorAll(".game");
  app.keys([
    { keys: ["/"], text: "find a game", run: () => search.focus() },
    { keys: ["j", "ArrowDown"], text: "next game", run: () => step(buttons(), 1) },
    { keys: ["k", "ArrowUp"], text: "previous game", run: () => step(buttons(), -1) },
  ]);
}

function setup(details, agents, app) {
  const pick = (label, name, options) => {
    const box = h("select", { name }, options.map(([value, text]) => h("option", { value }, text)));
    return [box, h("label", { class: "field" }, h("span", {}, label), box)];
  };
  const alone = details.seats.length === 1;
  const [seat, seatField] = pick("Your seat", "seat", [...details.seats.map((one) => [one, one]), ["random", "random"]]);
  const [level, levelField] = pick("Level", "level", [["", "as it comes"], ...details.levels.map((one) => [one, one])]);
  const opponent = h("input", { type: "text", name: "opponent", list: "agents", value: "random", autocomplete: "off", spellcheck: "false", "aria-describedby": "who" });
  const seed = h("input", { type: "text", name: "seed", inputmode: "numeric", placeholder: "drawn", autocomplete: "off" });
  const told = h("div", { "aria-live": "polite" });
  const start = h("button", { type: "submit", class: "main" }, "Play");
  const begin = async (event) => {
    event.preventDefault();
    const wanted = seed.value.trim();
    if (wanted && !/^\d{1,15}$/.test(wanted)) { fill(told, failure(new Error("A seed is a whole number."))); return; }
    start.disabled = true;
    fill(told, loading("Setting the table. Weights may take a while to load."));
    try {
      const state = await post("play", {
        game: details.id, seat: alone ? details.seats[0] : seat.value, opponents: opponent.value.trim() || "random",
        seed: wanted ? Number(wanted) : null, kwargs: level.value ? { level: level.value } : null,
      }, app.signal);
      location.hash = to("play", state.id);
    } catch (error) {
      if (error.name !== "AbortError") fill(told, failure(error));
      start.disabled = false;
    }
  };
  return h("form", { submit: begin },
    h("h2", {}, details.id), h("p", { class: "muted" }, details.summary),
    h("div", { class: "bar" }, alone ? h("p", { class: "muted" }, "You are the only player.") : seatField,
      details.levels.length ? levelField : null,
      alone ? null : h("label", { class: "field" }, h("span", {}, details.seats.length > 2 ? "Opponents" : "Opponent"), opponent),
      h("label", { class: "field" }, h("span", {}, "Seed"), seed), start),
    alone ? null : h("p", { class: "muted", id: "who" }, "A scripted agent, mcts(200), the folder of a run or of a model, or openai:MODEL."),
    h("datalist", { id: "agents" }, agents.map((name) => h("option", { value: name }))), told);
}

// Playing

async function game(root, sid, app) {
  let state = await get(path`play/${sid}`, app.signal);
  let busy = false;
  app.title(`${state.game}`, [["Play", "#/play"]]);
  const place = h("div", { class: "place" });
  const moves = h("div", { class: "moves" });
  const log = h("div", { class: "log", role: "log", "aria-label": "What you are told", tabindex: "0" });
  const status = h("p", { class: "whose-turn", role: "status" });
  const told = h("div", { "aria-live": "polite" });
  const result = h("div");
  const line = h("textarea", { rows: "2", "aria-label": "Your reply", placeholder: "An action, or any text. Enter sends it.", keydown: (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); send(line.value); }
  } });
  const button = h("button", { type: "button", class: "main", click: () => send(line.value) }, "Send");
  const quit = h("button", { type: "button", class: "quiet", click: () => call("leave") }, "Quit and save");

  const call = async (what, body) => {
    if (busy) return;
    busy = true;
    draw();
    try {
      const next = await post(path`play/${sid}/${what}`, body, app.signal);
      if (next.id !== sid) { location.hash = to("play", next.id); return; }
      if (what === "act") line.value = next.error && !next.over ? body.text : "";
      state = next;
      fill(told);
    } catch (error) {
      if (error.name !== "AbortError") fill(told, failure(error));
    }
    busy = false;
    draw();
  };
  const send = (text) => { if (text.trim() && !state.over && !state.waiting) call("act", { text }); };
  const filter = h("input", { type: "search", placeholder: "find a move", "aria-label": "Find a move", autocomplete: "off", input: () => list() });
  const list = () => fill(moves, moveButtons(state, filter, send, busy));

  let drawn = null;
  const draw = () => {
    const mine = !state.over && !state.waiting && !busy;
    line.readOnly = button.disabled = !mine; // a disabled field would lose the focus
    quit.hidden = state.over;
    status.textContent = state.over ? "The game is over." : mine ? "Your turn." : "The others are thinking…";
    status.classList.toggle("mine", mine);
    if (drawn === state) { list(); return; }
    if (state.error && !busy) fill(told, h("p", { class: "refused", role: "alert" }, state.over ? state.error : `Refused: ${state.error}`));
    fill(place, clickable(board(state.board), state, send) ?? h("p", { class: "muted" }, "This game has no board: all there is to know is in the text."));
    fill(log, chat(state));
    log.scrollTop = log.scrollHeight;
    if (state.over) fill(result, ending(state, () => call("again")));
    list();
    if (mine && (!drawn || drawn.waiting) && !state.legal) line.focus();
    if (mine) say("your turn");
    drawn = state;
  };
  fill(root,
    h("div", { class: "heading" }, h("h1", {}, state.game), h("span", { class: "muted" }, seats(state)), h("div", { class: "actions" }, quit)),
    h("div", { class: "table" },
      h("section", { class: "card", "aria-label": "Board and moves" }, place, status, told, result, filter, moves),
      h("section", { class: "card", "aria-label": "Conversation" }, log, h("div", { class: "say" }, line, button))));
  draw();
  app.keys([
    { keys: ["1", "2", "3", "4", "5", "6", "7", "8", "9"], text: "play the move of this number", run: (event) => {
      const name = state.legal?.[Number(event.key) - 1];
      if (name !== undefined) send(written(name));
    } },
    { keys: ["/"], text: "write a reply", run: () => line.focus() },
    { keys: ["n"], text: "again with seats swapped, once it is over", run: () => { if (state.over) call("again"); } },
  ]);
  app.every(POLL_MS, async () => {
    if (!state.waiting || busy) return;
    try {
      const next = await get(path`play/${sid}`, app.signal);
      if (busy || JSON.stringify(next) === JSON.stringify(state)) return;
      state = next;
      draw();
    } catch (error) {
      if (error.name !== "AbortError") fill(told, failure(error));
    }
  });
}

/** The board, on which a click on a cell plays the move that is called like the cell, its text or its column. */
function clickable(drawn, { board: position, legal, over, waiting }, send) {
  if (position?.kind !== "grid" || !legal || over || waiting) return drawn;
  const open = new Set(legal);
  drawn.querySelectorAll(".cells > .cell").forEach((cell, index) => {
    const [row, column] = [Math.floor(index / position.cols), index % position.cols];
    const [left, below] = [position.row_labels?.[row] ?? "", position.col_labels?.[column] ?? ""];
    const name = [`${below}${left}`, position.cells[row][column].text, below].find((one) => open.has(one));
    if (name === undefined) return;
    cell.classList.add("open");
    cell.title = name;
    cell.addEventListener("click", () => send(written(name)));
  });
  return drawn;
}

const written = (name) => `[${name}]`;

const seats = (state) => state.seats.map((one) => (one === state.seat ? `${one}: you` : `${one}: ${state.agents[one]}`)).join(" · ");

function moveButtons(state, filter, send, busy) {
  filter.hidden = !state.legal || state.legal.length <= 12;
  if (state.over || state.waiting) return [];
  if (state.tools) return tools(state.tools);
  if (!state.legal) return h("p", { class: "muted" }, "Any text is an action here.");
  const part = filter.hidden ? "" : filter.value.trim().toLowerCase();
  const found = state.legal.map((name, index) => [name, index]).filter(([name]) => name.toLowerCase().includes(part));
  return [found.slice(0, SHOWN_MOVES).map(([name, index]) => h("button", { type: "button", disabled: busy, "data-move": name, click: () => send(written(name)) },
    index < 9 ? h("kbd", { "aria-hidden": "true" }, index + 1) : null, name)),
  found.length > SHOWN_MOVES ? h("p", { class: "muted" }, `${found.length - SHOWN_MOVES} more: find them above.`) : null];
}

function tools(schemas) {
  const shown = schemas.map((schema) => schema.function ?? schema);
  return h("details", { open: true }, h("summary", {}, "Tools that you may call"),
    h("p", { class: "muted" }, 'A call is written <tool_call>{"name": "…", "arguments": {…}}</tool_call>, the answer <answer>…</answer>.'),
    h("dl", { class: "tools-list" }, shown.map((tool) => [h("dt", {}, h("code", {}, `${tool.name}(${Object.keys(tool.parameters?.properties ?? {}).join(", ")})`)), h("dd", {}, tool.description ?? "")])));
}

function chat(state) {
  const rules = state.rules ? h("details", { class: "rules" }, h("summary", {}, "Rules of the game"), h("pre", {}, state.rules)) : null;
  return [rules, state.messages.map((one) => h("div", { class: `said ${one.from === "you" ? "mine" : ""}` },
    h("span", { class: "muted who" }, one.from === "you" ? "you" : one.from), h("pre", {}, one.text)))];
}

function ending(state, again) {
  const found = state.transcript;
  return h("div", { class: "result" },
    h("p", {}, h("span", { class: `chip ${tone(state.outcome)}` }, OUTCOMES[state.outcome] ?? state.outcome ?? "Over"), " ", state.returns ? perSeat(state.returns) : ""),
    h("div", { class: "bar" },
      h("button", { type: "button", class: "main", "data-again": "", click: again }, state.seats.length > 1 ? "Again, seats swapped" : "Again"),
      found ? h("a", { class: "button", href: to("run", found.run, "episode", found.key) }, "Transcript") : null,
      h("a", { class: "button", href: to("play") }, "Another game")),
    state.saved ? h("p", { class: "muted" }, "Saved as ", h("code", {}, state.saved)) : null);
}
