// One run: how it stands, its curves while they grow, alerts, settings, evaluation, checkpoints.

import { get, path, query } from "./api.js";
import { chart } from "./charts.js";
import { empty, failure, fill, h } from "./dom.js";
import { ago, count, number, tone } from "./format.js";
import { note, to } from "./router.js";

const POLL_MS = 2000;
const HEADLINES = ["nash_conv", "not_lost", "mean_return"];
const FACTS = [["Environment", "env"], ["Algorithm", "algorithm"], ["Model", "model"], ["Seed", "seed"]];

// Curves that are read together; a name that ends with "/" stands for all names below it.
const GROUPS = [
  ["Return per game", "return/"], ["Win rate", "win_rate/"],
  ["Invalid replies", "", ["invalid_rate", "illegal_rate", "unparsable_rate", "truncated_rate"]],
  ["Entropy and KL", "", ["entropy", "magnet_kl", "kl"]],
  ["Sampler against trainer", "", ["mismatch_kl", "mismatch_kl_p999"]],
  ["Reply length", "", ["reply_tokens"]], ["Loss", "", ["loss"]], ["Gradient norm", "", ["grad_norm"]],
  ["Baselines", "baseline/"], ["Curriculum: chance", "curriculum/chance/"], ["League: games lost", "league/lost/"],
];

export async function page(root, params, app) {
  const { id } = params;
  const run = await get(path`runs/${id}`, app.signal);
  app.title(run.name, [["Runs", "#/"]]);
  const facts = h("div");
  const charts = h("div", { class: "charts" });
  const picker = h("details");
  const trouble = h("div");
  fill(root, heading(run, id), facts, problems(run.problems), alerts(run.alerts), curvesTitle(picker), charts, trouble, below(run, id));
  fill(facts, headline(run));
  app.keys([
    { keys: ["e"], text: "episodes of this run", run: () => { location.hash = to("run", id, "episodes"); } },
    { keys: ["d"], text: "compare two checkpoints", run: () => { location.hash = to("run", id, "diff"); } },
  ]);
  const curves = live(id, charts, picker, params.query.get("metrics"), app);
  try { await curves.load(); } catch (error) { fill(trouble, failure(error)); }
  if (run.status !== "running") return;
  app.every(POLL_MS, async () => {
    try {
      await curves.load();
      const now = await get(path`runs/${id}`, app.signal);
      fill(facts, headline(now));
      fill(trouble);
      return now.status === "running";
    } catch (error) {
      if (!app.signal.aborted) fill(trouble, failure(error));
    }
  });
}

function heading(run, id) {
  return h("div", { class: "heading" },
    h("h1", {}, run.name), h("span", { class: `chip ${tone(run.status)}` }, run.status),
    h("div", { class: "actions" },
      run.has_episodes ? h("a", { class: "button main", href: to("run", id, "episodes") }, "Episodes") : null,
      run.checkpoints?.length > 1 ? h("a", { class: "button", href: to("run", id, "diff") }, "Compare checkpoints") : null));
}

function headline(run) {
  const fact = (name, ...value) => h("div", {}, h("dt", {}, name), h("dd", {}, ...value));
  return h("dl", { class: "card facts" },
    run.headline ? h("div", {}, h("dt", {}, run.headline.name, h("span", {}, run.headline.lower_is_better ? " (less is better)" : " (more is better)")),
      h("dd", { class: "big", "data-headline": run.headline.value }, number(run.headline.value))) : null,
    h("div", {}, h("dt", {}, "Step"), h("dd", { class: "big" }, number(run.step), run.steps ? h("span", { class: "muted" }, ` of ${number(run.steps)}`) : null)),
    FACTS.map(([name, key]) => (run[key] === null || run[key] === undefined ? null : fact(name, String(run[key])))),
    fact("Games", number(run.games)), fact("Last change", ago(run.updated)), fact("Folder", h("code", {}, run.path)));
}

function alerts(list) {
  if (!list?.length) return null;
  return h("section", { "aria-label": "Alerts" },
    h("ul", { class: "alerts" }, list.map((one) => h("li", {}, h("b", {}, `${one.kind} at step ${one.step}`), one.text))));
}

function problems(list) {
  if (!list?.length) return null;
  return h("ul", { class: "alerts", "aria-label": "What could not be read" }, list.map((one) => h("li", {}, h("b", {}, "Not read"), one)));
}

const curvesTitle = (picker) => h("div", { class: "heading" }, h("h2", {}, "Curves"), picker);

/** Curves that are asked for what is new, again and again. */
function live(id, charts, picker, wanted, app) {
  const series = {};
  let last = -1;
  let names = [];
  let drawn = [];
  let chosen = wanted ? new Set(wanted.split(",")) : null;

  const layout = () => {
    drawn = panels(names, chosen).map(([title, prefix, members]) => ({ members, ...chart(title, prefix) }));
    fill(charts, drawn.length ? drawn.map((one) => one.node) : empty(names.length ? "No curve is chosen." : "This run has written no metrics yet."));
    fill(picker, h("summary", {}, `Choose metrics (${count(names.length, "name")})`), choices());
  };
  const choices = () => {
    const shown = new Set(drawn.flatMap((one) => one.members));
    const boxes = names.map((name) => {
      const box = h("input", { type: "checkbox", value: name, checked: shown.has(name), change: pick });
      return h("label", {}, box, name);
    });
    return [h("div", { class: "picker card" }, boxes),
      h("div", { class: "bar" }, h("button", { type: "button", click: () => { chosen = null; note({ metrics: "" }); layout(); update(); } }, "The usual ones"))];
  };
  const pick = () => {
    chosen = new Set([...picker.querySelectorAll("input:checked")].map((box) => box.value));
    note({ metrics: [...chosen].join(",") });
    drawn = panels(names, chosen).map(([title, prefix, members]) => ({ members, ...chart(title, prefix) }));
    fill(charts, drawn.length ? drawn.map((one) => one.node) : empty("No curve is chosen."));
    update();
  };
  const update = () => drawn.forEach((one) => one.update(Object.fromEntries(one.members.map((name) => [name, series[name] ?? []]))));

  return {
    async load() {
      const found = await get(path`runs/${id}/metrics` + query({ after: last >= 0 ? last : "" }), app.signal);
      for (const [name, points] of Object.entries(found.series)) (series[name] ??= []).push(...points.filter(([step]) => step > (series[name].at(-1)?.[0] ?? -Infinity)));
      last = Math.max(last, found.last ?? -1);
      const known = names.length;
      names = found.names;
      if (names.length !== known || !drawn.length) layout();
      update();
    },
  };
}

