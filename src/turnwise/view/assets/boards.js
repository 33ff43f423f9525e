// Positions of games. What a board says in letters is drawn as letters: nothing in it is markup.

import { h, s } from "./dom.js";

/** The element of a board of the server: a grid, cards or text. null where there is none. */
export function board(position) {
  if (!position) return null;
  const drawn = { grid, cards, text }[position.kind]?.(position) ?? text({ text: JSON.stringify(position, null, 1) });
  return h("figure", { class: `board ${position.kind}` }, drawn, position.caption ? h("figcaption", {}, position.caption) : null);
}

function text(position) {
  return h("pre", { class: "board-text" }, position.text);
}

const TONES = new Set(["first", "second", "wall", "goal", "hint", "good", "near", "bad", "muted"]);

function grid(position) {
  const { rows, cols, cells } = position;
  const left = position.row_labels?.length ? position.row_labels : null;
  const below = position.col_labels?.length ? position.col_labels : null;
  const last = new Set((position.last ?? []).map(([r, c]) => `${r},${c}`));
  const widest = Math.max(1, ...cells.flat().map((cell) => [...(cell?.text ?? "")].length));
  const cell = (one, r, c) => h("div", {
    class: ["cell", TONES.has(one?.tone) ? one.tone : "", position.checkered && ((r + c) % 2 ? "dark" : "light"), last.has(`${r},${c}`) && "last"].filter(Boolean).join(" "),
    vars: position.slant ? { "--shift": r } : null,
  }, sign(one?.text ?? ""));
  const line = (r) => [
    left ? h("div", { class: "label" }, left[r] ?? "") : null,
    Array.from({ length: cols }, (_, c) => cell(cells[r]?.[c], r, c)),
  ];
  return h("div", {
    class: ["cells", position.checkered && "checkered", left && "labelled", widest > 3 && "words", position.slant && "slant"].filter(Boolean).join(" "),
    role: "img", "aria-label": spoken(position), vars: { "--cols": cols, "--rows": rows, "--most": Math.max(rows, position.slant ? cols + rows / 2 : cols, 4) },
  },
    Array.from({ length: rows }, (_, r) => line(r)),
    below ? [left ? h("div", { class: "label" }) : null, Array.from({ length: cols }, (_, c) => h("div", { class: "label", vars: position.slant ? { "--shift": rows - 1 } : null }, below[c] ?? ""))] : null);
}

/** Noughts, crosses and discs as shapes; everything else as the text it is. */
function sign(words) {
  if (words === "x" || words === "X") return shape(s("path", { d: "M5 5L19 19M19 5L5 19" }));
  if (words === "o" || words === "O") return shape(s("circle", { cx: 12, cy: 12, r: 7.5 }));
  if (words === "●" || words === "○") return shape(s("circle", { cx: 12, cy: 12, r: 14, class: "disc" }));
  return h("span", {}, words);
}

const shape = (drawn) => s("svg", { viewBox: "0 0 24 24", class: "mark" }, drawn);

/** The rows of a grid as a screen reader says them. */
function spoken({ cells, row_labels: left, caption }) {
  const rows = cells.map((row, r) => `${left?.[r] ?? `row ${r + 1}`}: ${row.map((cell) => cell?.text?.trim() || "empty").join(", ")}`);
  return `Board. ${rows.join("; ")}.${caption ? ` ${caption}` : ""}`;
}

const RED = /[♥♦]/;

function cards(position) {
  return h("div", { class: "hands" }, position.rows.map((row) => h("div", { class: "hand" },
    h("span", { class: "whose" }, row.label),
    h("span", { class: "held" }, row.cards.length ? row.cards.map((card) => (card.hidden
      ? h("span", { class: "playing-card back", role: "img", "aria-label": "a hidden card" })
      : h("span", { class: `playing-card${RED.test(card.text) ? " red" : ""}` }, card.text))) : h("span", { class: "muted" }, "no cards")),
    row.note ? h("span", { class: "muted" }, row.note) : null)));
}
