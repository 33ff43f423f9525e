"""The tool `python`: code in the sandbox, its output as the response."""

from __future__ import annotations

from functools import lru_cache, partial
from typing import Any

from turnwise.envs.arguments import one_of
from turnwise.envs.sandbox.boundary import TIERS, Tier
from turnwise.envs.sandbox.limits import Limits
from turnwise.envs.sandbox.result import Result
from turnwise.envs.sandbox.sandbox import Sandbox
from turnwise.envs.tools.schema import function_schema
from turnwise.envs.tools.tool import Tool


@lru_cache(maxsize=4)
def shared_sandbox(limits: Limits, tier: Tier) -> Sandbox:
    """One sandbox per process and setting: calls keep nothing of each other."""
    return Sandbox(limits, tier)


class PythonSession:
    """Variables that last from one call of an episode to the next: the workspace of a problem.

    It begins at the first call and ends with `close`. A copy begins without variables.
    """

    def __init__(self, limits: Limits, tier: Tier) -> None:
        self.limits, self.tier = limits, tier
        self._name: str | None = None

    def run(self, code: str) -> Result:
        """Run the code where the earlier calls ran; after a call that was killed, in a new place."""
        sandbox = shared_sandbox(self.limits, self.tier)
        if self._name is None:
            self._name = sandbox.start_session()
        result = sandbox.run(code, session=self._name)
        if result.status not in ("ok", "error", "memory"):
            self.close()
        return result

    def close(self) -> None:
        """End the process that holds the variables."""
        if self._name is not None:
            shared_sandbox(self.limits, self.tier).end_session(self._name)
            self._name = None

    def __deepcopy__(self, memo: dict[int, Any]) -> PythonSession:
        return PythonSession(self.limits, self.tier)

    def __getstate__(self) -> dict[str, Any]:
        return {"limits": self.limits, "tier": self.tier, "_name": None}


def python_tool(
    limits: Limits | None = None,
    tier: Tier = "auto",
    *,
    session: bool = False,
    cost: float = 0.0,
    budget: int | None = None,
) -> Tool:
    """The tool `python(code)`. session: variables last; the problem's workspace is then a `PythonSession`.

    Raises ValueError for a tier that there is not.
    """
    one_of("tier", tier, TIERS)
    run = _run_in_session if session else partial(_run_alone, limits or Limits(), tier)
    schema = function_schema(_run_alone, name="python", skip=2)
    return Tool(schema=schema, run=run, needs_workspace=session, cost=cost, budget=budget)


def show(result: Result) -> str:
    """What the agent reads: what was printed, the value of the last line, and what went wrong."""
    parts = [result.stdout.rstrip("\n"), result.value or "", (result.error or "").rstrip("\n")]
    if result.status not in ("ok", "error", "memory") and not result.error:
        parts.append(f"stopped: {result.status}")
    return "\n".join(part for part in parts if part) or "(no output)"


def _run_alone(limits: Limits, tier: Tier, code: str) -> str:
    """Run Python code and read what it prints, and the value of its last line.

    Args:
        code: A program; it sees the standard library, and neither files nor network.
    """
    return show(shared_sandbox(limits, tier).run(code))


def _run_in_session(workspace: PythonSession, code: str) -> str:
    return show(workspace.run(code))
