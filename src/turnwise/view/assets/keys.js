// One list of keys for the whole page: what is open adds its own, and "?" shows them all.

import { h } from "./dom.js";

let bindings = [];

/** Adds [{keys: ["j"], text: "next row", run: event => ...}, ...] until the signal is aborted. */
export function bind(more, signal) {
  bindings = [...more, ...bindings];
  signal?.addEventListener("abort", () => { bindings = bindings.filter((one) => !more.includes(one)); });
}

const typing = (node) => node instanceof HTMLElement && (node.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(node.tagName));

export function start() {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    if (typing(event.target)) {
      if (event.key === "Escape") { event.target.blur(); event.preventDefault(); }
      return;
    }
    const found = bindings.find((one) => one.keys.includes(event.key));
    if (!found) return;
    event.preventDefault();
    found.run(event);
  });
}

const SHOWN = { ArrowDown: "↓", ArrowUp: "↑", ArrowLeft: "←", ArrowRight: "→", Escape: "Esc", " ": "Space" };

/** Shows what keys there are now. */
export function help() {
  const rows = [...bindings, { keys: ["Enter"], text: "open what has the focus" }].filter((one) => one.text);
  const close = h("button", { type: "button", click: () => dialog.close() }, "Close");
  const dialog = h("dialog", { class: "keys", "aria-labelledby": "keys-title", close: () => dialog.remove() },
    h("h2", { id: "keys-title" }, "Keys on this page"),
    h("dl", {}, rows.map((one) => [
      h("dt", {}, one.keys.map((key) => h("kbd", {}, SHOWN[key] ?? key))),
      h("dd", {}, one.text),
    ])),
    close);
  document.body.append(dialog);
  dialog.showModal();
  close.focus();
}
