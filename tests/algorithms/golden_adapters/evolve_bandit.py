"""`evolve_bandit.json`: UCB and LinUCB indices, expected regret, hardness of Gaussian arms."""

import numpy as np

from turnwise.envs.bandits.index import hardness, linucb_index, regret, ucb_index


def outputs(inputs: dict) -> dict:
    if "pulls" in inputs:
        index = ucb_index(inputs["sum_rewards"], inputs["pulls"], alpha=inputs["alpha"])
        return {**index._asdict(), "index": index.total, "choice": int(np.argmax(index.total))}
    if "updates" in inputs:
        features, rewards = zip(*inputs["updates"], strict=True)
        return linucb_index(features, rewards, inputs["context"], alpha=inputs["alpha"])._asdict()
    if "actions" in inputs:
        return regret(inputs["means"], inputs["actions"])._asdict()
    return {"hardness": hardness(tuple(inputs["best"]), tuple(inputs["second"]))}
