"""`write_report`: one run folder in, one page out that shows it and needs nothing else, neither network nor script.

What a model wrote is hostile: every text goes through the template's escaping, and the page forbids itself to load
or run anything.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from turnwise.algorithms.files import RunFolderError, write_atomically
from turnwise.algorithms.measures import best, column, duration, label, main_measure, shown
from turnwise.algorithms.panels import evaluation_panel, training_panels
from turnwise.algorithms.plots import NARROW, SERIES, WIDE, Panel, draw, inline_svg
from turnwise.algorithms.runlog import flat, read_metrics
from turnwise.records import Episode, RecordError

_MOST_STATES, _MOST_GAMES = 200, 12


def write_report(run_dir: Path) -> Path:
    """Read what the run folder holds and write `report.html` into it; what is missing is named on the page.

    Reads config.yaml, metrics.jsonl, summary.json, evaluation.json and games.jsonl. Returns the page's path.
    Raises: RunFolderError where the folder is missing, a file in it is broken, or the page cannot be written.
    """
    run_dir = Path(run_dir)
    records = read_metrics(run_dir)
    page = _render(
        {
            "name": run_dir.resolve().name,
            **_evaluated(records, _read_object(run_dir / "evaluation.json")),
            **_summarised(records, _read_object(run_dir / "summary.json")),
            **_games(run_dir / "games.jsonl"),
            "charts": [_chart(panel, f"chart-{i}") for i, panel in enumerate(training_panels(records))],
            "steps": records[-1]["step"] if records else 0,
            "config": _read_text(run_dir / "config.yaml"),
        }
    )
    write_atomically(run_dir / "report.html", page.encode(errors="replace"))
    return run_dir / "report.html"


def _render(values: Mapping[str, Any]) -> str:
    from jinja2 import Environment, StrictUndefined

    source = (files("turnwise.algorithms") / "templates/report.html.jinja").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["percent"] = lambda share: f"{100 * float(share):.1f}"
    return environment.from_string(source).render(values)


def _evaluated(records: Sequence[Mapping[str, Any]], evaluation: Mapping[str, Any] | None) -> dict[str, Any]:
    """The learning curve in two sizes and the table of the policy."""
    found = evaluation or {}
    panel = evaluation_panel(records, found.get("references", {}))
    states = list(found.get("policy", []))
    numbers = {name: value for name, value in flat(found).items() if isinstance(value, int | float)}
    return {
        "learning": panel and {"wide": _chart(panel, "learning-wide", WIDE), "narrow": _chart(panel, "learning")},
        "states": [_state(state) for state in states[:_MOST_STATES]],
        "states_left_out": max(0, len(states) - _MOST_STATES),
        "evaluation": [(label(name), shown(name, value)) for name, value in numbers.items()],
        "references": found.get("references", {}),
    }


def _state(state: Mapping[str, Any]) -> dict[str, Any]:
    """One row of the policy's table; a band is where an equilibrium may put an action's probability."""
    bands = state.get("equilibrium") or {}
    rows = [
        {
            "action": action,
            "probability": float(p),
            "band": tuple(map(float, bands[action])) if action in bands else None,
        }
        for action, p in state["actions"].items()
    ]
    names = ("key", "seat", "observation")
    illegal = shown("illegal_mass", state.get("illegal_mass"))
    return {name: str(state.get(name, "")) for name in names} | {"rows": rows, "illegal": illegal}


def _summarised(records: Sequence[Mapping[str, Any]], summary: Mapping[str, Any] | None) -> dict[str, Any]:
    found = flat(summary or {})
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


def _games(path: Path) -> dict[str, Any]:
    """Sample games as dialogues. A last line without its newline is torn, and left out."""
    text = _read_text(path) or ""
    whole = text[: text.rfind("\n") + 1].split("\n")[:-1]
    try:
        episodes = [Episode.from_json(line) for line in whole[:_MOST_GAMES]]
    except RecordError as error:
        raise RunFolderError(f"{path} holds a line that is no episode ({error}): mend or delete it") from None
    return {"games": [_dialogue(episode) for episode in episodes], "games_left_out": max(0, len(whole) - _MOST_GAMES)}


def _dialogue(episode: Episode) -> dict[str, Any]:
    seats = {seat: number for number, seat in enumerate(episode.seats)}
    return {
        "title": episode.env_id if episode.seed is None else f"{episode.env_id}, seed {episode.seed}",
        "status": episode.status,
        "seats": [(seats[seat], seat, agent, f"{episode.returns[seat]:+g}") for seat, agent in episode.seats.items()],
        "turns": [
            {
                "number": seats[turn.seat] % 4,
                "seat": turn.seat,
                "read": [(message.role, message.content) for message in turn.observation],
                "text": turn.text,
                "action": turn.action,
                "status": turn.status,
                "reward": f"{turn.reward:+g}" if turn.reward else "",
            }
            for turn in episode.turns
        ],
    }


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


def _read_text(path: Path) -> str | None:
    """The file's text, or None where there is no such file."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise RunFolderError(f"{path} could not be read: {error}; mend or delete it") from error


def _read_object(path: Path) -> dict[str, Any] | None:
    text = _read_text(path)
    if text is None:
        return None
    try:
        found = json.loads(text)
    except ValueError as error:
        raise RunFolderError(f"{path} is not JSON ({error}): mend or delete it") from None
    if not isinstance(found, dict):
        raise RunFolderError(f"{path} holds a JSON object: got {type(found).__name__}")
    return found
