"""Which charts the report of a run shows: metrics records in, panels out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from turnwise.algorithms.reporting.measures import column, is_share, label, main_measure, names_under
from turnwise.algorithms.reporting.plots import Curve, Panel

Records = Sequence[Mapping[str, Any]]

TIME_PARTS = ("rollout", "credit", "pack", "update")
MEASURES = ("nash_conv", "not_lost", "mean_return")
GROUPS = (
    *("return", "win_rate", "baseline", "curriculum/chance", "curriculum/value", "league/lost"),
    *(f"eval/{measure}" for measure in MEASURES),
)
"""What is drawn together: each line is called by what follows the group."""
_WORTH_DRAWING = 0.005  # share of the whole time


def evaluation_panel(records: Records, references: Mapping[str, float]) -> Panel | None:
    """The main measure over training with its kin (`nash_conv_last`, ...); None where nothing was evaluated."""
    measured = [record["eval"] for record in records if isinstance(record.get("eval"), Mapping)]
    main = main_measure(measured[0]) if measured else None
    if main is None:
        return None
    x, y = column(records, f"eval/{main}")
    reported = dict(zip(x, y, strict=True))
    curves = [Curve(label(main), x, y)]
    for name in measured[-1]:
        if name == main or not name.split("/")[0].startswith(main):
            continue
        x, y = column(records, f"eval/{name}")
        if y != [reported.get(step) for step in x]:
            curves.append(Curve(label(name), x, y))
        elif "/" not in name:  # what is reported, under the name that says what it is
            curves[0] = Curve(label(name), curves[0].x, curves[0].y)
    lines = tuple(references.items())
    return Panel(title=label(main), curves=tuple(curves), share=is_share(main), references=lines, markers=True)


def training_panels(records: Records) -> list[Panel]:
    """The other charts, in the order of reading; those that no record has numbers for are left out."""
    panels = [
        *_other_evaluations(records),
        _panel(records, "Return per seat", names_under(records, "return"), unit="per game"),
        _panel(records, "Win rate", names_under(records, "win_rate"), share=True),
        _panel(
            records,
            "Replies that were not valid",
            ["invalid_rate", "illegal_rate", "unparsable_rate", "truncated_rate"],
            share=True,
        ),
        _panel(records, "Entropy and KL", ["entropy", "magnet_kl"], unit="nats per token"),
        _panel(records, "Sampler against trainer", ["mismatch_kl", "mismatch_kl_p999"], unit="nats per token"),
        _panel(records, "Reply length", ["reply_tokens"], unit="tokens"),
        _panel(records, "Baselines", names_under(records, "baseline"), unit="return"),
        _panel(records, "Curriculum: chance", names_under(records, "curriculum/chance"), share=True),
        _panel(records, "Curriculum: value", names_under(records, "curriculum/value"), unit="mean |advantage|"),
        _panel(records, "League: games lost", names_under(records, "league/lost"), share=True),
        _panel(records, "Gradient norm", ["grad_norm"]),
        time_panel(records),
    ]
    return [panel for panel in panels if panel is not None]


def time_panel(records: Records) -> Panel | None:
    """Seconds per step by part; what no part accounts for is `other`."""
    x, whole = column(records, "time/step")
    if not x:
        return None
    parts = {name: dict(zip(*column(records, f"time/{name}"), strict=True)) for name in TIME_PARTS}
    curves = [Curve(name, x, [seconds.get(step, 0.0) for step in x]) for name, seconds in parts.items() if seconds]
    known = [sum(heights) for heights in zip(*(curve.y for curve in curves), strict=True)] or [0.0] * len(x)
    rest = [max(0.0, total - part) for total, part in zip(whole, known, strict=True)]
    if sum(rest) > _WORTH_DRAWING * sum(whole):
        curves.append(Curve("other", x, rest))
    return Panel(title="Time per step", unit="seconds", curves=tuple(curves), stacked=True)


def _panel(records: Records, title: str, names: Sequence[str], **settings: Any) -> Panel | None:
    curves = [(name, *column(records, name)) for name in names]
    drawn = tuple(Curve(_short(name), x, y) for name, x, y in curves if x)
    return Panel(title=title, curves=drawn, **settings) if drawn else None


def _other_evaluations(records: Records) -> list[Panel | None]:
    """Of a run of several games, the measures that the main chart has nothing of."""
    measured = [record["eval"] for record in records if isinstance(record.get("eval"), Mapping)]
    main = main_measure(measured[0]) if measured else None
    panels = []
    for measure in [measure for measure in MEASURES if measure != main]:
        names = [name for name in names_under(records, "eval") if name.startswith(f"eval/{measure}/")]
        finest = [name for name in names if not any(other.startswith(f"{name}/") for other in names)]
        panels.append(_panel(records, label(measure), finest, share=is_share(measure), markers=True))
    return panels


def _short(name: str) -> str:
    """The line's own name: within a group what follows the group."""
    for group in GROUPS:
        if name.startswith(f"{group}/"):
            return name.removeprefix(f"{group}/")
    return label(name)
