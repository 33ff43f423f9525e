"""`write_report`: one run folder in, one page out that shows it and needs nothing else, neither network nor script.

What a model wrote is hostile: every text goes through the template's escaping, and the page forbids itself to load
or run anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import Any

from turnwise.algorithms.files import write_atomically
from turnwise.algorithms.games import of_game
from turnwise.algorithms.reporting.alerts import read_alerts
from turnwise.algorithms.reporting.measures import best, column, duration, label, main_measure, shown, with_start
from turnwise.algorithms.reporting.panels import evaluation_panel, training_panels
from turnwise.algorithms.reporting.plots import NARROW, SERIES, WIDE, Panel, draw, inline_svg
from turnwise.algorithms.reporting.report_tables import dialogues, match_row, policy_rows, read_object, read_text
from turnwise.algorithms.reporting.runlog import flat, read_metrics


def write_report(run_dir: Path) -> Path:
    """Read what the run folder holds and write `report.html` into it; what is missing is named on the page.

    Reads config.yaml, metrics.jsonl, alerts.jsonl, summary.json, evaluation.json and games.jsonl.
    Returns: the page's path.
    Raises: RunFolderError where the folder is missing, a file in it is broken, or the page cannot be written.
    """
    run_dir = Path(run_dir)
    records, summary = read_metrics(run_dir), read_object(run_dir / "summary.json") or {}
    page = _render(
        {
            "name": run_dir.resolve().name,
            **_evaluated(with_start(records, summary), read_object(run_dir / "evaluation.json") or {}),
            **_summarised(records, summary),
            **dialogues(run_dir / "games.jsonl"),
            "charts": [_chart(panel, f"chart-{i}") for i, panel in enumerate(training_panels(records))],
            "steps": records[-1]["step"] if records else 0,
            "alerts": [asdict(alert) for alert in read_alerts(run_dir)],
            "config": read_text(run_dir / "config.yaml"),
        }
    )
    write_atomically(run_dir / "report.html", page.encode(errors="replace"))
    return run_dir / "report.html"


def _render(values: Mapping[str, Any]) -> str:
    from jinja2 import Environment, StrictUndefined

    source = (files("turnwise.algorithms.reporting") / "templates/report.html.jinja").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["percent"] = lambda share: f"{100 * float(share):.1f}"
    return environment.from_string(source).render(values)


def _evaluated(records: Sequence[Mapping[str, Any]], evaluation: Mapping[str, Any]) -> dict[str, Any]:
    """The learning curve in two sizes, the table of the policy, and the one of games against others."""
    panel = evaluation_panel(records, evaluation.get("references", {}))
    games = {"": evaluation} | evaluation.get("others", {})
    return {
        "learning": panel and {"wide": _chart(panel, "learning-wide", WIDE), "narrow": _chart(panel, "learning")},
        "evaluation": [row for name, of in games.items() for row in _numbers(of, name)],
        "matches": [match_row(match, name) for name, of in games.items() for match in of.get("win_rates", [])],
        **policy_rows(evaluation.get("policy", [])),
    }


def _numbers(evaluation: Mapping[str, Any], game: str) -> list[tuple[str, str]]:
    """(label, text) of every number of one game's evaluation; `game` is named where it is not the only one."""
    own = flat({name: value for name, value in evaluation.items() if name != "others"})
    numbers = {name: value for name, value in own.items() if isinstance(value, int | float)}
    return [(label(name), shown(name, value)) for name, value in of_game(numbers, game).items()]


def _summarised(records: Sequence[Mapping[str, Any]], summary: Mapping[str, Any]) -> dict[str, Any]:
    found = flat(summary)
    heading = [str(found[name]) for name in ("env", "algorithm", "model") if isinstance(found.get(name), str)]
    if isinstance(found.get("seed"), int):
        heading.append(f"seed {found['seed']}")
    return {
        "heading": heading,
        "cards": _cards(records, found),
        "summary": [(label(name), shown(name, value)) for name, value in found.items()],
    }


def _cards(records: Sequence[Mapping[str, Any]], summary: Mapping[str, Any]) -> list[dict[str, str]]:
    """The headline figures: out of the summary, or out of the metrics of a run that has none yet."""
    cards = [card for card in (_main_card(records, summary),) if card]
    last = flat(records[-1]) if records else {}
    for name in ("illegal_rate", "games", "turns", "seconds"):
        value = summary.get(name, last.get(name))
        if value is not None:
            cards.append({"label": label(name), "value": shown(name, value), "note": ""})
    share = summary.get("time_outside_model")
    if share is not None:
        per_turn = summary.get("us_outside_model_per_turn")
        note = f"{shown('us_', per_turn)} per turn" if per_turn is not None else ""
        cards.append({"label": "Time outside the model", "value": shown("time_outside_model", share), "note": note})
    if "seconds" not in summary:
        _, seconds = column(records, "time/step")
        if seconds:
            cards.append({"label": "Time so far", "value": duration(sum(seconds)), "note": ""})
    return cards


def _main_card(records: Sequence[Mapping[str, Any]], summary: Mapping[str, Any]) -> dict[str, str] | None:
    measured = [record["eval"] for record in records if isinstance(record.get("eval"), Mapping)]
    name = main_measure(measured[0]) if measured else ("nash_conv" if "nash_conv" in summary else None)
    if name is None:
        return None
    _, values = column(records, f"eval/{name}")
    start = summary.get(f"{name}_start", values[0] if values else None)
    value = summary.get(name, values[-1] if values else None)
    notes = [f"start {shown(name, start)}"] if start is not None else []
    notes += [f"best {shown(name, best(name, values))}"] if values else []
    return {"label": label(name), "value": shown(name, value), "note": ", ".join(notes)}


def _chart(panel: Panel, name: str, size: tuple[float, float] = NARROW) -> dict[str, Any]:
    from markupsafe import Markup

    ends = ", ".join(f"{curve.label} {curve.y[-1]:.4g}" for curve in panel.curves)
    svg = inline_svg(draw(panel, size), name, f"{panel.title} over {panel.along}; at the end: {ends}")
    legend = [(number % len(SERIES), curve.label) for number, curve in enumerate(panel.curves)]
    return {
        "title": panel.title,
        "svg": Markup(svg),  # our own drawing; what text it holds was escaped on the way in
        "legend": [] if [text for _, text in legend] == [panel.title] else legend,
    }
