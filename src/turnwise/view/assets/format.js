// Numbers, times and words as the pages write them.

/** Three or four figures of a number; an en dash where there is none. */
export function number(value, digits = 3) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (typeof value !== "number") return String(value);
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e6) return minus(value.toLocaleString("en"));
  if (size >= 1e6 || size < 1e-4) return minus(value.toExponential(2));
  if (size >= 1000) return minus(value.toLocaleString("en", { maximumFractionDigits: 0 }));
  return minus(String(Number(value.toPrecision(digits))));
}

/** The same with a sign in front. */
export const signed = (value) => (value > 0 ? `+${number(value)}` : number(value));

/** All figures of a number, as a tooltip shows it. */
export const exact = (value) => (value === null || value === undefined ? "none" : minus(String(Number(value.toPrecision(6)))));

const minus = (text) => text.replace(/^-/, "−").replace(/e-/, "e−");

export const count = (n, one, many = `${one}s`) => `${n.toLocaleString("en")} ${n === 1 ? one : many}`;

/** How long ago, in words. `unix` in seconds. */
export function ago(unix) {
  if (!unix) return "–";
  const seconds = Math.max(0, Date.now() / 1000 - unix);
  if (seconds < 60) return "just now";
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86400)} d ago`;
}

/** {a: 1, b: -1} as "a +1 · b −1". */
export const perSeat = (values) => Object.entries(values ?? {}).map(([seat, value]) => `${seat} ${signed(value)}`).join(" · ");

const TONES = { win: "good", loss: "bad", draw: "", truncated: "warn", failed: "bad", ok: "", running: "live", done: "good", stopped: "warn", illegal: "bad", unparsable: "bad" };
export const tone = (word) => TONES[word] ?? "";
