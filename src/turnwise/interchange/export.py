"""What `turnwise export` does: episodes or a model, in another program's form."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from turnwise.algorithms.build import nearest
from turnwise.algorithms.files import write_atomically
from turnwise.interchange.card import export_model
from turnwise.interchange.chat import sft_rows
from turnwise.interchange.files import WRITERS, read_episodes, write_episodes
from turnwise.interchange.filters import Filter
from turnwise.interchange.pairs import dpo_rows

FORMS = ("sft", "dpo", *WRITERS, "hf")


def export(
    source: Path,
    to: str,
    out: Path,
    *,
    conditions: Sequence[str] = (),
    agent: str | None = None,
    step: int | None = None,
) -> dict[str, Any]:
    """Write what `source` holds to `out`; returns what was written: `to`, `out`, `rows`, `episodes`.

    to: one of `FORMS`. conditions: see `Filter`. agent: whose seats count in sft and dpo; None for the learner.
    step: of the checkpoint, with `hf`.
    Raises ValueError on an unknown form, and where nothing is left to write.
    """
    if to not in FORMS:
        raise ValueError(f"{to!r} is no form to export to; {nearest(to, FORMS)}")
    if to == "hf":
        if conditions:
            raise ValueError("a model has no episodes to filter: leave out --filter with --to hf")
        return export_model(source, out, step)
    chosen = Filter(conditions)
    episodes = [episode for episode in read_episodes(source) if chosen.episode(episode, agent)]
    rows = len(episodes)
    if to == "sft":
        rows = _write_rows(out, _alike(list(sft_rows(episodes, agent, seats=chosen.seats))))
    elif to == "dpo":
        rows = _write_rows(out, dpo_rows(episodes, agent))
    elif episodes:
        write_episodes(out, episodes, to)
    if not rows:
        raise ValueError(_nothing(to, len(episodes), [*conditions, *([f"agent={agent}"] if agent else [])]))
    return {"to": to, "out": str(out), "rows": rows, "episodes": len(episodes)}


def _alike(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows, without their tokens where some have none: a trainer takes either messages or tokens."""
    if all(row["input_ids"] is not None for row in rows):
        return rows
    return [{key: row[key] for key in row if key not in ("input_ids", "assistant_masks")} for row in rows]


def _write_rows(out: Path, rows: Iterable[Mapping[str, Any]]) -> int:
    """JSON lines, or a data set where the path has no ending. Returns how many rows; none are not written."""
    found = list(rows)
    if not found:
        return 0
    out.parent.mkdir(parents=True, exist_ok=True)
    if out.suffix:
        write_atomically(out, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in found))
    else:
        import datasets

        datasets.disable_progress_bars()
        datasets.Dataset.from_list(found).save_to_disk(str(out))
    return len(found)


def _nothing(to: str, episodes: int, conditions: Sequence[str]) -> str:
    if not episodes:
        return f"no episode is left to export{' that holds ' + ', '.join(conditions) if conditions else ''}"
    if to == "dpo":
        return (
            f"there is no pair among {episodes} episodes: pairs need several episodes of one deal or group (or forks "
            "of one state) that say different things to the very same prompt and end differently; a run makes them "
            "with algorithm.group_size of 2 or more"
        )
    return f"there is no legal move to learn from in these {episodes} episodes"
