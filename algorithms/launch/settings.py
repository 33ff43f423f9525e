"""Settings of where a run's parts run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class LauncherSettings:
    """Where rollouts and the learner run, and how far apart they may drift."""

    name: str = "local"
    """`local`: this process (or, under torchrun, one rank of many). `ray`: actors of a Ray cluster."""
