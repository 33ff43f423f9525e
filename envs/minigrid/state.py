"""`state_key`: one text for one state of a MiniGrid environment."""

from __future__ import annotations

import hashlib
from typing import Any


def state_key(env: Any) -> str:
    """A digest of task, grid, what boxes hold, the agent, what it carries and how far its instructions are followed.

    How many steps were taken is no part of it, nor what chance will do.
    """
    contents = [_thing(cell.contains) for cell in env.grid.grid if cell is not None and cell.contains is not None]
    parts = (
        env.mission,
        env.grid.encode().tolist(),
        contents,
        tuple(map(int, env.agent_pos)),
        int(env.agent_dir),
        _thing(env.carrying),
        _progress(getattr(env, "instrs", None)),
    )
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def _thing(cell: Any) -> object:
    return None if cell is None else (*map(int, cell.encode()), _thing(cell.contains))


def _progress(instruction: Any) -> object:
    """What BabyAI remembers of an instruction: which parts are done, and which objects it means, by their places."""
    if instruction is None:
        return None
    done = [getattr(instruction, name, None) for name in ("a_done", "b_done")]
    parts = [_progress(getattr(instruction, name, None)) for name in ("instr_a", "instr_b")]
    meant = [
        _meant(getattr(instruction, name)) for name in ("desc", "desc_move", "desc_fixed") if hasattr(instruction, name)
    ]
    return type(instruction).__name__, done, parts, meant, _thing(getattr(instruction, "preCarrying", None))


def _meant(description: Any) -> object:
    places = sorted(tuple(map(int, place)) for place in description.obj_poss)
    objects = sorted(tuple(map(int, cell.cur_pos)) for cell in description.obj_set if cell.cur_pos is not None)
    return places, objects
