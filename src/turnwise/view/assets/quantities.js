// What a token can be coloured by: its value, and how strong a colour it gets.

import { number } from "./format.js";

const difference = (a, b) => (a === null || a === undefined || b === null || b === undefined ? null : Math.exp(a - b));

// `zero`: the value without colour, for quantities that go both ways. `low`: without colour, for those that go one way.
// `ratio`: both ways, in equal factors.
export const QUANTITIES = {
  advantage: { title: "Advantage", unit: "task units", of: (token) => token.advantage, zero: 0, trained: true },
  logprob: { title: "Log-probability when sampled", unit: "nats", of: (token) => token.logprob, low: 0 },
  entropy: { title: "Entropy before the update", unit: "nats", of: (token) => token.entropy, low: 0 },
  ratio: { title: "Ratio of the update", unit: "after / before", of: (token) => difference(token.updated_logprob, token.train_logprob), zero: 1, ratio: true, trained: true },
  mismatch: { title: "Sampler mismatch", unit: "trainer / sampler", of: (token) => difference(token.train_logprob, token.logprob), zero: 1, ratio: true },
  mask: { title: "Trained or not", unit: "mask", of: (token) => (token.trained ? 1 : 0), low: 0, trained: true },
};

/** Names of the quantities that at least one token has. */
export function available(turns) {
  const tokens = turns.flatMap((turn) => turn.tokens ?? []);
  return Object.keys(QUANTITIES).filter((name) => tokens.some((token) => known(QUANTITIES[name].of(token))));
}

/** The largest distance from no colour over all turns: full colour is this far. 0 where all are alike. */
export function reach(name, turns) {
  const { of, trained } = QUANTITIES[name];
  let most = 0;
  for (const turn of turns) for (const token of turn.tokens ?? []) {
    if (trained && !token.trained) continue;
    const value = of(token);
    if (known(value) && Number.isFinite(value)) most = Math.max(most, Math.abs(distance(name, value)));
  }
  return most;
}

/** {side: "plus" | "minus" | "heat" | null, weight: 0 to 1} of one token. */
export function colour(name, token, most) {
  const { of, trained, low } = QUANTITIES[name];
  const value = of(token);
  if (!known(value) || !most || (trained && !token.trained)) return { side: null, weight: 0 };
  const far = Number.isFinite(value) ? distance(name, value) : Math.sign(value) * most;
  return { side: low !== undefined ? "heat" : far < 0 ? "minus" : "plus", weight: Math.min(1, Math.abs(far) / most) };
}

/** The values at both ends of the scale and at its middle or start, as the legend writes them. */
export function ends(name, most) {
  const { zero, ratio, low } = QUANTITIES[name];
  if (name === "mask") return ["not trained", "trained"];
  if (low !== undefined) return [number(0), number(name === "logprob" ? -most : most)];
  return ratio ? [number(Math.exp(-most)), number(zero), number(Math.exp(most))] : [number(zero - most), number(zero), number(zero + most)];
}

const known = (value) => value !== null && value !== undefined && !Number.isNaN(value);

function distance(name, value) {
  const { zero, ratio, low } = QUANTITIES[name];
  if (ratio) return value > 0 ? Math.log(value / zero) : -Infinity;
  return value - (zero ?? low);
}
