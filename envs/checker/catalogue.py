"""`CHECKS`: everything that an environment is asked, by group."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from turnwise.envs.checker import (
    actions,
    endings,
    hostile,
    official,
    optional,
    processes,
    randomness,
    speed,
    state,
    texts,
)
from turnwise.envs.checker.result import Figures
from turnwise.envs.checker.subject import Subject

Run = Callable[[Subject], Figures | None]


@dataclass(frozen=True, slots=True)
class Check:
    """One promise. `run` returns figures or None where it is kept, and raises where it is not."""

    name: str
    group: str
    """A column of the pass matrix."""
    run: Run | None
    """None: looked at from outside, in processes of their own."""
    both_prompts: bool = False
    """Asked of the compact prompt too, where there is one."""
    says: str = ""

    @property
    def promise(self) -> str:
        """What is promised, in a line or two."""
        return self.says or " ".join((self.run.__doc__ or "").split())


CHECKS: tuple[Check, ...] = (
    Check("gymnasium check_env", "Gymnasium", official.gymnasium_check_env, both_prompts=True),
    Check("gymnasium legal play", "Gymnasium", official.gymnasium_plays_legally),
    Check("gymnasium make_vec", "Gymnasium", official.gymnasium_make_vec),
    Check("pettingzoo api_test", "PettingZoo", official.pettingzoo_api_test, both_prompts=True),
    Check("pettingzoo seed_test", "PettingZoo", official.pettingzoo_seed_test),
    Check("pettingzoo parallel tests", "parallel", official.pettingzoo_parallel_tests),
    Check("same seed, same episode", "randomness", randomness.same_seed_same_episode, both_prompts=True),
    Check("interleaved episodes", "randomness", randomness.interleaved_episodes),
    Check("global generators", "randomness", randomness.global_generators_untouched),
    Check("hash seeds", "randomness", None, says=processes.HASH_SEEDS),
    Check("clone", "state", state.clones_play_on_alike),
    Check("pickle", "state", state.pickles_play_on_alike),
    Check("anchor", "state", state.anchors_name_states),
    Check("looking changes nothing", "state", texts.looking_changes_nothing, both_prompts=True),
    Check("read once", "texts", texts.observations_are_read_once, both_prompts=True),
    Check("secrets", "texts", texts.secrets_stay_secret, both_prompts=True),
    Check("prompt growth", "texts", texts.prompts_grow_slowly, both_prompts=True),
    Check("legal names", "actions", actions.legal_names_read_back, both_prompts=True),
    Check("sampled actions", "actions", endings.sampled_actions_are_legal),
    Check("illegal actions", "actions", actions.illegal_actions_change_nothing),
    Check("invalid policies", "actions", actions.invalid_policies_are_honoured, both_prompts=True),
    Check("hostile actions", "actions", hostile.hostile_actions),
    Check("hostile replies", "actions", hostile.hostile_replies),
    Check("random play ends", "rewards", endings.random_play_ends),
    Check("terminated or truncated", "rewards", endings.terminated_or_truncated),
    Check("utility bounds", "rewards", endings.returns_within_bounds),
    Check("rewards", "rewards", endings.rewards_name_seats),
    Check("zero sum", "rewards", endings.zero_sum),
    Check("seat balance", "rewards", endings.seat_balance),
    Check("undeclared members", "declared", state.undeclared_members_refuse),
    Check("levels", "declared", optional.every_level_starts),
    Check("solution", "declared", optional.solutions_solve),
    Check("ground truth", "declared", optional.ground_truth_is_a_text),
    Check("task and level", "declared", optional.task_and_level_are_texts),
    Check("lead-ins", "declared", optional.lead_ins_are_listed),
    Check("tools", "declared", optional.tools_are_json_schemas),
    Check("offline", "processes", None, says=processes.OFFLINE),
    Check("import", "processes", None, says=processes.IMPORT),
    Check("making", "processes", speed.making_is_cheap),
    Check("speed", "processes", speed.turns_per_second),
)
GROUPS = tuple(dict.fromkeys(check.group for check in CHECKS))


def chosen(part: str | None) -> tuple[Check, ...]:
    """The checks whose name or group contains a text; all for None. Raises ValueError where there is none."""
    found = tuple(
        check for check in CHECKS if part is None or part.casefold() in f"{check.name} {check.group}".casefold()
    )
    if not found:
        raise ValueError(
            f"no check has {part!r} in its name or group; checks: {', '.join(check.name for check in CHECKS)}"
        )
    return found
