"""Every kernel compiles for a Hopper GPU, down to its machine code; that needs no GPU. What it does, others test."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COMPILE = """
import importlib, sys, triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
for file, name, kinds, constants in {cases!r}:
    kernel = getattr(importlib.import_module(f"turnwise.kernels.{{file}}"), name)
    kinds = kinds | dict.fromkeys(constants, "constexpr")
    assert set(kinds) == set(kernel.arg_names), (name, set(kinds) ^ set(kernel.arg_names))
    source = ASTSource(kernel, {{argument: kinds[argument] for argument in kernel.arg_names}}, constants)
    print(name, len(triton.compile(source, target=GPUTarget("cuda", 90, 32)).asm["cubin"]))
"""


def kinds(**names: str) -> dict[str, str]:
    """Argument -> what it is, from what they are -> arguments."""
    return {name: kind.replace("p_", "*") for kind, words in names.items() for name in words.split()}


CASES = [
    ("scan_triton", "_scan_rows", kinds(p_fp32="values decay out", i32="length"), {"FORWARD": way, "BLOCK": 2048})
    for way in (False, True)
]
CASES += [
    (
        "loss_triton",
        "_clipped",
        kinds(
            p_fp32="logprobs old_logprobs advantages loss slope",
            p_i8="mask clipped lower",
            i32="count",
            fp32="low high ceiling",
        ),
        {"LIMIT": 20.0, "BLOCK": 1024},
    )
]
OF_TILE = {"i32": "stride rows first columns", "p_i64": "tokens", "fp32": "softcap temperature"}
for given in (False, True):
    HEAD = {"HAS_BIAS": given, "HAS_CAP": given, "BLOCK": 4096}
    CASES += [
        ("logprobs_triton", "_fold", kinds(p_fp32="tile bias state", **OF_TILE), HEAD),
        ("logprobs_triton", "_turn", kinds(p_fp32="tile bias numbers", p_bf16="out", **OF_TILE), HEAD),
    ]

STRIDES = [f"{part}_{axis}" for part in ("query", "key", "value", "given", "grad") for axis in ("head", "token")]
BLOCKS = {"GROUP": 2, "D": 128, "WIDTH": 128, "QUERIES": 64, "KEYS": 64, "PRECISION": "tf32", "WIDE": False}
CASES += [
    (
        "tree_attention_triton",
        "_forward",
        kinds(
            p_bf16="query key value out",
            p_fp32="logsum",
            p_i32="end counts read",
            fp32="scale",
            i32=" ".join(["tokens most_blocks", *STRIDES[:6], "out_head", "out_token"]),
        ),
        BLOCKS,
    )
]
CASES += [
    (
        "tree_attention_triton",
        name,
        kinds(
            p_bf16=f"query key value given {grads}",
            p_fp32="logsum delta",
            p_i32=f"end {lists}",
            fp32="scale plain_scale",
            i32=" ".join(["tokens", *more.split(), *STRIDES]),
        ),
        BLOCKS,
    )
    for name, grads, lists, more in (
        ("_backward_queries", "grad_query", "counts read", "most_blocks"),
        ("_backward_keys", "grad_key grad_value", "last", ""),
    )
]


def test_every_kernel_compiles() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    environment["PYTHONPATH"] = str(ROOT / "src")
    command = [sys.executable, "-c", COMPILE.format(cases=CASES)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == len(CASES)
