"""Canned answers for `fake`: one run with curves and alerts, an episode of every kind of board, a tree of forks."""

from __future__ import annotations

from typing import Any

RUN: dict[str, Any] = {
    "id": "r1",
    "path": "runs/one",
    "name": "one",
    "env": "TicTacToe-LLM",
    "algorithm": "spiral",
    "model": "tiny",
    "seed": 0,
    "step": 3,
    "steps": 10,
    "status": "running",
    "games": 384,
    "updated": 1_700_000_000,
    "has_episodes": True,
    "headline": {"name": "not_lost", "value": 0.875, "lower_is_better": False},
    "alerts": 1,
}
DETAIL: dict[str, Any] = {
    **RUN,
    "config": "seed: 0\nsteps: 10\n",
    "summary": None,
    "evaluation": {"not_lost": 0.875},
    "checkpoints": [2, 3],
    "alerts": [{"step": 2, "kind": "entropy collapse", "text": "Entropy fell to 0.01 nats. Lower the learning rate."}],
    "recorded_steps": [1, 3],
}
METRICS: dict[str, Any] = {
    "last": 3,
    "names": ["entropy", "loss", "return/player_0", "return/player_1", "time/step"],
    "series": {
        "entropy": [[1, 1.5], [2, 1.25], [3, 1.0]],
        "loss": [[1, 0.5], [2, None], [3, -0.5]],
        "return/player_0": [[1, 0.0], [2, 0.25], [3, 0.5]],
        "return/player_1": [[1, 0.0], [2, -0.25], [3, -0.5]],
        "time/step": [[1, 2.0], [2, 2.0], [3, 2.0]],
    },
}
CHESS = ["rnbqkbnr", "pppp.ppp", "........", "....p...", "....P...", "........", "PPPP.PPP", "RNBQKBNR"]
FIGURES = dict(zip("KQRBNPkqrbnp", "♔♕♖♗♘♙♚♛♜♝♞♟", strict=True))
TONES = ("first", "second", "wall", "goal", "hint", "good", "near", "bad", "muted", None)


def grid(cells: list[list[tuple[str, str | None]]], **more: Any) -> dict[str, Any]:
    """A board of the server out of (text, tone) pairs."""
    shown = [[{"text": text, "tone": tone} for text, tone in row] for row in cells]
    extra = {"row_labels": [], "col_labels": [], "checkered": False, "slant": False, "last": [], "caption": "", **more}
    return {"kind": "grid", "rows": len(cells), "cols": len(cells[0]), "cells": shown, **extra}


BOARDS: list[Any] = [
    grid([[("x", "first"), ("o", "second"), ("3", "muted")]], last=[[0, 1]], caption="x to move."),
    grid([[("●", "first"), ("○", "second"), ("", None)]], col_labels=["1", "2", "3"]),
    grid(
        [[(FIGURES.get(sign, ""), "first" if sign.isupper() else "second") for sign in row] for row in CHESS],
        row_labels=list("87654321"),
        col_labels=list("abcdefgh"),
        checkered=True,
    ),
    grid([[("A", tone) for tone in TONES]]),
    {
        "kind": "cards",
        "rows": [
            {"label": "player_0", "cards": [{"text": "10♥", "hidden": False}], "note": "bets"},
            {"label": "player_1", "cards": [{"text": "", "hidden": True}], "note": ""},
        ],
        "caption": "The pot holds 3 chips.",
    },
    {"kind": "text", "text": "a room\n  exits: north"},
    None,
]


def token(text: str, **values: Any) -> dict[str, Any]:
    """One token; what is not given is a number that can be told from the others."""
    usual = {"logprob": -0.5, "train_logprob": -0.25, "updated_logprob": -0.125, "entropy": 1.5, "advantage": 0.75}
    return {"id": 7, "text": text, "trained": True, **usual, **values}


TOKENS = [
    token("I"),
    token(" play", logprob=-2.0, advantage=-1.5, entropy=0.0, updated_logprob=-0.5),
    token("\n", advantage=0.0),
    token("[5]", trained=False, advantage=None, updated_logprob=None, entropy=None),
]


