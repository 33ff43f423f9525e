"""Bridges to other collections."""

from __future__ import annotations

from turnwise.envs.spec import GameSpec

SPECS: tuple[GameSpec, ...] = ()
