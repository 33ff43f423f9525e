"""A small MCP server to try things out on: the price list of a shop, and sums.

python -m turnwise.envs.tools.example_server
"""

from __future__ import annotations

import argparse
import functools
from collections.abc import Callable
from typing import Any

_WARES = "lamp chair table kettle mirror clock basket carpet vase shelf curtain pillow blanket candle ladder stool"
_CROWNS = (37, 84, 219, 29, 63, 48, 17, 156, 23, 95, 41, 19, 58, 7, 72, 33)
PRICES = dict(zip(_WARES.split(), _CROWNS, strict=True))
"""Price of one piece, in crowns."""


def price(item: str) -> str:
    """The price of one piece of an item, in crowns."""
    if item not in PRICES:
        raise ValueError(f"the shop has no {item[:40]!r}; ask for the list of items")
    return str(PRICES[item])


def items() -> str:
    """The names of all items of the shop."""
    return ", ".join(PRICES)


def total(prices: list[int], counts: list[int]) -> str:
    """The sum of prices times counts, piece by piece."""
    if len(prices) != len(counts):
        raise ValueError(f"there is one count per price: got {len(prices)} prices and {len(counts)} counts")
    return str(sum(one * count for one, count in zip(prices, counts, strict=True)))


def make_server() -> Any:
    """The server, not started."""
    from mcp.server import MCPServer
    from mcp.server.mcpserver.exceptions import ToolError

    def told(function: Callable[..., str]) -> Callable[..., str]:
        """The same function, with errors that the caller reads; of all others a server tells and logs no more."""

        @functools.wraps(function)
        def run(*args: Any, **kwargs: Any) -> str:
            try:
                return function(*args, **kwargs)
            except ValueError as error:
                raise ToolError(str(error)) from None

        return run

    server = MCPServer("turnwise example shop")
    for function in (price, items, total):
        server.tool()(told(function))
    return server


def main() -> None:
    """Speak over stdio, or over HTTP where a port is given."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--port", type=int, help="serve http://127.0.0.1:PORT/mcp")
    port = parser.parse_args().port
    make_server().run(**({} if port is None else {"transport": "streamable-http", "port": port}))


if __name__ == "__main__":
    main()
