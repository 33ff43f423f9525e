"""Episodes and models in the forms of other programs, and environments as other programs run them."""

from __future__ import annotations

from turnwise.interchange.files import read_episodes, write_episodes

__all__ = ["read_episodes", "write_episodes"]
