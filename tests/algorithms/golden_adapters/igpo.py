"""`igpo.json`: turn advantages in every normalisation, gains from log-probs, the first release's token advantages."""

import numpy as np

from turnwise.algorithms.credit.gain import answer_score, information_gains
from turnwise.algorithms.credit.igpo import IGPOSettings, igpo_advantages, position_baseline

SCORE_OF_MODE = {"log_prob_diff": "logprob", "prob_diff": "prob"}
NAMES = ("norm_mode", "gamma", "divide_by_std", "eps", "ig_weight", "outcome_weight", "adaptive_gamma_min_weight")


def outputs(inputs: dict) -> dict:
    kind = inputs.get("kind", "turn_advantages")
    return {"turn_advantages": turns, "information_gain_reward": gains, "legacy_v0": legacy}[kind](inputs)


def turns(inputs: dict) -> dict:
    chosen = {name: inputs[name] for name in NAMES if name in inputs}
    paths = inputs["trajectories"]
    flagged = any("has_gain" in path for path in paths)
    settings = IGPOSettings(**chosen, zero_is_missing=inputs.get("zero_is_missing", not flagged))
    values = igpo_advantages(
        [gains_of(path) for path in paths],
        [path["turn_rewards"][-1] for path in paths],
        [path["group"] for path in paths],
        settings,
    )
    return {"turn_advantages": values}


def gains_of(path: dict) -> list:
    """One entry per turn: all but the last have a gain, unless the file says which."""
    rewards = path["turn_rewards"]
    flags = path.get("has_gain", [True] * len(rewards))
    return [*(reward if flag else None for reward, flag in zip(rewards[:-1], flags, strict=False)), None]


def gains(inputs: dict) -> dict:
    score = SCORE_OF_MODE[inputs["mode"]]
    scores = [answer_score(float(np.mean(row)), score) for row in inputs["answer_token_logprobs_at_start_of_turn"]]
    return {"scores": scores, "turn_rewards": [*information_gains(scores)[:-1], inputs["outcome"]]}


def legacy(inputs: dict) -> dict:
    return {"token_advantages": position_baseline(inputs["token_rewards"], inputs["mask"], inputs["group"])}
