"""Bridges to other collections, and tools of other programs."""

from __future__ import annotations

from turnwise.envs.spec import GameSpec

SPECS: tuple[GameSpec, ...] = (
    GameSpec(
        id="McpTools-LLM",
        entry_point="turnwise.envs.tools.mcp_game:mcp_game",
        requires=(("mcp", "turnwise[mcp]"),),
        family="tools",
        summary="Questions that are answered with the tools of any MCP server; a small shop is shipped as an example.",
    ),
)
