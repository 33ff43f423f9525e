"""`gigpo.json`: both levels of GiGPO over trajectories of steps, and the discounted step returns."""

import numpy as np

from turnwise.algorithms.credit.gigpo import GiGPOSettings, gigpo, steps_of

NAMES = ("gamma", "mode", "step_weight", "eps", "episode_stats", "anchor_similarity", "singleton")


def outputs(inputs: dict) -> dict:
    named = {name: inputs[name] for name in NAMES if name in inputs}
    fine = inputs.get("invalid_action_penalty", 0.0)
    settings = GiGPOSettings(**{"singleton": "raw"} | named, invalid_action_penalty=fine)
    parts = [steps(index, trajectory, settings) for index, trajectory in enumerate(inputs["trajectories"])]
    levels = gigpo([step for part in parts for step in part], settings)
    return {
        "step_returns": [[step.to_go for step in part] for part in parts],
        "step_advantages": ragged(levels.total, parts),
        "episode_advantages": ragged(levels.episode, parts),
        "anchor_advantages": ragged(levels.step, parts),
    }


def steps(index: int, trajectory: dict, settings: GiGPOSettings) -> list:
    invalid = set(trajectory.get("invalid_steps", ()))
    bad = [step in invalid for step in range(len(trajectory["anchors"]))]
    return steps_of(index, trajectory["group"], trajectory["anchors"], trajectory["step_rewards"], bad, settings)


def ragged(values: np.ndarray, parts: list) -> list:
    return np.split(values, np.cumsum([len(part) for part in parts])[:-1])
