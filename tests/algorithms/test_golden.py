"""Every golden case of every `*.json` in a folder: `pytest tests/algorithms/test_golden.py --golden DIR`.

`<name>.json` is read by `golden_adapters/<name>.py`, whose `outputs(inputs)` returns what the library makes of a case,
under the names that the file's `expected` uses.
"""

import importlib.util
import json
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ADAPTERS = Path(__file__).parent / "golden_adapters"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "golden_case" in metafunc.fixturenames:
        folder = metafunc.config.getoption("--golden")
        allow_missing = metafunc.config.getoption("--golden-allow-missing")
        metafunc.parametrize("golden_case", list(golden_params(folder, allow_missing)))


def golden_params(folder: Path, allow_missing: bool) -> Iterator[Any]:
    """One parameter per case; one for a whole file that no adapter reads, unless that is allowed."""
    for path in sorted(Path(folder).glob("*.json")):
        adapter = ADAPTERS / path.name.replace(".json", ".py")
        if adapter.exists():
            for case in json.loads(path.read_text(encoding="utf-8"))["cases"]:
                yield pytest.param((adapter, case), id=f"{path.stem}-{case['name']}")
        elif not allow_missing:
            yield pytest.param((adapter, None), id=f"{path.stem}-no_adapter")


def test_folder_has_golden_files(pytestconfig: pytest.Config) -> None:
    folder = pytestconfig.getoption("--golden")
    assert list(Path(folder).glob("*.json")), f"--golden needs a folder with *.json files: found none in {folder}"


@pytest.mark.filterwarnings("ignore:.*groups have one reward")
def test_golden(golden_case: tuple[Path, dict | None]) -> None:
    adapter, case = golden_case
    assert case is not None, f"no adapter reads this file: write {adapter}, or pass --golden-allow-missing"
    check(load(adapter)(inputs_of(case)), case["expected"], case["tolerance"])


def inputs_of(case: Mapping[str, Any]) -> dict:
    """What the adapter gets; a `kind` that a file writes beside the inputs goes in with them."""
    return {"kind": case["kind"]} | case["inputs"] if "kind" in case else case["inputs"]


def load(adapter: Path) -> Callable[[dict], Mapping[str, Any]]:
    spec = importlib.util.spec_from_file_location(f"golden_adapter_{adapter.stem}", adapter)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.outputs


def check(actual: Mapping[str, Any], expected: Mapping[str, Any], tolerance: float) -> None:
    """Compare every expected quantity that the adapter knows; it has to know at least one."""
    known = expected.keys() & actual.keys()
    assert known, f"the adapter makes {sorted(actual)}: the case expects none of them but {sorted(expected)}"
    if unknown := expected.keys() - known:
        warnings.warn(
            f"expected values that the adapter does not make were not checked: {sorted(unknown)}", stacklevel=2
        )
    for key in sorted(known):
        compare(actual[key], expected[key], tolerance, key)


def compare(actual: Any, expected: Any, tolerance: float, where: str) -> None:
    """Equal structure, numbers within the absolute tolerance. An entry that the file leaves out must be no samples."""
    if isinstance(expected, Mapping):
        missing = expected.keys() - actual.keys()
        assert not missing, f"{where} lacks {sorted(missing)}"
        for key, value in expected.items():
            compare(actual[key], value, tolerance, f"{where}.{key}")
        extra = [key for key in actual.keys() - expected.keys() if isinstance(actual[key], list) and actual[key]]
        assert not extra, f"{where} has {sorted(extra)}, which the case does not expect"
    elif isinstance(expected, list):
        actual = list(actual)
        assert len(actual) == len(expected), f"{where} has {len(actual)} entries: expected {len(expected)}"
        for index, (got, value) in enumerate(zip(actual, expected, strict=True)):
            compare(got, value, tolerance, f"{where}[{index}]")
    elif expected is None or isinstance(expected, (bool, str)):
        assert actual == expected, f"{where} is {actual!r}: expected {expected!r}"
    else:
        difference = abs(float(actual) - expected)
        assert difference <= tolerance, f"{where} is {float(actual)!r}: expected {expected!r} within {tolerance}"


