"""`gigpo_pooled.json`: each level by itself, one score per trajectory, as in a program that always divides by
something plus eps."""

import numpy as np

from turnwise.algorithms.credit.gigpo import GiGPOSettings, gigpo, steps_of


def outputs(inputs: dict) -> dict:
    settings = GiGPOSettings(
        gamma=inputs["gamma"],
        mode="mean_std_norm" if inputs.get("std_norm", False) else "mean_norm",
        step_weight=inputs.get("omega", 1.0),
        eps=inputs.get("eps", 1e-6),
        plain_eps=True,
        episode_stats="per_trajectory",
        invalid_action_penalty=0.0,
        singleton="raw",
    )
    groups = inputs.get("groups", inputs.get("group", inputs.get("tasks", [0] * len(inputs["rewards"]))))
    rows = zip(groups, inputs["state_keys"], inputs["rewards"], strict=True)
    parts = [
        steps_of(index, group, keys, rewards, [False] * len(keys), settings)
        for index, (group, keys, rewards) in enumerate(rows)
    ]
    levels = gigpo([step for part in parts for step in part], settings)
    by_step = {name: ragged(getattr(levels, name), parts) for name in ("episode", "step", "total")}
    return by_step | {"episode": [part[0] for part in by_step["episode"]]}


def ragged(values: np.ndarray, parts: list) -> list:
    return np.split(values, np.cumsum([len(part) for part in parts])[:-1])
