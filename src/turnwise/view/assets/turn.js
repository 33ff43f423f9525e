// One turn as the reader shows it: what was read, thought, written, called, done, and what it was worth.

import { board } from "./boards.js";
import { h } from "./dom.js";
import { count, number, perSeat, signed, tone } from "./format.js";
import { to } from "./router.js";
import { tokenView } from "./tokens.js";

const LONG = 1400;
const AHEAD = 700;

/** {node, paint}. position: the board before the turn; most: the largest advantage; forks: those that part here. */
export function turnView(turn, { position = null, seatIndex = 0, most = 0, mark = null, run = "", forks = [] } = {}) {
  const written = h("div", { class: "written" }, text(turn.reply || "", "(an empty reply)"));
  const node = h("article", {
    class: `turn seat-${seatIndex % 4}`, tabindex: "-1", "data-turn": turn.index, "aria-label": `Turn ${turn.index + 1}, ${turn.seat}`,
  },
    h("header", {},
      h("h2", {}, `Turn ${turn.index + 1}`), h("span", { class: "who" }, turn.seat, turn.agent ? h("span", { class: "muted" }, ` ${turn.agent}`) : null),
      mark ? h("span", { class: "chip warn" }, mark) : null,
      turn.status !== "ok" ? h("span", { class: `chip ${tone(turn.status)}` }, turn.status) : null,
      forks.map((fork) => h("a", { class: "chip live", href: to("run", run, "episode", fork.key, { turn: fork.fork_turn }), title: perSeat(fork.returns) }, "a fork goes another way here")),
      worth(turn, most)),
    h("div", { class: position ? "turn-body with-board" : "turn-body" },
      h("div", { class: "words" },
        turn.observation.map(message), thinking(turn.thinking),
        h("section", { class: "part reply" }, h("h3", {}, "Reply"), written),
        turn.tool_calls.map((call, i) => tool(call, turn.tool_results?.[i])),
        turn.tool_results.slice(turn.tool_calls.length).map((result) => h("section", { class: "part tool" }, h("h3", {}, "Tool result"), text(result, "(nothing)"))),
        done(turn)),
      position ? board(position) : null));
  let view;
  return {
    node,
    /** Shows the reply as tokens coloured by a quantity, or as text where name is null. */
    paint(name, reach) {
      if (!turn.tokens?.length) return;
      if (name) { view ??= tokenView(turn); view.paint(name, reach); }
      written.replaceChildren(name ? view.node : text(turn.reply || "", "(an empty reply)"));
      written.previousSibling.textContent = name && turn.thinking ? "Thinking and reply, as tokens" : "Reply";
    },
  };
}

function message(one) {
  return h("section", { class: `part observation ${one.role === "system" ? "system" : ""}` },
    h("h3", {}, one.role === "user" ? "Observation" : one.role === "tool" ? "Tool result" : one.role === "system" ? "System" : "Earlier reply"), text(one.content, "(nothing)"));
}

function thinking(words) {
  if (words === null || words === undefined) return null;
  return h("details", { class: "part thinking" }, h("summary", {}, `Thinking (${count(words.length, "character")})`), text(words, "(nothing)"));
}

function tool(call, result) {
  const given = typeof call.arguments === "string" ? call.arguments : JSON.stringify(call.arguments, null, 2);
  return h("section", { class: "part tool" },
    h("h3", {}, "Tool call ", h("code", {}, call.name)), text(given, "(no arguments)"),
    result === undefined ? null : [h("h3", {}, "Tool result"), text(result, "(nothing)")]);
}

function done(turn) {
  if (turn.action === null || turn.action === undefined) return h("p", { class: "done muted" }, "No action could be read from this reply.");
  return h("p", { class: "done" }, h("span", { class: "muted" }, turn.status === "ok" ? "Action " : `Refused (${turn.status}) `), h("code", { class: "action" }, turn.action));
}

/** Text as it is, with its line ends; a long one is cut until it is asked for. */
function text(words, none) {
  if (!words) return h("p", { class: "muted" }, none);
  const pre = h("pre", { class: "text" }, words);
  if (words.length <= LONG) return pre;
  pre.textContent = `${words.slice(0, AHEAD)}…`;
  const more = h("button", { type: "button", class: "quiet more", click: () => { pre.textContent = words; more.remove(); pre.tabIndex = -1; pre.focus(); } }, `Show all ${count(words.length, "character")}`);
  return h("div", {}, pre, more);
}

/** Reward, advantage with a bar from a middle line, tokens trained, time. */
function worth(turn, most) {
  const part = most && turn.advantage !== null && turn.advantage !== undefined ? Math.min(1, Math.abs(turn.advantage) / most) : 0;
  return h("dl", { class: "worth" },
    h("div", {}, h("dt", {}, "reward"), h("dd", {}, signed(turn.reward))),
    turn.advantage === null || turn.advantage === undefined ? h("div", {}, h("dt", {}, "not trained")) : h("div", {},
      h("dt", {}, "advantage"),
      h("dd", { "data-advantage": turn.advantage }, h("span", { class: `beam ${turn.advantage < 0 ? "minus" : "plus"}`, "aria-hidden": "true" }, h("i", { vars: { "--part": part } })), signed(turn.advantage))),
    turn.value === null || turn.value === undefined ? null : h("div", {}, h("dt", {}, "value"), h("dd", {}, signed(turn.value))),
    turn.tokens?.length ? h("div", {}, h("dt", {}, "tokens"), h("dd", {}, `${number(turn.trained)} of ${number(turn.tokens.length)} trained`)) : null,
    turn.seconds ? h("div", {}, h("dt", {}, "time"), h("dd", {}, `${number(turn.seconds)} s`)) : null);
}
