"""`Tool`: a function that an agent may call, and what a call costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from turnwise.envs.tools.schema import function_schema


class ToolError(Exception):
    """A tool cannot do what it was asked for. `str(error)` is what the agent reads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A tool of an environment. Made from a function by `tool`, or from a schema that comes from elsewhere."""

    schema: Mapping[str, Any]
    """In OpenAI's form, `{"type": "function", "function": {"name", "description", "parameters"}}`."""
    run: Callable[..., str]
    """Called with the arguments by name. What it returns is what the agent reads; it raises ToolError."""
    needs_workspace: bool = False
    """`run` takes the problem's workspace as its first argument."""
    cost: float = 0.0
    """What a call takes from the reward, in task units."""
    budget: int | None = None
    """Most calls in one episode; None for no limit."""

    def __post_init__(self) -> None:
        if self.cost < 0 or (self.budget is not None and self.budget < 0):
            raise ValueError(f"cost and budget of a tool are at least 0: got {self.cost} and {self.budget}")

    @property
    def name(self) -> str:
        """What the agent calls it by."""
        return str(self.schema["function"]["name"])

    @property
    def parameters(self) -> Mapping[str, Any]:
        """The JSON schema of its arguments."""
        found: Mapping[str, Any] = self.schema["function"].get("parameters") or {}
        return found

    @property
    def text_argument(self) -> str | None:
        """The argument that `<name>text</name>` fills: the only required one, where that is a string."""
        required = self.parameters.get("required", ())
        if len(required) != 1 or self.parameters["properties"][required[0]].get("type") != "string":
            return None
        return str(required[0])


def tool(
    function: Callable[..., str],
    *,
    name: str | None = None,
    needs_workspace: bool = False,
    cost: float = 0.0,
    budget: int | None = None,
) -> Tool:
    """The tool of a function: its schema is read from the signature and the docstring. Raises TypeError, ValueError."""
    schema = function_schema(function, name=name, skip=int(needs_workspace))
    return Tool(schema=schema, run=function, needs_workspace=needs_workspace, cost=cost, budget=budget)