/** [title, prefix, names] per chart: the usual ones in the order of reading, or what was chosen. */
export function panels(names, chosen) {
  const left = new Set(names);
  const take = (members) => members.filter((name) => left.has(name) && (!chosen || chosen.has(name)) && left.delete(name));
  const judged = HEADLINES.find((name) => left.has(`eval/${name}`)) ?? HEADLINES[0];
  const found = [];
  const kin = take(names.filter((name) => name.startsWith(`eval/${judged}`)).sort((a, b) => a.length - b.length));
  if (kin.length) found.push([kin[0], "eval/", kin.slice(0, 6)]);
  found.push(...take(names.filter((name) => name.startsWith("eval/"))).slice(0, chosen ? undefined : 2).map((name) => [name, "", [name]]));
  for (const [title, prefix, members] of GROUPS) {
    const kept = take(members ?? names.filter((name) => name.startsWith(prefix)));
    if (kept.length) found.push([title, prefix, kept.slice(0, 6)]);
  }
  if (chosen) for (const name of left) if (chosen.has(name)) found.push([name, "", [name]]);
  return found;
}

function below(run, id) {
  return h("div", { class: "two" },
    run.evaluation ? h("section", { class: "card" }, h("h2", {}, "Evaluation"), evaluation(run.evaluation)) : null,
    run.summary ? h("section", { class: "card" }, h("h2", {}, "Summary"), values(run.summary)) : null,
    h("section", { class: "card" }, h("h2", {}, "Checkpoints"),
      run.checkpoints?.length ? h("ul", { class: "plainlist" }, run.checkpoints.map((step) => h("li", { class: "chip" }, `step ${step}`))) : h("p", { class: "muted" }, "No checkpoint has been saved yet.")),
    h("section", { class: "card" }, h("h2", {}, "Recorded episodes"),
      run.recorded_steps?.length
        ? h("ul", { class: "plainlist" }, run.recorded_steps.map((step) => h("li", {}, h("a", { class: "chip live", href: to("run", id, "episodes", { step_min: step, step_max: step }) }, `step ${step}`))))
        : h("p", { class: "muted" }, "No episode of this run has been written down. ", h("code", {}, "recording.every"), " sets how often that happens.")),
    run.config ? h("section", { class: "card" }, h("h2", {}, "Settings"), h("pre", { class: "config", tabindex: "0", "aria-label": "Settings of the run" }, run.config)) : null);
}

/** Win rates as a table; what else was measured as a list, and all of it on demand. */
function evaluation({ win_rates: games, ...rest }) {
  if (!Array.isArray(games) || !games.length) return values(rest);
  const share = (rate, interval) => [number(rate), pair(interval) ? h("small", {}, `${number(interval[0])} to ${number(interval[1])}`) : null];
  const row = (one) => h("tr", {}, h("td", {}, one.opponent ?? "–", h("small", {}, one.env_id)), h("td", { class: "number" }, number(one.total?.games)),
    h("td", { class: "number" }, share(one.total?.win_rate, one.total?.win_interval)), h("td", { class: "number" }, share(one.total?.not_lost_rate, one.total?.not_lost_interval)),
    h("td", { class: "number" }, share(one.total?.mean_return, one.mean_return_interval)));
  const head = [["Against"], ["Games", "number"], ["Won", "number"], ["Not lost", "number"], ["Mean return", "number"]];
  return [
    h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Games of the evaluation" }, h("table", {},
      h("thead", {}, h("tr", {}, head.map(([title, kind]) => h("th", { scope: "col", class: kind }, title)))), h("tbody", {}, games.map(row)))),
    values(rest), h("details", {}, h("summary", {}, "Every figure"), values({ win_rates: games })),
  ];
}

/** Nested values as a list of name and number; an interval is written as such, and lists of records are numbered. */
function values(record) {
  const rows = [];
  const walk = (value, name) => {
    const inner = (key) => (name ? `${name}/${key}` : key);
    if (pair(value)) rows.push([name, `${number(value[0])} to ${number(value[1])}`]);
    else if (Array.isArray(value) && value.every((one) => one === null || typeof one !== "object")) rows.push([name, value.map((one) => number(one)).join(", ")]);
    else if (value !== null && typeof value === "object") for (const [key, one] of Object.entries(value)) walk(one, inner(Array.isArray(value) ? Number(key) + 1 : key));
    else rows.push([name, typeof value === "number" ? number(value, 4) : String(value ?? "–")]);
  };
  walk(record, "");
  return h("dl", { class: "values" }, rows.map(([name, text]) => [h("dt", {}, name), h("dd", {}, text)]));
}

const pair = (value) => Array.isArray(value) && value.length === 2 && value.every((one) => typeof one === "number");
