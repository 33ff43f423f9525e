"""Settings of where a run's parts run. No ray is loaded here."""

from __future__ import annotations

from dataclasses import dataclass

from turnwise.algorithms.checks import require_between, require_choice

LAUNCHERS = ("local", "ray")
MODES = ("sync", "one_step_off", "async")
FOLDERS = ("driver", "shared")


@dataclass(frozen=True, slots=True, kw_only=True)
class LauncherSettings:
    """Where rollouts and the learner run, and how far apart they may drift."""

    name: str = "local"
    """`local`: this process (or, under torchrun, one rank of many). `ray`: actors of a Ray cluster."""
    address: str | None = None
    """Of a Ray cluster that this machine belongs to, HOST:PORT or auto; null starts one here, and ends it with the
    run."""
    nodes: int = 1
    """Machines to wait for; engines are spread over them where there are several."""
    engines: int = 1
    """Actors that play, each with an engine and environments of its own; 0: every learner plays its own share."""
    learners: int = 1
    """Actors that train together, each with a share of the weights."""
    engine_cpus: float = 1.0
    """Cores that an engine takes of its machine, by Ray's count."""
    engine_gpus: float = 0.0
    """GPUs that an engine takes; 0.5 lets two share one."""
    learner_cpus: float = 1.0
    """Cores that a learner takes."""
    learner_gpus: float = 0.0
    """GPUs that a learner takes."""
    run_folder: str = "driver"
    """Who sees the run folder: `driver`, so that all learners run on this machine, or, `shared`, every machine."""
    mode: str = "sync"
    """`sync`: play, then learn. `one_step_off`: the next step is played while this one is learned. `async`: engines
    play on, with new weights as soon as there are any, be it in the middle of an episode."""
    max_staleness: int = 2
    """Only with async: updates between the beginning of an episode and the one that it is trained in, at most."""
    task_groups: int = 0
    """Groups of episodes that an engine is handed at once; 0: its share of a step."""
    patience_s: float = 600.0
    """Only with async: seconds that a step waits for episodes which the next one may not train on any more, before it
    goes on without them and they are dropped as stale."""
    start_timeout_s: float = 600.0
    """Seconds until machines, actors and their models have to be there."""
    play_timeout_s: float = 3600.0
    """Seconds until an engine has to be done with what it was handed."""
    ranks_timeout_s: float = 1800.0
    """Seconds that ranks which train together wait for one of them, for the first one's evaluations too."""
    restarts: int = 3
    """Times that an engine, or the group of learners, is started again within `restart_window_s`."""
    restart_window_s: float = 3600.0
    """Seconds after which a failure counts no more."""

    def __post_init__(self) -> None:
        require_choice("launcher.name", self.name, LAUNCHERS)
        require_choice("launcher.run_folder", self.run_folder, FOLDERS)
        require_choice("launcher.mode", self.mode, MODES)
        for name, least in (("nodes", 1), ("engines", 0), ("learners", 1), ("max_staleness", 1), ("task_groups", 0)):
            require_between(f"launcher.{name}", getattr(self, name), least)
        for name in ("engine_gpus", "learner_gpus", "patience_s"):
            require_between(f"launcher.{name}", getattr(self, name), 0.0)
        for name in (
            "engine_cpus",
            "learner_cpus",
            "start_timeout_s",
            "play_timeout_s",
            "ranks_timeout_s",
            "restart_window_s",
        ):
            require_between(f"launcher.{name}", getattr(self, name), 0.0, open_low=True)
        require_between("launcher.restarts", self.restarts, 0)
        if self.mode != "sync" and not self.engines:
            raise ValueError(
                f"launcher.mode={self.mode} plays while it learns, which needs actors that play: set launcher.engines "
                "to 1 or more, or launcher.mode=sync"
            )

    @property
    def steps_ahead(self) -> int:
        """Steps that may be played beyond the one that is learned."""
        return {"sync": 0, "one_step_off": 1, "async": self.max_staleness}[self.mode]
