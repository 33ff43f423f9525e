"""`rebn.json`: rewards-to-go of every turn, normalised over all turns of the batch."""

from turnwise.algorithms.credit.rebn import normalised
from turnwise.algorithms.credit.returns import rewards_to_go


def outputs(inputs: dict) -> dict:
    to_go = [rewards_to_go(episode, inputs["gamma"]) for episode in inputs["episodes"]]
    settings = {name: inputs[name] for name in ("std", "eps") if name in inputs}
    values = iter(normalised([value for row in to_go for value in row], **settings))
    return {"turn_returns": to_go, "turn_advantages": [[next(values) for _ in row] for row in to_go]}
