// Calls of the server. Every failure is an error whose message is a sentence that can be shown.

/** GET /api/PATH as JSON; parts of the path that come from data are encoded by `path`. */
export function get(address, signal) {
  return ask(address, { signal });
}

/** POST JSON to /api/PATH. */
export function post(address, body, signal) {
  const headers = { "Content-Type": "application/json", "X-Turnwise": "1" };
  return ask(address, { method: "POST", headers, body: JSON.stringify(body ?? {}), signal });
}

/** path`runs/${id}/episodes` with each value encoded. */
export function path(texts, ...values) {
  return texts.reduce((sum, text, i) => sum + encodeURIComponent(values[i - 1]) + text);
}

/** A query string of all that is not empty, with its question mark. */
export function query(values) {
  const given = Object.entries(values).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  return given.length ? `?${new URLSearchParams(given)}` : "";
}

async function ask(address, options) {
  let response;
  try {
    response = await fetch(`/api/${address}`, { credentials: "same-origin", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The server does not answer. Is `turnwise view` still running?");
  }
  const text = await response.text();
  let answer = null;
  try { answer = JSON.parse(text); } catch { /* told below */ }
  if (response.ok && answer !== null) return answer;
  throw new Error(answer?.error ?? refusal(response.status));
}

function refusal(status) {
  if (status === 401) return "This page is not signed in: open the address with ?token= that the command printed.";
  if (status === 404) return "There is nothing at this address.";
  return `The server answered with status ${status} and no explanation.`;
}
