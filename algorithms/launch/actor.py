"""What runs in a rollout actor: the stage of a run, with an engine, environments and a copy of the weights."""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping
from typing import Any

import torch

from turnwise.agents.local import LocalEngine
from turnwise.agents.plan import Plan
from turnwise.agents.pretrained import load_pretrained, pick_device
from turnwise.agents.rollout import Agent
from turnwise.agents.scripted import scripted_agent
from turnwise.algorithms.assemble import invited, make_stage
from turnwise.algorithms.launch.parcel import Packed, unpack_weights, unpacked_model
from turnwise.algorithms.launch.renewing import renewing
from turnwise.algorithms.launch.task import Task
from turnwise.algorithms.league import LEARNER
from turnwise.algorithms.player import Played
from turnwise.algorithms.settings import RunSettings
from turnwise.algorithms.startup import Policy, dress, precision, voice_of


class Performer:
    """Plays tasks. Two of its methods run at a time: `renew` takes new weights in while `perform` plays."""

    def __init__(self, settings: RunSettings, folder: str) -> None:
        """`folder`: where relative paths of the settings start, on machines that have it."""
        self._settings = settings
        self._agents: dict[str, Agent] = {}
        self._frozen: list[str] = []
        """Names of those agents that are earlier selves of the learner, oldest first."""
        if os.path.isdir(folder):
            os.chdir(folder)

    def prepare(self, files: dict[str, bytes]) -> int:
        """Build model, engine and agents from a model folder; returns the process id."""
        settings = self._settings
        self._policy = policy = _policy(settings, files)
        self._renewing = renewing(policy.engine)
        policy.agent.engine = self._renewing  # type: ignore[assignment]  # its counters are for reading
        if settings.agent.opponent == "league":
            self._agents = {LEARNER: policy.agent, **{n: scripted_agent(n) for n in settings.agent.league.scripted}}
        else:
            self._agents, _ = invited(settings, policy)
        self._stage = make_stage(settings, policy, None, self._agents)
        self._threads = torch.get_num_threads()
        return os.getpid()

    def perform(self, task: Task, weights: Packed | None, version: int, frozen: Mapping[str, Any]) -> Played:
        """Play a task, with these weights or later ones that have come meanwhile. weights: None for the first ones.

        frozen: name -> reference to the weights, of all earlier selves that the task may need.
        """
        torch.set_num_threads(self._threads)  # counts for the thread that asks
        if weights is not None:
            self.renew(weights, version)
        self._invite(frozen)
        with precision(self._settings):
            self._renewing.catch_up()
            return self._stage.perform(task.step, task.plans, lambda attempt: _more(task, attempt), task.part)

    def renew(self, weights: Packed, version: int) -> None:
        """Take new weights in at the next turn."""
        self._renewing.offer(lambda: unpack_weights(weights), version)

    def _invite(self, frozen: Mapping[str, Any]) -> None:
        """Have these earlier selves at the table, and no others."""
        import ray

        for name in [name for name in self._frozen if name not in frozen]:
            self._frozen.remove(name)
            del self._agents[name]
        for name in [name for name in frozen if name not in self._frozen]:
            model = copy.deepcopy(self._policy.model).requires_grad_(False)
            agent = voice_of(self._policy, model)
            agent.name, agent.engine.clock = name, self._policy.engine.clock  # its time is the model's too
            _load(agent.engine, ray.get(frozen[name], timeout=self._settings.launcher.start_timeout_s))
            self._agents[name] = agent
            self._frozen.append(name)


def _policy(settings: RunSettings, files: dict[str, bytes]) -> Policy:
    """The policy of a model folder, whose engine has weights of its own."""
    apart = settings.engine.name == "vllm" and settings.agent.opponent != "league"
    device = torch.device("cpu") if apart else pick_device(settings.engine.device)  # the GPU is vLLM's then
    with unpacked_model(files) as folder:
        model, tokenizer = load_pretrained(
            str(folder), device=device, trust_remote_code=settings.model.trust_remote_code
        )
        policy = dress(settings, model, tokenizer)
    if isinstance(policy.engine, LocalEngine):
        policy.engine.shares_model = False
    return policy


def _load(engine: Any, weights: Packed) -> None:
    engine.shares_model = False
    engine.load(lambda: unpack_weights(weights), 0)


def _more(task: Task, attempt: int) -> list[Plan]:
    return task.more[attempt - 1] if attempt <= len(task.more) else []