def turn(index: int, **values: Any) -> dict[str, Any]:
    """One turn of an episode."""
    mine = index % 2 == 0
    return {
        "index": index,
        "seat": f"player_{index % 2}",
        "agent": "policy" if mine else "random",
        "reply": "I play\n[5]",
        "observation": [{"role": "user", "content": f"You are asked for turn {index}."}],
        "thinking": None,
        "value": None,
        "action": "5",
        "status": "ok",
        "reward": 0.0,
        "tool_calls": [],
        "tool_results": [],
        "seconds": 0.25,
        "advantage": 0.5 if mine else None,
        "trained": 3 if mine else 0,
        "tokens": TOKENS if mine else None,
        **values,
    }


TURNS = [
    turn(0, thinking="The centre is best."),
    turn(1),
    turn(2, advantage=-1.0, tool_calls=[{"name": "search", "arguments": {"query": "ttt"}}], tool_results=["3 results"]),
    turn(3, status="illegal", action="9"),
    turn(4, status="unparsable", action=None, reply=""),
    turn(5, reply="long " * 400),
    turn(6, reward=1.0),
]
EPISODE: dict[str, Any] = {
    "episode": {
        "id": "e1",
        "env_id": "TicTacToe-LLM",
        "seats": {"player_0": "policy", "player_1": "random"},
        "status": "ok",
        "returns": {"player_0": 1.0, "player_1": -1.0},
        "seed": 17,
        "step": 3,
        "kind": "train",
        "task": None,
        "level": None,
        "group": "g1",
        "parent": "k0",
        "fork_turn": 2,
        "ground_truth": "5",
        "metadata": {"step": 3},
        "reward_parts": {"outcome": {"player_0": 1.0, "player_1": -1.0}},
    },
    "forks": [{"key": "k2", "id": "e2", "fork_turn": 4, "returns": {"player_0": 0.0, "player_1": 0.0}}],
    "turns": TURNS,
    "boards": [*BOARDS, BOARDS[0]],
}
ROWS = [
    {
        "key": f"k{i}",
        "id": f"e{i}",
        "step": i,
        "kind": "train",
        "env_id": "TicTacToe-LLM",
        "turns": 7,
        "tokens": 40,
        "seats": {"player_0": "policy", "player_1": "random"},
        "returns": {"player_0": 1.0, "player_1": -1.0},
        "status": "ok",
        "outcome": outcome,
        "invalid": i % 2,
        "level": None,
        "group": "g1",
        "parent": None,
        "forked": i % 3,
    }
    for i, outcome in enumerate(("win", "draw", "loss", "truncated", "failed"))
]
NODES = [
    {
        "key": "k0",
        "id": "root",
        "parent": None,
        "fork_turn": None,
        "turns": 4,
        "returns": {"a": 1.0},
        "advantages": [0.5, None, -1.0, 0.25],
    },
    {
        "key": "k1",
        "id": "fork",
        "parent": "k0",
        "fork_turn": 2,
        "turns": 3,
        "returns": {"a": 0.0},
        "advantages": [0.5, None, 1.0],
    },
    {
        "key": "k9",
        "id": "orphan",
        "parent": "lost",
        "fork_turn": 1,
        "turns": 2,
        "returns": {"a": 0.0},
        "advantages": [None, None],
    },
]
PAIRS = [{"seed": 5, "seat": "player_0", "a": "k1", "b": "k1", "same_turns": 2, "return_a": 0.0, "return_b": 1.0}]
JOB = {
    "state": "done",
    "done": 1,
    "total": 1,
    "error": None,
    "result": {"pairs": PAIRS, "mean_a": 0.0, "mean_b": 1.0, "difference": {"mean": 1.0, "low": 0.5, "high": 1.5}},
}


def answers() -> dict[str, Any]:
    """A fresh set of answers, for a test to change."""
    facets = {
        "env_id": ["TicTacToe-LLM", "KuhnPoker-LLM"],
        "agent": ["policy", "random"],
        "seat": ["player_0", "player_1"],
    }
    return {
        "runs": {"runs": [RUN]},
        "runs/r1": DETAIL,
        "runs/r1/metrics": METRICS,
        "runs/r1/facets": {**facets, "level": [], "kind": ["train", "eval"], "step": [0, 4], "total": len(ROWS)},
        "runs/r1/episodes": {"total": len(ROWS), "page": 0, "size": 50, "rows": ROWS},
        "runs/r1/episodes/k1": EPISODE,
        "runs/r1/tree": {"nodes": NODES},
        "runs/r1/diff": {"job": "j1"},
        "jobs/j1": JOB,
    }
