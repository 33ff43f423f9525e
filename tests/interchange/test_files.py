"""Round trips of episodes through every form, and what is said of files that hold something else."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from turnwise.interchange import read_episodes, write_episodes
from turnwise.interchange.export import export
from turnwise.interchange.huggingface import to_dataset
from turnwise.records import Episode, RecordError

FORMS = ("a.jsonl", "a.parquet", "folder", "a.eval", "a.json")


@pytest.mark.parametrize("name", FORMS)
def test_episodes_come_back_as_they_were(tmp_path: Path, name: str, recorded: list[Episode], odd: Episode) -> None:
    episodes = [*recorded[:40], odd, odd]
    assert len(recorded) >= 40
    assert recorded[0].turns[0].advantages is not None
    write_episodes(tmp_path / name, episodes)
    back = read_episodes(tmp_path / name)
    assert [repr(episode) for episode in back] == [repr(episode) for episode in episodes]  # -0.0 apart from 0.0
    assert back == episodes


def test_a_form_may_be_named_whatever_the_ending(tmp_path: Path, odd: Episode) -> None:
    write_episodes(tmp_path / "x.data", [odd], "jsonl")
    assert (tmp_path / "x.data").read_text() == odd.to_json() + "\n"
    with pytest.raises(ValueError, match=r"written as jsonl, parquet, datasets, inspect: got '\.csv'"):
        write_episodes(tmp_path / "x.csv", [odd])


def test_a_run_stands_for_what_it_recorded(finished_run: Path, recorded: list[Episode]) -> None:
    steps = {episode.metadata["step"] for episode in recorded}
    assert steps == {1, 10, 12}
    assert {episode.env_id for episode in recorded} == {"KuhnPoker-LLM"}
    assert len(read_episodes(finished_run / "games.jsonl")) == 12


def test_a_folder_stands_for_its_files(tmp_path: Path, odd: Episode, recorded: list[Episode]) -> None:
    write_episodes(tmp_path / "b.jsonl", [odd])
    write_episodes(tmp_path / "a.parquet", recorded[:2])
    assert read_episodes(tmp_path) == [*recorded[:2], odd]


def test_a_data_set_is_one_that_others_read(tmp_path: Path, odd: Episode, recorded: list[Episode]) -> None:
    import datasets

    write_episodes(tmp_path / "set", [odd, *recorded[:3]])
    found = datasets.load_from_disk(str(tmp_path / "set"))
    assert found.num_rows == 4
    assert found[0]["returns"] == [{"key": "a", "value": 1.5}, {"key": "b", "value": -1.5}]
    assert found[0]["turns"][1]["text"] == "no"
    assert found.features == to_dataset([odd]).features, "columns that are all None have their type"
    assert found.filter(lambda row: row["env_id"] == "Odd/Game-LLM").num_rows == 1


def test_a_log_names_who_played_what_and_how_well(tmp_path: Path, odd: Episode) -> None:
    write_episodes(tmp_path / "a.json", [odd])
    log = json.loads((tmp_path / "a.json").read_text())
    assert (log["status"], log["eval"]["task"], log["eval"]["model"]) == ("success", "Odd/Game-LLM", "turnwise/policy")
    (sample,) = log["samples"]
    assert [message["role"] for message in sample["messages"]] == ["system", "user", "assistant"]
    assert [message["content"] for message in sample["input"]] == ['Règles\n"x" </script>', ""]
    assert (sample["target"], sample["output"]["completion"], sample["scores"]["return"]["value"]) == ("42", "[a]", 1.5)
    assert log["results"]["scores"][0]["metrics"]["mean"]["value"] == 1.5


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.jsonl", '{"messages": [], "mask": []}', "line 1 of .* it is a conversation of one seat"),
        ("x.jsonl", '{"prompt": [], "chosen": [], "rejected": []}', "line 1 of .* it is a pair of replies"),
        ("x.jsonl", '{"a": 1}', "line 1 of .*x.jsonl is no episode: an episode has the fields"),
        ("x.json", '{"a": 1}', "is no Inspect log: it is no JSON object with `eval`"),
        ("x.json", '{"eval": {}, "samples": [{"id": 7}]}', "sample 7 of .* holds no episode of turnwise"),
        ("x.eval", "no zip", "is no Inspect log"),
        ("x.txt", "", "is no file of episodes: it ends in"),
        ("x.parquet", "", "is no intact Parquet file"),
    ],
)
def test_what_is_no_file_of_episodes(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(RecordError, match=message):
        read_episodes(tmp_path / name)


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="there is no"):
        read_episodes(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="holds no episodes"):
        read_episodes(tmp_path)
    with pytest.raises(ValueError, match="at least one sample"):
        write_episodes(tmp_path / "a.eval", [])


def test_a_foreign_data_set_is_refused(tmp_path: Path) -> None:
    import datasets

    datasets.Dataset.from_list([{"text": "x"}]).save_to_disk(str(tmp_path / "set"))
    with pytest.raises(RecordError, match="has columns env_id and turns: got text"):
        read_episodes(tmp_path / "set")


def test_a_log_is_a_zip_of_the_documented_parts(tmp_path: Path, odd: Episode) -> None:
    write_episodes(tmp_path / "a.eval", [odd, odd])
    names = zipfile.ZipFile(tmp_path / "a.eval").namelist()
    assert names == [
        "_journal/start.json",
        *(f"samples/run/3.7#2_epoch_{epoch}.json" for epoch in (1, 2)),
        *("summaries.json", "header.json"),
    ]


def test_what_was_exported_for_fine_tuning_cannot_come_back(tmp_path: Path, finished_run: Path) -> None:
    export(finished_run, "sft", tmp_path / "set")
    with pytest.raises(RecordError, match="has columns env_id and turns: got"):
        read_episodes(tmp_path / "set")
