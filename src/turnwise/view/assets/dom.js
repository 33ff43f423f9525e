// Builds elements. All that a model, an environment or a tool wrote goes through here as a text node, never as markup.

const SVG = "http://www.w3.org/2000/svg";
const FORBIDDEN = /^(on.*|style|srcdoc|src|action|formaction)$/i;

/** An HTML element: h("a", {href: "#/", class: "x", click: event => ...}, "text", child, [more]). */
export function h(name, props, ...children) {
  return build(document.createElement(name), props, children);
}

/** The same for SVG. */
export function s(name, props, ...children) {
  return build(document.createElementNS(SVG, name), props, children);
}

function build(node, props, children) {
  for (const [key, value] of Object.entries(props ?? {})) set(node, key, value);
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

function set(node, key, value) {
  if (value === null || value === undefined || value === false) return;
  if (typeof value === "function") node.addEventListener(key, value);
  else if (key === "vars") for (const [name, amount] of Object.entries(value)) node.style.setProperty(name, amount);
  else if (FORBIDDEN.test(key)) throw new Error(`the attribute ${key} is never set from a page`);
  else if (key === "href" && !/^(#|\/(?!\/))/.test(value)) throw new Error("a link leads to a place in these pages");
  else node.setAttribute(key, value === true ? "" : String(value));
}

/** Puts new children in place of all there are. */
export function fill(node, ...children) {
  node.replaceChildren(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** Says a short sentence to a screen reader. */
export function say(text) {
  document.getElementById("said").textContent = text;
}

/** What a place shows while it waits, where there is nothing, and where something went wrong. */
export const loading = (text = "Loading…") => h("p", { class: "state busy", role: "status" }, text);
export const empty = (...text) => h("div", { class: "state" }, ...text);
export const failure = (error, again) =>
  h("div", { class: "state failed", role: "alert" },
    h("p", {}, error.message || String(error)),
    again && h("button", { type: "button", click: again }, "Try again"));

/** A labelled select; options are values or [value, text] pairs. */
export function choice(label, options, value, change, props = {}) {
  const box = h("select", { ...props, change: () => change(box.value) },
    options.map((option) => {
      const [id, text] = Array.isArray(option) ? option : [option, option];
      return h("option", { value: id }, text);
    }));
  box.value = value ?? "";
  return h("label", { class: "field" }, h("span", {}, label), box);
}

/** A labelled input. `change` gets the new value, 300 ms after the last key, or at once when it is left. */
export function field(label, value, change, props = {}) {
  let timer = 0;
  const told = () => { clearTimeout(timer); timer = 0; change(box.value); };
  const box = h("input", {
    type: "text", autocomplete: "off", spellcheck: "false", ...props,
    input: () => { clearTimeout(timer); timer = setTimeout(told, 300); },
    change: () => { if (timer) told(); },
  });
  box.value = value ?? "";
  return h("label", { class: "field" }, h("span", {}, label), box);
}

/** Moves the focus to the next (1) or the one before (-1) of the elements; to the first where none has it. */
export function step(elements, by) {
  const all = [...elements];
  if (!all.length) return;
  const now = all.findIndex((element) => element === document.activeElement || element.contains(document.activeElement));
  const next = all[now < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(all.length - 1, Math.max(0, now + by))];
  next.focus();
  next.scrollIntoView({ block: "nearest" });
}
