"""Texts as no sensible player writes them: nothing but IllegalAction comes out of `play`, and nothing out of `step`."""

from __future__ import annotations

import math
import time
import warnings

import numpy as np

from turnwise.envs.checker.actions import refusal
from turnwise.envs.checker.play import clipped, player
from turnwise.envs.checker.result import Figures, require
from turnwise.envs.checker.subject import Subject

LONG = 100_000
"""Characters of a long reply."""
LONGEST_ECHO = 1_000
"""Characters of a reply that a reason may repeat."""
LONGEST_READING_S = 2.0
"""Processor seconds that a reply may cost: more means that reading takes more than linear time."""

_SHORT = (
    *(
        "",
        " ",
        "\n",
        "\x00",
        "a\x00b",
        "\ud800",
        "\udfff tail",
        "𝔘𝔫𝔦",
        "٣",
        "[٣]",
        "½",
        "é",
        "e\u0301",
        "\u202eright to left",
    ),
    *(
        "[",
        "]",
        "[]",
        "[[]]",
        "[ ]",
        "][",
        "\\boxed{",
        "\\boxed{}",
        "\\boxed{\\boxed{x}}",
        "</think>",
        "<think>",
        "</think>[x]",
    ),
    *(
        "-1",
        "[-0]",
        "[1e999]",
        "nan",
        "[inf]",
        "0x10",
        "1" * 400,
        "[" + "9" * 400 + "]",
        "%s%n%d",
        "{0.__class__}",
        "${x}",
    ),
    *(
        "../../etc/passwd",
        "'; drop table games; --",
        "<answer>",
        "<answer></answer>",
        "</answer>",
        "<search>",
        "```",
        "```python",
    ),
    *(
        "<tool_call>",
        '<tool_call>{"name": 1, "arguments": []}</tool_call>',
        '{"name": null}',
        "{" * 50,
        '{"a": NaN}',
        "\r\n.\r\n",
    ),
)
_REPEATED = (
    "x",
    "[",
    "]",
    "牌",
    " ",
    "[0] ",
    "\\boxed{",
    "[[",
    "{",
    "(((",
    "<tool_call>",
    "<answer>",
    "a b ",
    "\n",
    "1",
    "[a -> ",
)


def hostile_actions(subject: Subject) -> Figures:
    """`play` takes any text or raises IllegalAction with a reason that repeats little of it."""
    game, rng, slowest = subject.make(), np.random.default_rng(0), 0.0
    game.start(np.random.default_rng(0))
    texts = hostile_texts()
    for text in texts:
        if game.seat is None:
            game.start(rng)
        begin = time.process_time()
        reason = refusal(game, text)
        slowest = max(slowest, _took(begin, text))
        echoed = reason is not None and len(text) > LONGEST_ECHO and text[: LONGEST_ECHO + 1] in reason
        require(
            not echoed,
            f"a reason repeats at most {LONGEST_ECHO} characters of a reply: {clipped(text, 20)} came back whole",
        )
    return {"texts": float(len(texts)), "slowest ms": 1000 * slowest}


def hostile_replies(subject: Subject) -> Figures:
    """No reply escapes `step`: it returns a text, a finite reward, and a reason where the reply was not valid."""
    env, slowest = subject.gym_env(invalid="retry(1000)"), 0.0
    env.reset(seed=0)
    texts = hostile_texts() + _mixed(env)
    for text in texts:
        begin = time.process_time()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            observation, reward, terminated, truncated, info = env.step(text)
        slowest = max(slowest, _took(begin, text))
        require(
            observation in env.observation_space,
            f"an observation is a text of the space: {clipped(text)} led to {clipped(observation)}",
        )
        require(math.isfinite(reward), f"a reward is finite: {clipped(text)} led to {reward}")
        require(not (terminated and truncated), f"at most one of terminated and truncated: {clipped(text)} led to both")
        require(info["status"] == "ok" or bool(info.get("reason")), f"an invalid reply has a reason: {clipped(info)}")
        if terminated or truncated:
            env.reset()
    env.close()
    return {"replies": float(len(texts)), "slowest ms": 1000 * slowest}


def hostile_texts() -> list[str]:
    """Short ones of every kind, and long ones of `LONG` characters."""
    return [*_SHORT, *((piece * LONG)[:LONG] for piece in _REPEATED)]


def _mixed(env: object) -> list[str]:
    """Legal actions with noise around them."""
    game = env.referee.game  # type: ignore[attr-defined]  # a TextGameEnv
    rng = player(0)
    names = [game.sample_action(rng) for _ in range(5)] if game.seat is not None else []
    return [
        form.format(name)
        for name in names
        for form in ("{0}{0}", "[{0}", "{0}]", "[{0}] [{0}]", "\x00[{0}]\ud800", "not [{0}]!")
    ]


def _took(begin: float, text: str) -> float:
    """Seconds since then. Raises Broken where they are too many."""
    seconds = time.process_time() - begin
    require(
        seconds < LONGEST_READING_S,
        f"a reply costs less than {LONGEST_READING_S:g} s: {clipped(text, 20)} took {seconds:.1f} s",
    )
    return seconds