# Kinds of cases that other files of the same format hold.

TURNS = {"turn_token_counts": {"0": [2, 2, 2], "1": [1]}}
FIXED = {
    "decay": 0.5,
    "trained_roles": [0],
    "turn_discount": 0.5,
    "games": [{"rewards": {"0": -1.5, "1": 0.5}} | TURNS],
}
PAIR = {"rewards": [2.0, 1.0, 3.0], "group": ["a", "b", "b"]}


@pytest.mark.parametrize(
    ("name", "inputs", "expected"),
    [
        (
            "rae",  # a forfeit, a discount per role, a fixed opponent
            FIXED,
            {
                "games": [
                    {
                        "samples": {
                            "0": [
                                {"turn": 0, "advantage": -0.375},
                                {"turn": 1, "advantage": -0.75},
                                {"turn": 2, "advantage": -1.5},
                            ],
                            "1": [],
                        },
                        "baseline_after": {"0": -0.75, "1": 0.25},
                    }
                ]
            },
        ),
        ("rae", FIXED, {"baselines": {"game": {"0": -0.75, "1": 0.25}}, "advantages": [{"0": -1.5}]}),
        ("grpo", PAIR | {"variant": "dr_grpo"}, {"sequence_advantages": [2.0, -1.0, 1.0]}),
        ("grpo", PAIR | {"ddof": 1, "eps": 1e-6}, {"sequence_advantages": [2.0, -(0.5**0.5), 0.5**0.5]}),
        (
            "grpo",
            PAIR | {"ddof": 0, "eps": 1e-8, "scale": "group"},
            {"sequence_advantages": [0.0, -1.0, 1.0]},
        ),
        ("losses", {"kind": "kl_k2", "log_prob": [-1.0], "ref_log_prob": [-3.0]}, {"kl": [2.0]}),
    ],
)
@pytest.mark.filterwarnings("ignore:.*groups have one reward")
def test_adapters_by_hand(name: str, inputs: dict, expected: dict) -> None:
    check(load(ADAPTERS / f"{name}.py")(inputs), expected, tolerance=1e-5)


# The runner itself: it must be able to fail.


def test_runner_needs_an_adapter(tmp_path: Path) -> None:
    (tmp_path / "unheard_of.json").write_text('{"cases": [{"name": "a"}]}')
    (param,) = golden_params(tmp_path, allow_missing=False)
    assert param.id == "unheard_of-no_adapter"
    with pytest.raises(AssertionError, match=r"unheard_of\.py, or pass --golden-allow-missing"):
        test_golden(param.values[0])
    assert list(golden_params(tmp_path, allow_missing=True)) == []


@pytest.mark.parametrize(
    ("actual", "expected"),
    [
        ({"a": 1.0}, {"b": 1.0}),
        ({"a": 1.01}, {"a": 1.0}),
        ({"a": float("nan")}, {"a": 1.0}),
        ({"a": np.array([1.0])}, {"a": [1.0, 2.0]}),
        ({"a": {"0": 1.0}}, {"a": {"0": 1.0, "1": 1.0}}),
        ({"a": {"0": [1.0], "1": [2.0]}}, {"a": {"0": [1.0]}}),
        ({"a": [True]}, {"a": [False]}),
    ],
)
def test_runner_fails_on_what_differs(actual: dict, expected: dict) -> None:
    with pytest.raises(AssertionError):
        check(actual, expected, tolerance=1e-3)


def test_runner_passes_within_tolerance() -> None:
    with pytest.warns(UserWarning, match=r"not checked: \['c'\]"):
        check({"a": np.array([1.0005]), "b": 3.0}, {"a": [1.0], "c": 2.0}, tolerance=1e-3)
