"""Tools of an MCP server (Model Context Protocol) as tools of an environment. Extra `mcp`."""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import sys
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from turnwise.envs.core import EnvFailure
from turnwise.envs.tools.tool import Tool, ToolError

Server = str | Sequence[str] | Callable[[], Any]
"""A url, a command line, or a function of a module that makes an `mcp.server.MCPServer` in this process."""

_START_S = 60.0


class McpServer:
    """A connection to one server, opened at its first use and again after a failure.

    server: the url of a streamable HTTP server, a command to start (spoken to over stdio), or a function that makes a
    server in this process. environment: further variables for the command, which else gets little more than PATH and
    HOME. deadline_s: for one call; a call that takes longer is told to the agent as a failed one, and the server is
    started anew. only: names of the tools to take; None: all. cost, budget: of each tool, see `Tool`.
    A pickled connection is its settings; the copy opens a connection of its own, or takes that of its process where it
    came from `shared_server`. A connection that nobody holds any more ends.
    """

    def __init__(
        self,
        server: Server,
        *,
        environment: Mapping[str, str] | None = None,
        deadline_s: float = 30.0,
        only: Sequence[str] | None = None,
        cost: float = 0.0,
        budget: int | None = None,
    ) -> None:
        if deadline_s <= 0:
            raise ValueError(f"deadline_s is above 0: got {deadline_s}")
        self.server = server if isinstance(server, str) or callable(server) else tuple(server)
        self.environment = dict(environment or {})
        self.deadline_s, self.only, self.cost, self.budget = deadline_s, only, cost, budget
        self.shared = False
        """Whether it is the one of its process."""
        self._link: _Link | None = None
        self._lock = threading.Lock()

    def tools(self) -> tuple[Tool, ...]:
        """The server's tools.

        Raises EnvFailure where it cannot be reached, and ValueError where it lacks one of `only`.
        """
        listed = {tool.name: tool for tool in self._connected().listed}
        missing = [name for name in self.only or () if name not in listed]
        if missing:
            raise ValueError(f"the MCP server has no tool {missing[0]!r}; it has {', '.join(listed) or 'none'}")
        return tuple(self._tool(listed[name]) for name in self.only or listed)

    def call(self, name: str, /, **arguments: Any) -> str:
        """What a tool answers, as a text. Raises ToolError where it fails or takes too long."""
        link = self._connected()
        try:
            result = link.call(name, arguments, self.deadline_s)
        except concurrent.futures.TimeoutError:
            self.close()
            raise ToolError(f"{name} gave no answer within {self.deadline_s:g} s") from None
        except Exception as error:  # whatever a foreign server and its client raise
            if not link.alive or _is_closed(error):
                self.close()
            raise ToolError(f"{name} failed: {str(error)[:500] or type(error).__name__}") from None
        if result.is_error:
            raise ToolError(render(result.content))
        return render(result.content)

    def close(self) -> None:
        """End the connection, and the process that was started for it."""
        with self._lock:
            link, self._link = self._link, None
        if link is not None:
            link.close()

    def _connected(self) -> _Link:
        with self._lock:
            if self._link is None or not self._link.alive:
                self._link = _Link(self._target())
                weakref.finalize(self, self._link.close)
            return self._link

    def _target(self) -> Any:
        if isinstance(self.server, str):
            return self.server
        if callable(self.server):
            return self.server()
        from mcp.client.stdio import StdioServerParameters

        command, *words = self.server
        return StdioServerParameters(command=command, args=words, env=self.environment)

    def _tool(self, listed: Any) -> Tool:
        function = {
            "name": listed.name,
            "description": " ".join((listed.description or "").split()),
            "parameters": listed.input_schema,
        }
        schema = {"type": "function", "function": function}
        return Tool(schema=schema, run=partial(self.call, listed.name), cost=self.cost, budget=self.budget)

    def __reduce__(self) -> tuple[Any, ...]:
        only = None if self.only is None else tuple(self.only)
        settings = (self.server, tuple(self.environment.items()), self.deadline_s, only, self.cost, self.budget)
        return shared_server if self.shared else own_server, settings

    def __deepcopy__(self, memo: dict[int, Any]) -> McpServer:
        """Copies of a game share the connection."""
        return self


def own_server(
    server: Server,
    environment: tuple[tuple[str, str], ...],
    deadline_s: float,
    only: tuple[str, ...] | None,
    cost: float,
    budget: int | None,
) -> McpServer:
    """A connection of its own."""
    return McpServer(server, environment=dict(environment), deadline_s=deadline_s, only=only, cost=cost, budget=budget)


@functools.cache
def shared_server(
    server: Server,
    environment: tuple[tuple[str, str], ...],
    deadline_s: float,
    only: tuple[str, ...] | None,
    cost: float,
    budget: int | None,
) -> McpServer:
    """The one connection of this process with these settings: for servers that keep nothing between calls."""
    made = own_server(server, environment, deadline_s, only, cost, budget)
    made.shared = True
    return made


class _Link:
    """A live client in an event loop of its own, in a thread of its own."""

    def __init__(self, target: Any) -> None:
        self.listed: list[Any] = []
        self._loop = asyncio.new_event_loop()
        self._ready: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._stop = asyncio.Event()
        self._client: Any = None
        self._thread = threading.Thread(target=self._run, args=(target,), daemon=True, name="turnwise-mcp")
        self._thread.start()
        try:
            self._ready.result(_START_S)
        except concurrent.futures.TimeoutError:
            self.close()
            raise EnvFailure(f"the MCP server did not answer within {_START_S:g} s of its start") from None
        except Exception as error:  # whatever a foreign server and its client raise
            raise EnvFailure(f"the MCP server cannot be reached: {_first(error)}") from None

    @property
    def alive(self) -> bool:
        """Whether the client still runs."""
        return self._thread.is_alive() and not self._stop.is_set()

    def call(self, name: str, arguments: Mapping[str, Any], deadline_s: float) -> Any:
        """The result of a call. Raises concurrent.futures.TimeoutError, and what the client raises."""
        waiting = asyncio.run_coroutine_threadsafe(self._client.call_tool(name, dict(arguments)), self._loop)
        try:
            return waiting.result(deadline_s)
        except concurrent.futures.TimeoutError:
            waiting.cancel()
            raise

    def close(self) -> None:
        """Ask the client to end; a thread that hangs is left behind, and ends with this process."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(5.0)

    def _run(self, target: Any) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve(target))
        except BaseException as error:  # it must reach whoever waits in __init__
            if not self._ready.done():
                self._ready.set_exception(error if isinstance(error, Exception) else RuntimeError(repr(error)))
        finally:
            self._stop.set()

    async def _serve(self, target: Any) -> None:
        from mcp import Client

        async with Client(target) as client:
            self._client = client
            self.listed = list((await client.list_tools()).tools)
            self._ready.set_result(None)
            await self._stop.wait()


def render(content: Sequence[Any]) -> str:
    """The parts of an answer as one text; what is no text is named."""
    parts = [part.text if part.type == "text" else f"({part.type} content, which cannot be shown)" for part in content]
    return "\n".join(parts)


def python_server(module: str, *words: str) -> tuple[str, ...]:
    """The command that starts a module of this Python as a server."""
    return (sys.executable, "-m", module, *words)


def _is_closed(error: Exception) -> bool:
    """Whether the server is gone, which the client notices at the call that it does not answer."""
    from mcp_types import CONNECTION_CLOSED

    return getattr(getattr(error, "error", None), "code", None) == CONNECTION_CLOSED


def _first(error: BaseException) -> str:
    """The innermost message of an exception, or of the first of a group."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error)[:500] or type(error).__name__
