"""ALFWorld."""

from __future__ import annotations

from turnwise.envs.spec import GameSpec

_TASKS = {
    "pick_and_place_simple": "bring a thing to a place",
    "look_at_obj_in_light": "look at a thing under a lamp",
    "pick_clean_then_place_in_recep": "wash a thing and bring it to a place",
    "pick_heat_then_place_in_recep": "heat a thing and bring it to a place",
    "pick_cool_then_place_in_recep": "cool a thing and bring it to a place",
    "pick_two_obj_and_place": "bring two things of a kind to a place",
}


def _spec(id: str, summary: str, **kwargs: str) -> GameSpec:
    return GameSpec(
        id=id,
        entry_point="turnwise.envs.alfworld:ALFWorld",
        kwargs=kwargs,
        summary=f"ALFWorld: {summary}",
        family="alfworld",
    )


SPECS: tuple[GameSpec, ...] = (
    _spec("ALFWorld-LLM", "household chores of all six kinds"),
    *(_spec(f"ALFWorld/{task}-LLM", summary, task=task) for task, summary in _TASKS.items()),
)
