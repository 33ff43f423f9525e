// The episodes of one group and how they fork, as a picture and as a list.

import { get, path, query } from "./api.js";
import { empty, fill, h, s, step } from "./dom.js";
import { lastList } from "./episodes.js";
import { count, perSeat, signed } from "./format.js";
import { to } from "./router.js";

const LANE = 34, TURN = 46, LEFT = 24, TOP = 34;

export async function page(root, params, app) {
  const { id, group } = params;
  const [run, found] = await Promise.all([get(path`runs/${id}`, app.signal), get(path`runs/${id}/tree` + query({ group }), app.signal)]);
  app.title(`Group ${group}`, [["Runs", "#/"], [run.name, to("run", id)], ["Episodes", lastList.get(id) ?? to("run", id, "episodes")]]);
  if (!found.nodes.length) {
    fill(root, h("h1", {}, "Forks of a group"), empty("No episode of this group has been written down."));
    return;
  }
  const lanes = order(found.nodes);
  const list = nested(lanes, id);
  fill(root, h("div", { class: "heading" }, h("h1", {}, "Forks of a group"), h("span", { class: "muted" }, `${count(lanes.length, "episode")}, group ${group}`)),
    h("p", { class: "muted" }, "Each line is an episode, each dot a turn. Dots are coloured by the mean advantage of the turn: orange above zero, blue below, hollow where it was not trained."),
    h("div", { class: "scroll tree" }, picture(lanes, id)), h("h2", {}, "The same as a list"), list);
  app.keys([
    { keys: ["j", "ArrowDown"], text: "next episode", run: () => step(list.querySelectorAll("a[data-key]"), 1) },
    { keys: ["k", "ArrowUp"], text: "previous episode", run: () => step(list.querySelectorAll("a[data-key]"), -1) },
  ]);
}

/** Nodes with their lane and depth: a fork stands right below what it forked from. Lost parents leave roots. */
function order(nodes) {
  const known = new Map(nodes.map((node) => [node.key, node]));
  const children = new Map();
  for (const node of nodes) {
    const parent = known.has(node.parent) && node.parent !== node.key ? node.parent : null;
    if (!children.has(parent)) children.set(parent, []);
    children.get(parent).push(node);
  }
  const lanes = [], seen = new Set();
  const place = (node, depth, parent) => {
    if (seen.has(node.key)) return;
    seen.add(node.key);
    const mine = { node, depth, lane: lanes.length, parent };
    lanes.push(mine);
    for (const child of (children.get(node.key) ?? []).sort((a, b) => a.fork_turn - b.fork_turn)) place(child, depth + 1, mine);
  };
  for (const node of children.get(null) ?? []) place(node, 0, null);
  return lanes;
}

function picture(lanes, id) {
  const turns = Math.max(1, ...lanes.map(({ node }) => node.turns));
  const most = Math.max(0, ...lanes.flatMap(({ node }) => node.advantages.map((one) => Math.abs(one ?? 0))));
  const width = LEFT + turns * TURN + 190, height = TOP + lanes.length * LANE + 8;
  const y = (lane) => TOP + lane * LANE + LANE / 2, x = (turn) => LEFT + turn * TURN;
  const numbers = Array.from({ length: turns }, (_, i) => s("text", { x: x(i), y: 18, "text-anchor": "middle" }, i + 1));
  return s("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": `Tree of ${count(lanes.length, "episode")}; the list below says the same.` },
    s("g", {}, numbers), s("g", {}, lanes.map((one) => branch(one, x, y))), lanes.map((one) => lane(one, id, x, y, most)));
}

const first = ({ node, parent }) => (parent ? node.fork_turn ?? 0 : 0);

/** The line of an episode, from the turn before its fork on the line of its parent. */
function branch(one, x, y) {
  const from = first(one), end = Math.max(from, one.node.turns - 1), row = y(one.lane);
  const start = one.parent ? `M${x(from - (from ? 1 : 0.4))} ${y(one.parent.lane)}C${x(from - 0.4)} ${y(one.parent.lane)} ${x(from - 0.7)} ${row} ${x(from)} ${row}` : `M${x(from)} ${row}`;
  return s("path", { d: `${start}H${x(end)}`, class: "branch" });
}

/** Its turns and returns, as a link to it at the turn of the fork. */
function lane(one, id, x, y, most) {
  const { node, lane: row, parent } = one;
  const from = first(one);
  const end = Math.max(from, node.turns - 1);
  const dots = [];
  for (let turn = from; turn < node.turns; turn += 1) {
    const worth = node.advantages[turn];
    const known = worth !== null && worth !== undefined;
    const weight = known && most ? Math.abs(worth) / most : 0;
    dots.push(s("circle", { cx: x(turn), cy: y(row), r: 7, class: known ? `dot ${worth < 0 ? "minus" : "plus"}` : "dot", vars: { "--w": (0.15 + 0.85 * weight).toFixed(3) } },
      s("title", {}, `turn ${turn + 1}: ${known ? `advantage ${signed(worth)}` : "not trained"}`)));
  }
  return s("a", { href: to("run", id, "episode", node.key, parent ? { turn: from } : {}), tabindex: "-1", "aria-hidden": "true", "data-lane": node.key },
    s("rect", { x: x(from) - 12, y: y(row) - LANE / 2 + 2, width: x(end) - x(from) + 190, height: LANE - 4, class: "hit", rx: 6 }),
    dots,
    s("text", { x: x(end) + 18, y: y(row) + 4 }, perSeat(node.returns)));
}

function nested(lanes, id) {
  return h("ul", { class: "lanes card" }, lanes.map(({ node, depth, parent }) => h("li", { class: "lane", vars: { "--depth": Math.min(depth, 8) } },
    h("a", { href: to("run", id, "episode", node.key, parent ? { turn: node.fork_turn } : {}), "data-key": node.key }, node.id),
    h("span", { class: "muted" }, parent ? `fork of ${parent.node.id} at turn ${node.fork_turn + 1}` : "root", `, ${count(node.turns, "turn")}`),
    h("span", {}, perSeat(node.returns)))));
}
