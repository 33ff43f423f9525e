"""A checkpoint as a plain model folder with a model card: what was trained, how, and how well it does."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from turnwise import __version__
from turnwise.algorithms.checkpoint import check, checkpoint_path, newest, steps_saved, weights_of
from turnwise.algorithms.files import RunFolderError, write_atomically
from turnwise.algorithms.reporting.measures import label, shown
from turnwise.algorithms.reporting.provenance import commit

FIGURES = ("nash_conv", "exploitability", "not_lost", "win_rate", "return", "illegal_rate", "truncated_rate")
"""Figures of a summary that a card names, with everything below them (`win_rate/random`)."""


def export_model(run: Path, out: Path, step: int | None = None) -> dict[str, Any]:
    """Copy a run's weights to `out`, a folder that transformers and vLLM load, and write its README.md.

    step: of the checkpoint; None for the newest. Returns what was written.
    Raises RunFolderError where there is no such checkpoint, ValueError where `out` holds something else.
    """
    checkpoint = _checkpoint(run, step)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ValueError(f"{out} is not empty: give a new folder for the model")
    shutil.copytree(weights_of(checkpoint), out, dirs_exist_ok=True)
    if (checkpoint / "adapter").is_dir():
        shutil.copytree(checkpoint / "adapter", out / "adapter")
    saved = int(checkpoint.name.removeprefix("step-"))
    write_atomically(out / "README.md", card(run, saved, last=newest(run) == checkpoint))
    return {"to": "hf", "out": str(out), "step": saved, "files": sorted(path.name for path in out.iterdir())}


def _checkpoint(run: Path, step: int | None) -> Path:
    """A whole checkpoint of the run."""
    steps = steps_saved(run)
    if not steps:
        raise RunFolderError(f"{run} is no run with a checkpoint: give a run folder that turnwise train has written")
    if step is not None and step not in steps:
        raise RunFolderError(f"{run} has no checkpoint of step {step}: there are {', '.join(map(str, steps))}")
    found = checkpoint_path(run, steps[-1] if step is None else step)
    check(found)
    return found


def card(run: Path, step: int, *, last: bool) -> str:
    """The model card, Markdown with a YAML head. last: the weights are those that the summary's figures are of."""
    summary, config = _object(run / "summary.json"), _config(run / "config.yaml")
    env, algorithm = config.get("env", {}), config.get("algorithm", {})
    figures = _figures(summary) if last else {}
    parts = [
        _head(run.resolve().name, config, figures),
        f"# {run.resolve().name}\n",
        f"A language model trained with turnwise {__version__} to play `{env.get('id')}` by {algorithm.get('name')}, "
        f"after {step:,} updates.\n",
        _table("What was trained", _facts(config, summary, step)),
        _table("Figures", {label(name): shown(name, value) for name, value in figures.items()})
        if figures
        else "No figures are known of these weights: the run was not evaluated at its end, or went on after them.\n",
        f"Evaluated with turnwise on seeds that training never saw. {_weights(summary)}\n" if figures else "",
        _use(),
        "## Settings\n\n```yaml\n" + _fenced(run / "config.yaml") + "```\n",
    ]
    return "\n".join(part for part in parts if part)


def _head(name: str, config: Mapping[str, Any], figures: Mapping[str, Any]) -> str:
    import yaml

    model = config.get("model", {}).get("path")
    env = str(config.get("env", {}).get("id"))
    metrics = [{"type": key.replace("/", "_"), "name": label(key), "value": value} for key, value in figures.items()]
    results = [{"task": {"type": "reinforcement-learning"}, "dataset": {"type": env, "name": env}, "metrics": metrics}]
    head: dict[str, Any] = {
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
        "tags": ["turnwise", "reinforcement-learning", "text-game", env],
        **({"base_model": model} if model and re.fullmatch(r"[\w.-]+/[\w.-]+", model) else {}),
        **({"model-index": [{"name": name, "results": results}]} if metrics else {}),
    }
    return f"---\n{yaml.safe_dump(head, sort_keys=False, allow_unicode=True)}---\n"


def _facts(config: Mapping[str, Any], summary: Mapping[str, Any], step: int) -> dict[str, str]:
    found: dict[str, Any] = {
        "environment": config.get("env", {}).get("id"),
        "its arguments": json.dumps(config.get("env", {}).get("kwargs") or {}),
        "invalid replies": config.get("env", {}).get("invalid"),
        "opponent": config.get("agent", {}).get("opponent"),
        "recipe": config.get("algorithm", {}).get("name"),
        "model it began from": config.get("model", {}).get("path") or "built on the spot (tiny)",
        "seed": config.get("seed"),
        "updates": f"{step:,}",
        "games": summary.get("games"),
        "sampled tokens": summary.get("tokens"),
        "training time": None if "seconds" not in summary else shown("seconds", summary["seconds"]),
        "turnwise": __version__ + (f" ({found_commit[:12]})" if (found_commit := commit()) else ""),
    }
    return {
        name: f"{value:,}" if isinstance(value, int) and name != "seed" else str(value)
        for name, value in found.items()
        if value is not None
    }


def _figures(summary: Mapping[str, Any]) -> dict[str, float]:
    return {
        name: value
        for name, value in summary.items()
        if name.split("/")[0] in FIGURES and isinstance(value, int | float) and not isinstance(value, bool)
    }


def _weights(summary: Mapping[str, Any]) -> str:
    mean = summary.get("weights") == "running mean"
    return "The weights are the running mean over the run's updates." if mean else "The weights are the last ones."


def _table(title: str, rows: Mapping[str, str]) -> str:
    lines = [f"| {name} | {value.replace('|', '/')} |" for name, value in rows.items()]
    return "\n".join([f"## {title}\n", "| | |", "|---|---|", *lines, ""])


def _use() -> str:
    return (
        "## Use\n\n```python\nfrom transformers import AutoModelForCausalLM, AutoTokenizer\n\n"
        'model = AutoModelForCausalLM.from_pretrained("FOLDER")\n'
        'tokenizer = AutoTokenizer.from_pretrained("FOLDER")\n```\n\n'
        "It speaks in the chat template of its tokenizer; `turnwise eval FOLDER` lets it play.\n"
    )


def _fenced(path: Path) -> str:
    return path.read_text(encoding="utf-8").replace("```", "'''") if path.exists() else "unknown\n"


def _config(path: Path) -> dict[str, Any]:
    import yaml

    found = yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else {}
    return found if isinstance(found, dict) else {}


def _object(path: Path) -> dict[str, Any]:
    found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return found if isinstance(found, dict) else {}
