"""One episode as a page of its own: no script, nothing from elsewhere, every text escaped."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

SHADES = 5
"""Strengths of colour each way."""


def export(found: Mapping[str, Any], source: str) -> str:
    """HTML of what `transcript` returned. source: where the episode lies."""
    from jinja2 import Environment, StrictUndefined

    text = (files("turnwise.view") / "templates/episode.html.jinja").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    most = max((abs(x) for turn in found["turns"] for x in _advantages(turn)), default=0.0)
    turns = [
        dict(turn) | {"shown": [_shown(token, most) for token in turn["tokens"] or ()], "calls": _calls(turn)}
        for turn in found["turns"]
    ]
    episode = found["episode"]
    values = {"episode": episode, "turns": turns, "most": most, "source": source, "facts": _facts(episode)}
    return environment.from_string(text).render(values)


def name_of(episode_id: str) -> str:
    """A file name of nothing but harmless characters."""
    return f"episode-{re.sub(r'[^A-Za-z0-9._-]+', '-', episode_id).strip('.-')[:80] or 'x'}.html"


def _facts(episode: Mapping[str, Any]) -> list[tuple[str, str]]:
    names = ("id", "status", "step", "kind", "seed", "task", "level", "group", "ground_truth")
    found = [(name.replace("_", " "), str(episode[name])) for name in names if episode[name] is not None]
    found += [
        (f"{seat}, held by {agent}", f"return {episode['returns'][seat]:+.4g}")
        for seat, agent in episode["seats"].items()
    ]
    return found


def _advantages(turn: Mapping[str, Any]) -> Sequence[float]:
    return [token["advantage"] for token in turn["tokens"] or () if token["advantage"] is not None]


def _shown(token: Mapping[str, Any], most: float) -> dict[str, str]:
    """Text, class and explanation of a token."""
    advantage = token["advantage"]
    if advantage is None:
        return {"text": token["text"], "shade": "untrained", "title": "not trained"}
    strength = round(SHADES * abs(advantage) / most) if most else 0
    shade = f"{'plus' if advantage > 0 else 'minus'}-{strength}" if strength else "trained"
    return {"text": token["text"], "shade": shade, "title": f"advantage {advantage:+.4g}, log p {token['logprob']:.4g}"}


def _calls(turn: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(call["name"], json.dumps(call["arguments"], ensure_ascii=False)) for call in turn["tool_calls"]]
