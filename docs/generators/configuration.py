"""The configuration reference: every setting with its type, its default and what it means, read from configs/.

A key's meaning is the comment on its line, its default the value there; the type is the record's.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from turnwise.algorithms.credit import CREDITS
from turnwise.algorithms.explained import keys_of
from turnwise.algorithms.explore import EXPLORERS
from turnwise.algorithms.guards import GUARDS
from turnwise.algorithms.settings import RunSettings

CONFIGS = Path(__file__).resolve().parent.parent.parent / "configs"
PARTS: dict[str, dict[str, str]] = {
    "The run": {"train.yaml": "What every run has."},
    "env: which game": {
        "env/kuhn_poker.yaml": "Each environment's option has these four; `env.kwargs` are the arguments of its game, "
        "which [environments.md](environments.md) lists."
    },
    "agent: how the policy speaks, and to whom": {
        "agent/self_play.yaml": "`agent=self_play`, the default.",
        "agent/league.yaml": "`agent=league`; `agent=fixed_opponent` takes `agent.opponent` alone.",
    },
    "engine: what samples the tokens": {
        "engine/local.yaml": "`engine=local`, the default.",
        "engine/vllm.yaml": "`engine=vllm`",
        "engine/openai.yaml": "`engine=openai`. Opponents behind a server have the same settings below `agent.api`.",
    },
    "launcher: how many processes": {"launcher/ray.yaml": "`launcher=ray`; `launcher=local`, the default, has none."},
    "model: which weights learn": {
        "model/tiny.yaml": "`model=tiny`, the default.",
        "model/pretrained.yaml": "`model=PATH_OR_HUB_ID`",
    },
    "algorithm: what is learned from": {
        "objective/policy_gradient.yaml": "What every recipe starts from; a recipe changes some of it.",
        "objective/terms.yaml": "Terms that a recipe may take, each with its defaults.",
    },
    "curriculum: what is played next": {"curriculum/sec.yaml": "`curriculum=sec`; without one, games take turns."},
    "evaluation: how well it plays": {"evaluation/default.yaml": ""},
}
"""Heading -> file -> what is said of it."""
SWEEP = ("experiment/kuhn_rae_ablation.yaml", "sweep")
METHODS: dict[str, tuple[str, Mapping[str, Any]]] = {
    "Ways of sampling": ("algorithm.explore_settings", EXPLORERS),
    "Credit": ("algorithm.credit_settings", CREDITS),
    "Guards": ("algorithm.objective.guard_settings", GUARDS),
}
"""Heading -> where the settings of the one that is chosen stand, and all there are."""
ABOUT = """\
# Configuration

Every setting of `turnwise train`, with its default and its unit. On the command line it is `KEY=VALUE`; `GROUP=NAME`
chooses an option of a group, which are the folders of [configs/](../configs/). A later group wins: the order is agent,
engine, launcher, curriculum, algorithm, env, evaluation, train.yaml itself, model, experiment, the command line.
`--dry-run` prints what comes of it, a misspelt name gets the nearest one, and what cannot be is refused before
anything is loaded.

A list is `[a,b]`, a mapping `{a: 1}`; `null` is nothing. Quote what the shell would read: `'env.levels=[easy,hard]'`.

Written by `python docs/generate.py` from the YAML files and the records that they fill.
"""


NAMES: dict[Any, str] = {type(None): "null"}
"""What types are called where Python's own name would not do."""


class Row(NamedTuple):
    """One setting."""

    key: str
    default: str
    meaning: str


def pages() -> dict[str, str]:
    """Path below docs/ -> text."""
    types = dict(_types(RunSettings))
    parts = [ABOUT]
    for heading, sources in PARTS.items():
        parts.append(f"## {heading}\n")
        for file, said in sources.items():
            rows = rows_of((CONFIGS / file).read_text(encoding="utf-8"))
            parts.append("\n".join([*([said, ""] if said else []), _table(rows, types), ""]))
    meanings = _meanings()
    for heading, (place, registry) in METHODS.items():
        parts.append(f"## {heading}\n\nSettings below `{place}`, of the method that is chosen.\n")
        parts += [_method(name, entry.settings, place, meanings) for name, entry in registry.items()]
    file, place = SWEEP
    rows = [row for row in rows_of((CONFIGS / file).read_text(encoding="utf-8")) if row.key.startswith(f"{place}.")]
    parts.append(
        "## sweep: several runs in one\n\nAs in `experiment=kuhn_rae_ablation`, from which these values are.\n\n"
        + _table([row for row in rows if not row.key.startswith("sweep.variants.")], types)
        + "\n"
    )
    return {"configuration.md": "\n".join(parts)}


def rows_of(text: str) -> list[Row]:
    """The settings of a YAML file that have a comment, in their order."""
    return [Row(*key) for key in keys_of(text)]


def _meanings() -> dict[str, str]:
    """Full name -> comment, of every key that some file explains."""
    found: dict[str, str] = {}
    for file in sorted(CONFIGS.rglob("*.yaml")):
        for row in rows_of(file.read_text(encoding="utf-8")):
            found.setdefault(row.key, row.meaning)
    return found


def _method(name: str, record: type[Any], place: str, meanings: Mapping[str, str]) -> str:
    rows = [
        Row(field.name, _plain(_default(field)), meanings[f"{place}.{field.name}"])
        for field in dataclasses.fields(record)
    ]
    return f"### {name}\n\n" + (_table(rows, dict(_types(record))) if rows else "No settings.") + "\n"


def _default(field: dataclasses.Field[Any]) -> Any:
    return field.default_factory() if callable(field.default_factory) else field.default


def _plain(value: Any) -> str:
    """A value as YAML has it."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return "[" + ", ".join(map(_plain, value)) + "]" if isinstance(value, tuple | list) else str(value)


def _types(record: type[Any], path: str = "") -> Iterator[tuple[str, str]]:
    """(full name, type) of every setting of a record and of the records in it."""
    for name, hint in typing.get_type_hints(record).items():
        kinds = [kind for kind in (hint, *typing.get_args(hint)) if dataclasses.is_dataclass(kind)]
        if kinds:
            yield from _types(kinds[0], f"{path}{name}.")
        else:
            yield f"{path}{name}", _named(hint)


def _named(hint: Any) -> str:
    """`float | None` as a person says it."""
    if typing.get_origin(hint) is tuple:
        return f"list of {typing.get_args(hint)[0].__name__}"
    options = [hint] if isinstance(hint, type) or typing.get_origin(hint) is Mapping else typing.get_args(hint)
    return " or ".join(NAMES.get(option) or getattr(option, "__name__", "mapping").lower() for option in options)


def _table(rows: list[Row], types: Mapping[str, str]) -> str:
    shown = [
        f"| `{row.key}` | {types.get(row.key, '')} | {_code(row.default)} | {_cell(row.meaning)} |" for row in rows
    ]
    return "\n".join(["| key | type | default | meaning |", "|---|---|---|---|", *shown])


def _code(value: str) -> str:
    return f"`{value.replace('|', chr(92) + '|')}`" if value else ""


def _cell(text: str) -> str:
    """Text that a table holds as it is."""
    for mark in ("\\", "|", "<", "*", "_"):
        text = text.replace(mark, f"\\{mark}")
    return text
