"""What the numbers of a run are called, how they are printed, and which way is better."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

LABELS = {
    "nash_conv": "NashConv",
    "exploitability": "Exploitability",
    "not_lost": "Games not lost",
    "us_outside_model_per_turn": "Outside the model, per turn",
    "time_outside_model": "Outside the model, share of time",
    "illegal_rate": "Illegal replies",
    "invalid_rate": "Invalid replies",
    "unparsable_rate": "Unparsable replies",
    "truncated_rate": "Truncated replies",
    "seconds": "Time",
    "magnet_kl": "KL to the magnet",
    "mismatch_kl": "KL between sampler and trainer",
    "mismatch_kl_p999": "KL between sampler and trainer, worst thousandth of tokens",
    "grad_norm": "Gradient norm",
    "reply_tokens": "Tokens per reply",
}
_ENDINGS = {
    "_start": ", at the start",
    "_best": ", best",
    "_last": ", last weights",
    "_mean": ", running mean of weights",
    "_uniform": ", uniform play",
}
_LOWER = ("nash_conv", "exploitability", "loss")
_SHARES = ("_rate", "illegal_mass", "time_outside_model", "clip_fraction", "not_lost")


def label(name: str) -> str:
    """How a measure is called in print: `win_rate/player_0` -> `Win rate, player_0`."""
    if name in LABELS:
        return LABELS[name]
    head, *rest = name.split("/")
    stem, ending = _stem(head)
    words = LABELS.get(head, LABELS.get(stem, "") and LABELS[stem] + _ENDINGS.get(ending, ""))
    return ", ".join([words or head.replace("_", " ").capitalize(), *rest])


def shown(name: str, value: Any) -> str:
    """A value in print, by the name of its measure: shares in percent, seconds in minutes, counts with commas."""
    if value is None:
        return "-"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if not math.isfinite(value):
        return "-"
    if name == "seconds" or name.endswith("_seconds"):
        return duration(value)
    if name.startswith("us_"):
        return f"{value:,.0f} µs"
    if is_share(name):
        return f"{100 * value:.2f}%" if 0 < abs(value) < 0.01 else f"{100 * value:.1f}%"
    if isinstance(value, int):
        return f"{value:,}" if name != "seed" else str(value)
    return f"{value:.4g}" if abs(value) < 1e-3 or abs(value) >= 1e5 else f"{value:.3f}"


def is_share(name: str) -> bool:
    """Whether the values of this measure are shares of 1."""
    stem, _ = _stem(name.split("/")[0])
    return stem.endswith(_SHARES) and stem != "learning_rate"


def duration(seconds: float) -> str:
    """`42 s`, `4 min 12 s`, `2 h 05 min`."""
    if seconds < 59.5:
        return f"{seconds:.0f} s" if seconds >= 9.95 else f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min"


def lower_is_better(name: str) -> bool:
    """Whether a smaller value of this measure is the better one."""
    return name.split("/")[-1].startswith(_LOWER)


def main_measure(evaluation: Mapping[str, Any]) -> str | None:
    """The measure of an evaluation to look at first: `nash_conv` where there is one, else the first number."""
    numbers = [name for name, value in evaluation.items() if isinstance(value, int | float)]
    return "nash_conv" if "nash_conv" in numbers else next(iter(numbers), None)


def best(name: str, values: Iterable[float]) -> float:
    """The best of the values of this measure. Raises ValueError where there are none."""
    return min(values) if lower_is_better(name) else max(values)


def column(records: Sequence[Mapping[str, Any]], name: str, along: str = "step") -> tuple[list[float], list[float]]:
    """(values of `along`, values of `name`) of the records that hold both; nested names are joined with `/`."""
    found = [(dig(record, along), dig(record, name)) for record in records]
    pairs = [(float(x), float(y)) for x, y in found if isinstance(x, int | float) and isinstance(y, int | float)]
    return [x for x, _ in pairs], [y for _, y in pairs]


def with_start(records: Sequence[Mapping[str, Any]], summary: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The records, led by one of step 0: the main measure before the first update, where the summary knows it."""
    measured = [record["eval"] for record in records if isinstance(record.get("eval"), Mapping)]
    name = main_measure(measured[0]) if measured else None
    start = None if name is None else summary.get(f"{name}_start")
    if start is None or records[0]["step"] < 1:
        return list(records)
    return [{"step": 0, "games": 0, "turns": 0, "eval": {name: start}}, *records]


def dig(record: Mapping[str, Any], name: str) -> Any:
    """The value under `name`, which may be a key itself or lead inwards: `return/player_0`, `eval/nash_conv`."""
    if name in record:
        return record[name]
    head, _, rest = name.partition("/")
    inner = record.get(head)
    return dig(inner, rest) if rest and isinstance(inner, Mapping) else None


def names_under(records: Sequence[Mapping[str, Any]], group: str) -> list[str]:
    """All names `group/...` that any record holds, written flat (`return/player_0`) or nested (`eval`), in order."""
    names: dict[str, None] = {}
    for record in records:
        names |= dict.fromkeys(name for name in record if name.startswith(f"{group}/"))
        inner = record.get(group)
        if isinstance(inner, Mapping):
            names |= dict.fromkeys(f"{group}/{name}" for name in inner)
    return list(names)


def _stem(name: str) -> tuple[str, str]:
    """`nash_conv_best` -> (`nash_conv`, `_best`)."""
    ending = next((ending for ending in _ENDINGS if name.endswith(ending)), "")
    return name.removesuffix(ending), ending
