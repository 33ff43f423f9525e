// A reply token by token, each coloured by one quantity. One stop of the Tab key; arrows walk the tokens.

import { fill, h } from "./dom.js";
import { count, exact } from "./format.js";
import { QUANTITIES, colour, ends } from "./quantities.js";

/** {node, paint(name, most)}: the tokens of one turn. */
export function tokenView(turn) {
  const tokens = turn.tokens;
  const spans = tokens.map((token, i) =>
    h("span", { class: token.trained ? "token" : "token untrained", id: null, "data-i": i }, visible(token.text)));
  const detail = h("p", { class: "detail", "aria-live": "polite" });
  const strip = h("div", {
    class: "tokens", tabindex: "0", role: "group",
    "aria-label": `${count(tokens.length, "token")} of turn ${turn.index + 1}, ${turn.trained} trained; left and right arrows walk them`,
  }, spans);
  let at = -1;
  let quantity = "advantage";

  const choose = (i) => {
    spans[at]?.classList.remove("chosen");
    at = i;
    spans[at]?.classList.add("chosen");
    fill(detail, i < 0 ? rest(tokens) : facts(tokens[i], i, quantity));
  };
  strip.addEventListener("pointerover", (event) => {
    const span = event.target.closest?.(".token");
    if (span) choose(Number(span.dataset.i));
  });
  strip.addEventListener("pointerleave", () => choose(-1));
  strip.addEventListener("focus", () => { if (at < 0 && strip.matches(":focus-visible")) choose(0); });
  strip.addEventListener("keydown", (event) => {
    const next = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tokens.length - 1 }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    choose(Math.max(0, Math.min(tokens.length - 1, next)));
    spans[at].scrollIntoView({ block: "nearest" });
  });
  choose(-1);
  return {
    node: h("div", { class: "token-box" }, strip, detail),
    paint(name, most) {
      quantity = name;
      tokens.forEach((token, i) => {
        const { side, weight } = colour(name, token, most);
        const span = spans[i];
        span.classList.remove("plus", "minus", "heat");
        if (side) span.classList.add(side);
        span.style.setProperty("--w", weight.toFixed(4));
        const value = QUANTITIES[name].of(token);
        if (value === null || value === undefined) delete span.dataset.value; else span.dataset.value = String(value);
      });
      choose(at);
    },
  };
}

/** Text of a token with its spaces and line ends to be seen. */
function visible(text) {
  return text.split(/( |\n|\t)/).filter((part) => part !== "").map((part) => {
    if (part === " ") return h("span", { class: "space" }, "·");
    if (part === "\t") return h("span", { class: "space" }, "⇥");
    return part === "\n" ? [h("span", { class: "space" }, "↵"), "\n"] : part;
  });
}

const rest = (tokens) => `${count(tokens.length, "token")}, ${tokens.filter((token) => token.trained).length} trained. Point at one, or walk them with the arrow keys, for its values.`;

function facts(token, i, quantity) {
  const rows = [["log p sampled", token.logprob], ["log p before the update", token.train_logprob], ["log p after", token.updated_logprob],
    ["entropy", token.entropy], ["advantage", token.advantage], ["ratio", QUANTITIES.ratio.of(token)], ["mismatch", QUANTITIES.mismatch.of(token)]];
  return [
    h("b", {}, JSON.stringify(token.text)), ` id ${token.id} · token ${i + 1} · ${token.trained ? "trained" : "not trained"}`,
    rows.filter(([, value]) => value !== null && value !== undefined).map(([name, value]) =>
      [" · ", h("span", { class: name === QUANTITIES[quantity].title.toLowerCase() ? "now" : null }, `${name} ${exact(value)}`)]),
  ];
}

/** What the colours mean. */
export function legend(name, most) {
  const { title, unit, low } = QUANTITIES[name];
  const marks = ends(name, most);
  return h("div", { class: "scale", role: "img", "aria-label": `${title} in ${unit}: colour from ${marks[0]} to ${marks.at(-1)}; untrained tokens are grey` },
    most ? [h("span", {}, marks[0]), h("i", { class: low !== undefined ? "ramp heat" : "ramp both" }), h("span", {}, marks.at(-1))] : h("span", {}, `all tokens are alike: no colour`),
    h("span", { class: "muted" }, unit), h("span", { class: "muted" }, "· grey letters: not trained"));
}
