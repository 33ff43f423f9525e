"""All probes, in the order of the table."""

from __future__ import annotations

from turnwise.envs.sandbox.probes import files, kernel, limits, network, processes, state

PROBES = (
    *network.PROBES,
    *files.PROBES,
    *processes.PROBES,
    *kernel.PROBES,
    *limits.PROBES,
    *state.PROBES,
)
LIMITS = limits.LIMITS
