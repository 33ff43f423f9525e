"""`arpo.json`: segment entropies, forks and fresh roots from scripted draws, soft and hard advantages."""

import numpy as np

from turnwise.algorithms.credit.arpo import segment_advantages
from turnwise.algorithms.credit.broadcast import broadcast
from turnwise.algorithms.credit.grpo import group_advantages
from turnwise.algorithms.explore.branching import (
    BranchingSettings,
    QuestionTree,
    grow_round,
    listed_entropies,
    segment_entropy,
)


def outputs(inputs: dict) -> dict:
    return {"branching": branching, "segment_entropy": entropy, "soft_advantage": soft, "hard_advantage": hard}[
        inputs["kind"]
    ](inputs)


def entropy(inputs: dict) -> dict:
    per_token = listed_entropies(inputs["top_logprobs"])
    return {"entropy": segment_entropy(per_token, vocabulary=inputs["vocab_size"], first_k=inputs.get("first_k", 20))}


def branching(inputs: dict) -> dict:
    """Paths are numbered over all questions: forks of a round by question, then its fresh roots."""
    scripted = ScriptedDraws()
    trees = [
        QuestionTree(settings(inputs), inputs["global_budget"], scripted, roots) for roots in roots_per_question(inputs)
    ]
    numbers = Numbers(trees)
    return {"rounds": [play(trees, numbers, scripted, each) for each in inputs["rounds"]]}


def settings(inputs: dict) -> BranchingSettings:
    penalised = "consecutive_penalty" in inputs
    chosen = {name: inputs[name] for name in ("entropy_weight", "branch_probability") if name in inputs}
    if penalised:
        chosen["consecutive_penalty"] = inputs["consecutive_penalty"]
    return BranchingSettings(rule="aepo" if penalised else "arpo", beam=inputs["beam_size"], **chosen)


def roots_per_question(inputs: dict) -> list[int]:
    return inputs.get("roots_per_question") or [inputs["initial_rollouts"]] * inputs.get("questions", 1)


class ScriptedDraws:
    """The draws of a round, one after another, whichever question asks."""

    left: list

    def __call__(self) -> float:
        return self.left.pop(0)


class Numbers:
    """The file's numbers of paths and the (question, path of the question) that they stand for."""

    def __init__(self, trees: list) -> None:
        self.owner = [(question, path) for question, tree in enumerate(trees) for path in range(tree.roots)]

    def of(self, question: int, path: int | None) -> int | None:
        return None if path is None else self.owner.index((question, path))

    def within(self, question: int, paths) -> dict[int, object]:
        """{path of the question: what `paths` has for its number} in the order of the numbers."""
        return {self.owner[int(path)][1]: int(path) for path in paths if self.owner[int(path)][0] == question}


def play(trees: list, numbers: Numbers, scripted: ScriptedDraws, each: dict) -> dict:
    scripted.left = list(each["uniform_draws"])
    by_number = {int(path): value for path, value in each["entropy"].items()}
    entropies = [
        {path: by_number[number] for path, number in numbers.within(question, by_number).items()}
        for question in range(len(trees))
    ]
    active = [set(numbers.within(question, each["still_active"])) for question in range(len(trees))]
    grown = grow_round(trees, entropies, active)
    found = [(question, growth) for question, growths in enumerate(grown) for growth in growths]
    new = []
    for question, growth in sorted(found, key=lambda pair: pair[1].kind == "root"):
        numbers.owner.append((question, growth.path))
        source = numbers.of(question, growth.source)
        new.append({"index": len(numbers.owner) - 1, "question": question, "kind": growth.kind, "source": source})
    return {
        "new": new,
        "rollouts_per_question": tuple(tree.paths for tree in trees),
        "active_next": tuple(sorted([*each["still_active"], *(path["index"] for path in new)])),
        "consecutive_after": {str(question): tree.consecutive for question, tree in enumerate(trees)},
    }


def soft(inputs: dict) -> dict:
    inside = np.asarray(inputs["mask"], dtype=bool)
    turn_of = np.where(inside, np.arange(len(inside))[:, None], -1)
    return {"token_advantages": broadcast(list(path_advantages(inputs)), turn_of)[0]}


def hard(inputs: dict) -> dict:
    inputs = {"group": [0] * len(inputs["rewards"])} | inputs
    shared = segment_advantages(path_advantages(inputs).tolist(), inputs["paths"])
    lengths = inputs["segment_lengths"]
    rows = [[shared[name] for name in path for _ in range(lengths[name])] for path in inputs["paths"]]
    return {"segment_advantages": shared, "token_advantages": rows}


def path_advantages(inputs: dict) -> np.ndarray:
    chosen = {name: inputs[name] for name in ("eps", "ddof") if name in inputs}
    return group_advantages(inputs["rewards"], inputs["group"], singleton=inputs.get("singleton", "raw"), **chosen)
