"""`TextVectorEnv`: many episodes side by side as a `gymnasium.vector.VectorEnv`; what `gymnasium.make_vec` makes."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from gymnasium.error import ResetNeeded
from gymnasium.spaces import Tuple
from gymnasium.vector import AutoresetMode, VectorEnv
from numpy.typing import NDArray

from turnwise.envs.core import TextGame
from turnwise.envs.gym_view import TextGameEnv
from turnwise.envs.seeding import generators
from turnwise.envs.spaces import FreeText
from turnwise.envs.vector_info import gather
from turnwise.envs.workers import may_block

_MOST_THREADS = 32

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Seeds = int | Sequence[int | None] | None


Result = tuple[str, float, bool, bool, dict[str, Any]]
"""What one env returned: observation, reward, terminated, truncated, info."""
Job = Callable[[Sequence[int], Any], list[Result]]
"""(envs, one argument for each) -> what they returned."""


class Batch(NamedTuple):
    """What some envs returned; entry k of everything belongs to env `indices[k]`."""

    indices: NDArray[np.int64]
    observations: tuple[str, ...]
    rewards: Floats
    terminations: Bools
    truncations: Bools
    infos: dict[str, Any]


class TextVectorEnv(VectorEnv[tuple[str, ...], Sequence[str], Any]):
    """`num_envs` envs as `TextGameEnv` makes them, in one process: env i is the single env of its seed, word for word.

    game: an id, or a `TextGame` of which every env gets a copy. max_episode_steps: an episode is truncated after so
    many replies of the learner; None: never. autoreset_mode: one of Gymnasium's `AutoresetMode` or its value:
    - NEXT_STEP (default): the step after the end ignores its reply and begins an episode (reward 0);
    - SAME_STEP: the step that ends an episode begins the next one; what the ended one returned last stands in the
      infos as `final_obs` and `final_info`;
    - DISABLED: an env that is over waits for `reset(options={"reset_mask": mask})`; stepping it is an error.
    All other arguments go to `TextGameEnv`. Observations are tuples of str; infos are Gymnasium's dict of arrays with a
    `_key` mask each.

    Three ways to step. `step(actions)`: all envs. `step_subset(indices, actions)`: some; the others stay as they are.
    `send(indices, actions)` and `recv(min_ready)`: hand in, then take what is ready; an env is sent its next reply once
    its last result was received. Games in workers are played in threads, so that with send and recv nobody waits for
    a slow one, and one that hangs or dies is truncated with status "env_error" when its deadline is over. Agents that
    play the opponents of such games are called from these threads, several at a time.
    """

    def __init__(
        self,
        num_envs: int,
        game: str | TextGame,
        *,
        max_episode_steps: int | None = None,
        autoreset_mode: str | AutoresetMode = AutoresetMode.NEXT_STEP,
        **kwargs: Any,
    ) -> None:
        if num_envs < 1:
            raise ValueError(f"num_envs is at least 1: got {num_envs}")
        if max_episode_steps is not None and max_episode_steps < 1:
            raise ValueError(f"max_episode_steps is at least 1, or None for no limit: got {max_episode_steps}")
        super().__init__()
        self.num_envs = num_envs
        self.envs = [
            TextGameEnv(game if isinstance(game, str) else copy.deepcopy(game), **kwargs) for _ in range(num_envs)
        ]
        self.autoreset_mode = AutoresetMode(autoreset_mode)
        self._disabled = self.autoreset_mode is AutoresetMode.DISABLED
        self.max_episode_steps = max_episode_steps
        self.metadata = {**TextGameEnv.metadata, "autoreset_mode": self.autoreset_mode}
        self.render_mode = self.envs[0].render_mode
        self.single_observation_space = FreeText()
        self.observation_space = Tuple([FreeText() for _ in self.envs])
        self.single_action_space = FreeText(sampler=partial(self._sample, 0))
        self.action_space = Tuple([FreeText(sampler=partial(self._sample, i)) for i in range(num_envs)])
        self._texts = [""] * num_envs
        """The latest observation of each env."""
        self._over = [True] * num_envs
        self._fresh = [True] * num_envs
        """Envs that were never reset."""
        self._steps = [0] * num_envs
        self._futures: dict[int, Future[Result]] = {}
        """Envs that play in a thread now."""
        self._results: dict[int, Result] = {}
        """What envs returned and nobody has received yet."""
        self._threads: ThreadPoolExecutor | None = None
        """Where games in workers are played; None where no call blocks."""
        if may_block(self.envs[0].game):
            self._threads = ThreadPoolExecutor(min(num_envs, _MOST_THREADS), thread_name_prefix="turnwise-vector")

    # All at once, as Gymnasium has it

    def reset(
        self, *, seed: Seeds = None, options: dict[str, Any] | None = None
    ) -> tuple[tuple[str, ...], dict[str, Any]]:
        """Begin an episode everywhere, or where `options["reset_mask"]` (a bool array) says so.

        seed: env i gets seed + i, or entry i of a list; None: it goes on with the generator that it has. Results that
        nobody has received are lost. Raises ValueError where the mask or the list does not fit.
        """
        chosen, seeds = self._chosen(options), self._seeds(seed)
        self._collect([i for i in chosen if i in self._futures or i in self._results])
        self._do(self._begin, chosen, [seeds[i] for i in chosen])
        infos: list[dict[str, Any]] = [{}] * self.num_envs
        for i, result in zip(chosen, self._collect(chosen), strict=True):
            infos[i] = result[4]
        return tuple(self._texts), gather(infos)

    def step(self, actions: Sequence[str]) -> tuple[tuple[str, ...], Floats, Bools, Bools, dict[str, Any]]:
        """Give every env its reply. Raises TypeError for a reply that is no text, ValueError for a wrong number."""
        _, observations, rewards, terminations, truncations, infos = self.step_subset(range(self.num_envs), actions)
        return observations, rewards, terminations, truncations, infos

    # Some at once

    def step_subset(self, indices: Sequence[int], actions: Sequence[str]) -> Batch:
        """Give some envs their replies and wait for all of these; the batch is in their order. Raises as `send`."""
        chosen = [int(index) for index in indices]
        self._check(chosen, actions)
        if self._threads is None:
            return _batch(chosen, self._advance(chosen, actions))
        self._do(self._advance, chosen, actions)
        return _batch(chosen, self._collect(chosen))

    def send(self, indices: Sequence[int], actions: Sequence[str]) -> list[int]:
        """Hand in replies, and return the envs without waiting for games in workers.

        Nothing is played where anything is refused: raises ValueError for an env that does not exist, that was not
        reset, or whose last result was not received, TypeError for a reply that is no text.
        """
        chosen = [int(index) for index in indices]
        self._check(chosen, actions)
        self._do(self._advance, chosen, actions)
        return chosen

    def recv(self, min_ready: int = 1) -> Batch:
        """Results of `send`, as soon as there are `min_ready` of them, or all that are owed if these are fewer.

        The batch is in ascending order of the envs. Raises RuntimeError where nothing is owed.
        """
        if not self._futures and not self._results:
            raise RuntimeError("recv needs envs that were sent a reply: none owes a result")
        self._take_finished()
        while self._futures and len(self._results) < min_ready:
            wait(self._futures.values(), return_when=FIRST_COMPLETED)
            self._take_finished()
        ready = sorted(self._results)
        return _batch(ready, self._collect(ready))

    # What happens to some envs

    def _begin(self, chosen: Sequence[int], seeds: Sequence[int | None]) -> list[Result]:
        """Begin an episode in each; seeds: of their generators."""
        envs = [self.envs[i] for i in chosen]
        drawn = [env.draw(seed) for env, seed in zip(envs, seeds, strict=True)]
        results: list[Result] = []
        for i, env, seed, rng in zip(chosen, envs, drawn, generators(drawn), strict=True):
            self._texts[i], info = env.begin(seed, rng)
            self._over[i], self._fresh[i], self._steps[i] = False, False, 0
            results.append((self._texts[i], 0.0, False, False, info))
        return results

    def _advance(self, chosen: Sequence[int], actions: Sequence[str]) -> list[Result]:
        """Step each, or begin an episode, as the autoreset mode has it."""
        over = [i for i in chosen if self._over[i]]
        begun = dict(zip(over, self._begin(over, [None] * len(over)), strict=True))
        results = [begun[i] if i in begun else self._step(i, action) for i, action in zip(chosen, actions, strict=True)]
        if self.autoreset_mode is AutoresetMode.SAME_STEP:
            ended = [k for k, i in enumerate(chosen) if self._over[i]]
            again = self._begin([chosen[k] for k in ended], [None] * len(ended))
            for k, (text, *_, info) in zip(ended, again, strict=True):
                last, reward, terminated, truncated, last_info = results[k]
                info = {"final_obs": last, "final_info": last_info, **info}
                results[k] = (text, reward, terminated, truncated, info)
        return results

    def _step(self, i: int, action: str) -> Result:
        result = text, reward, terminated, truncated, info = self.envs[i].step(action)
        self._texts[i] = text
        if self.max_episode_steps is not None:
            self._steps[i] += 1
            truncated = truncated or (self._steps[i] == self.max_episode_steps and not terminated)
        if not (terminated or truncated):
            return result
        self._over[i] = True
        return text, reward, terminated, truncated, info

    def _do(self, job: Job, chosen: Sequence[int], what: Sequence[Any]) -> None:
        """At once where a call cannot block, else each env in a thread."""
        if self._threads is None:
            self._results.update(zip(chosen, job(chosen, what), strict=True))
            return
        for i, argument in zip(chosen, what, strict=True):
            self._futures[i] = self._threads.submit(_do_one, job, i, argument)

    def _take_finished(self) -> None:
        for i in [i for i, future in self._futures.items() if future.done()]:
            self._results[i] = self._futures.pop(i).result()

    def _collect(self, chosen: Sequence[int]) -> list[Result]:
        """Results of these envs, once all are there."""
        if self._futures:
            wait([self._futures[i] for i in chosen if i in self._futures])
            self._take_finished()
        return [self._results.pop(i) for i in chosen]

    # What may be asked for

    def _check(self, chosen: list[int], actions: Sequence[str]) -> None:
        if len(actions) != len(chosen):
            raise ValueError(f"every env that is stepped needs one reply: got {len(actions)} for {len(chosen)} envs")
        if len(set(chosen)) != len(chosen) or not all(0 <= i < self.num_envs for i in chosen):
            raise ValueError(f"envs are numbered 0 to {self.num_envs - 1} and stepped once at a time: got {chosen}")
        wrong = [type(action).__name__ for action in actions if not isinstance(action, str)]
        if wrong:
            raise TypeError(f"every env needs its reply as a str: got {', '.join(wrong)}")
        if self._futures or self._results:
            owing = sorted({*self._futures, *self._results} & set(chosen))
            if owing:
                raise ValueError(f"envs {owing} still owe a result: take it with recv first")
        idle = [i for i in chosen if self._over[i] and (self._disabled or self._fresh[i])]
        if idle:
            raise ResetNeeded(f"envs {idle} have no running episode: call reset (options: a reset_mask) first")

    def _chosen(self, options: dict[str, Any] | None) -> list[int]:
        """The envs that are reset."""
        mask = (options or {}).get("reset_mask")
        if mask is None:
            return list(range(self.num_envs))
        mask = np.asarray(mask)
        if mask.shape != (self.num_envs,) or mask.dtype != np.bool_ or not mask.any():
            raise ValueError(f"reset_mask is a bool array with {self.num_envs} entries, not all False: got {mask}")
        return [int(i) for i in np.flatnonzero(mask)]

    def _seeds(self, seed: Seeds) -> list[int | None]:
        if seed is None:
            return [None] * self.num_envs
        if isinstance(seed, int | np.integer):
            return [int(seed) + i for i in range(self.num_envs)]
        if len(seed) != self.num_envs:
            raise ValueError(f"a list of seeds has one per env ({self.num_envs}): got {len(seed)}")
        return list(seed)

    # The rest of Gymnasium's face

    @property  # type: ignore[misc]
    def np_random(self) -> tuple[np.random.Generator, ...]:  # type: ignore[override]  # as in SyncVectorEnv
        """The generator of each env."""
        return tuple(env.np_random for env in self.envs)

    @property
    def np_random_seed(self) -> tuple[int, ...]:  # type: ignore[override]
        """The seed of each env's generator; -1 where it is not known."""
        return tuple(env.np_random_seed for env in self.envs)

    def call(self, name: str, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        """The attribute of each env, called with these arguments where it can be."""
        found = (getattr(env, name) for env in self.envs)
        return tuple(value(*args, **kwargs) if callable(value) else value for value in found)

    def get_attr(self, name: str) -> tuple[Any, ...]:
        """The attribute of each env."""
        return tuple(getattr(env, name) for env in self.envs)

    def set_attr(self, name: str, values: Any) -> None:
        """Set it on each env: one value for all, or a list or tuple with one each. Raises ValueError."""
        each = values if isinstance(values, list | tuple) else [values] * self.num_envs
        if len(each) != self.num_envs:
            raise ValueError(f"values are one per env ({self.num_envs}), or one for all: got {len(each)}")
        for env, value in zip(self.envs, each, strict=True):
            setattr(env, name, value)

    def render(self) -> tuple[Any, ...] | None:
        """What each learner has read and written in its episode, in mode ansi."""
        return tuple(env.render() for env in self.envs) if self.render_mode else None

    def close_extras(self, **kwargs: Any) -> None:
        """Let go of threads and of what the games hold."""
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)
        for env in self.envs:
            env.close()

    def _sample(self, i: int, rng: np.random.Generator) -> str | None:
        """A legal reply; None (noise) for an env that plays in a thread now, or whose reply will be ignored."""
        return None if i in self._futures else self.envs[i].sample_reply(rng)


def _do_one(job: Job, i: int, argument: Any) -> Result:
    return job([i], [argument])[0]


def _batch(chosen: Sequence[int], results: Sequence[Result]) -> Batch:
    texts, rewards, terminations, truncations, infos = zip(*results, strict=True) if results else ((),) * 5
    return Batch(
        np.array(chosen, dtype=np.int64),
        texts,
        np.array(rewards, dtype=np.float64),
        np.array(terminations, dtype=np.bool_),
        np.array(truncations, dtype=np.bool_),
        gather(infos),
    )
