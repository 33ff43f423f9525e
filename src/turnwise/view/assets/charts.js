// Line charts of a few curves, drawn as SVG. Values of the step under the pointer, or under the arrow keys, are shown.

import { fill, h, s } from "./dom.js";
import { exact, number } from "./format.js";

const W = 420, H = 190, LEFT = 46, RIGHT = 10, TOP = 8, BOTTOM = 22;
const MOST_POINTS = 400, FEW_POINTS = 15;

/** {node, update(series)}: a chart; series is {name: [[step, value], ...]}. Names are shown without `prefix`. */
export function chart(title, prefix = "") {
  const picture = s("svg", { viewBox: `0 0 ${W} ${H}`, role: "img", tabindex: "0", "aria-label": title });
  const hint = h("span", { class: "hint", "aria-live": "polite" });
  const legend = h("div", { class: "legend" });
  const node = h("section", { class: "card chart", "data-chart": title }, h("header", {}, h("h3", {}, title), hint), picture, legend);
  const state = { series: {}, frame: null, at: null };
  const label = (name) => name.slice(prefix.length) || name;

  const draw = () => {
    const curves = Object.entries(state.series).filter(([, points]) => points.some(([, value]) => Number.isFinite(value)));
    if (!curves.length) { fill(picture); fill(legend, "No value yet."); state.frame = null; return; }
    const frame = state.frame = scale(curves);
    const lines = curves.map(([, points], i) => {
      const drawn = thin(points.filter(([, value]) => Number.isFinite(value)));
      const d = drawn.map(([x, y], n) => `${n ? "L" : "M"}${frame.x(x).toFixed(1)} ${frame.y(y).toFixed(1)}`).join("");
      const dots = drawn.length > FEW_POINTS ? [] : drawn.map(([x, y]) => s("circle", { cx: frame.x(x), cy: frame.y(y), r: 2.6, class: `curve-${i % 6}` }));
      return [s("path", { d, class: `curve-${i % 6}` }), dots];
    });
    fill(picture, axes(frame), lines, s("g", { class: "at" }));
    picture.setAttribute("aria-label", `${title}. ${curves.map(([name, points]) => `${label(name)}: ${number(points.at(-1)[1])} at step ${points.at(-1)[0]}`).join("; ")}`);
    point(state.at);
  };

  const point = (step) => {
    state.at = step;
    const curves = Object.entries(state.series).filter(([, points]) => points.length);
    const group = picture.querySelector(".at");
    if (!group || !state.frame) return;
    const { frame } = state;
    const chosen = curves.map(([name, points], i) => ({ name, i, at: step === null ? points.at(-1) : nearest(points, step) }));
    const shown = chosen.filter(({ at }) => Number.isFinite(at[1]));
    const x = step === null ? null : frame.x(nearest(frame.steps, step)[0]);
    fill(group,
      x === null ? [] : s("line", { x1: x, x2: x, y1: TOP, y2: H - BOTTOM, class: "cross" }),
      x === null ? [] : shown.map(({ at, i }) => s("circle", { cx: frame.x(at[0]), cy: frame.y(at[1]), r: 3.5, class: `curve-${i % 6}` })));
    hint.textContent = step === null ? `step ${frame.last}` : `step ${nearest(frame.steps, step)[0]}`;
    fill(legend, chosen.map(({ name, i, at }) =>
      h("span", { title: `${name} = ${exact(at[1])}`, "data-value": at[1] }, h("i", { class: `curve-${i % 6}` }), curves.length > 1 || prefix ? `${label(name)} ` : "", number(at[1]))));
  };

  picture.addEventListener("pointermove", (event) => {
    if (!state.frame) return;
    const box = picture.getBoundingClientRect();
    point(state.frame.step(((event.clientX - box.left) / box.width) * W));
  });
  picture.addEventListener("pointerleave", () => point(null));
  picture.addEventListener("blur", () => point(null));
  picture.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key];
    if (!by || !state.frame) return;
    event.preventDefault();
    const { steps } = state.frame;
    const now = state.at === null ? steps.length - (by < 0 ? 0 : 1) : steps.indexOf(nearest(steps, state.at));
    point(steps[Math.max(0, Math.min(steps.length - 1, now + by))][0]);
  });
  return { node, update(series) { state.series = series; draw(); } };
}

/** The point whose step is nearest; points ascend by step. */
function nearest(points, step) {
  let low = 0, high = points.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (points[middle][0] < step) low = middle; else high = middle;
  }
  return step - points[low][0] <= points[high][0] - step ? points[low] : points[high];
}

/** At most MOST_POINTS points: the smallest and the largest value of each stretch, so that no spike is lost. */
function thin(points) {
  if (points.length <= MOST_POINTS) return points;
  const stretch = Math.ceil((points.length * 2) / MOST_POINTS);
  const kept = [];
  for (let start = 0; start < points.length; start += stretch) {
    const part = points.slice(start, start + stretch);
    const low = part.reduce((a, b) => (b[1] < a[1] ? b : a)), high = part.reduce((a, b) => (b[1] > a[1] ? b : a));
    kept.push(...(low === high ? [low] : low[0] < high[0] ? [low, high] : [high, low]));
  }
  return kept;
}

function scale(curves) {
  let low = Infinity, high = -Infinity, first = Infinity, last = -Infinity;
  const seen = new Set();
  for (const [, points] of curves) for (const [step, value] of points) {
    seen.add(step);
    first = Math.min(first, step); last = Math.max(last, step);
    if (Number.isFinite(value)) { low = Math.min(low, value); high = Math.max(high, value); }
  }
  if (low === high) { const pad = Math.abs(low) * 0.1 || 1; low -= pad; high += pad; }
  const ticks = round(low, high, 4);
  low = Math.min(low, ticks[0]); high = Math.max(high, ticks.at(-1));
  const span = last - first || 1;
  const x = (step) => LEFT + ((step - first) / span) * (W - LEFT - RIGHT);
  const y = (value) => H - BOTTOM - ((value - low) / (high - low)) * (H - TOP - BOTTOM);
  const steps = [...seen].sort((a, b) => a - b).map((step) => [step]);
  const step = (at) => first + ((at - LEFT) / (W - LEFT - RIGHT)) * span;
  return { x, y, step, steps, ticks, last, marks: round(first, last, 5).filter((at) => Number.isInteger(at) && at >= first && at <= last) };
}

/** Round numbers, about `parts` of them, from at or below `low` to at or above `high`. */
function round(low, high, parts) {
  const rough = (high - low) / parts || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const size = [1, 2, 2.5, 5, 10].find((one) => one * power >= rough) * power;
  const from = Math.floor(low / size + 1e-9), till = Math.ceil(high / size - 1e-9);
  return Array.from({ length: till - from + 1 }, (_, i) => Number(((from + i) * size).toPrecision(12)));
}

function axes(frame) {
  return [
    frame.ticks.map((tick) => [
      s("line", { x1: LEFT, x2: W - RIGHT, y1: frame.y(tick), y2: frame.y(tick), class: "grid" }),
      s("text", { x: LEFT - 7, y: frame.y(tick) + 3.5, "text-anchor": "end" }, number(tick)),
    ]),
    frame.marks.map((step) => s("text", { x: frame.x(step), y: H - 5, "text-anchor": "middle" }, number(step))),
  ];
}
