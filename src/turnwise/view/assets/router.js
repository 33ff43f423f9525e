// Addresses: the part behind # names a page, its ids and, after a question mark, what it shows.

const ROUTES = [
  ["", "runs"],
  ["run/:id", "run"],
  ["run/:id/episodes", "episodes"],
  ["run/:id/episode/:key", "episode"],
  ["run/:id/tree/:group", "tree"],
  ["run/:id/diff", "diff"],
  ["play", "play"],
  ["play/:sid", "play"],
];

/** What was open last: the lists begin there when one comes back. */
export const visited = { run: null, episode: null };

/** {name, params} of an address such as "#/run/x/episodes?env=a"; params.query is a URLSearchParams. null: no page. */
export function match(hash) {
  const [place, search = ""] = splitOnce(hash.replace(/^#?\/?/, ""), "?");
  const parts = place.split("/").filter(Boolean).map(decode);
  for (const [pattern, name] of ROUTES) {
    const names = pattern.split("/").filter(Boolean);
    if (names.length !== parts.length) continue;
    if (!names.every((part, i) => part.startsWith(":") || part === parts[i])) continue;
    const params = Object.fromEntries(names.flatMap((part, i) => (part.startsWith(":") ? [[part.slice(1), parts[i]]] : [])));
    return { name, params: { ...params, query: new URLSearchParams(search) } };
  }
  return null;
}

/** to("run", id, "episodes", {env: "x"}): an address with each part encoded and empty values left out. */
export function to(...parts) {
  const search = typeof parts.at(-1) === "object" && parts.at(-1) !== null ? parts.pop() : {};
  const given = Object.entries(search).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  const tail = given.length ? `?${new URLSearchParams(given)}` : "";
  return `#/${parts.map((part) => encodeURIComponent(part)).join("/")}${tail}`;
}

/** Changes what stands behind the question mark of the present address, without drawing the page again. */
export function note(changes, { push = false } = {}) {
  const [place, search = ""] = splitOnce(location.hash || "#/", "?");
  const values = new URLSearchParams(search);
  for (const [key, value] of Object.entries(changes)) {
    if (value === "" || value === null || value === undefined) values.delete(key);
    else values.set(key, value);
  }
  const address = values.size ? `${place}?${values}` : place;
  if (address !== location.hash) history[push ? "pushState" : "replaceState"](null, "", address);
  return values;
}

function splitOnce(text, mark) {
  const at = text.indexOf(mark);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}

function decode(part) {
  try { return decodeURIComponent(part); } catch { return part; }
}
