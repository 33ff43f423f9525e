"""The files that contributors, GitHub and PyPI read: they parse, agree with pyproject.toml, and name what there is."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
PAGES = ("CONTRIBUTING.md", "CODE_OF_CONDUCT.md", "SECURITY.md", "CHANGELOG.md")
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
FORMS = sorted(path for path in (ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml") if path.stem != "config")
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def test_the_citation_is_of_this_version() -> None:
    cited = read(ROOT / "CITATION.cff")
    assert {"cff-version", "message", "title", "authors"} <= cited.keys()
    assert (cited["cff-version"], cited["version"], cited["license"]) == ("1.2.0", VERSION, "Apache-2.0")
    assert all(author.keys() & {"name", "family-names"} for author in cited["authors"])


def test_the_changelog_begins_with_this_version() -> None:
    versions = re.findall(r"^## (\d+\.\d+\.\d+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert versions[0] == VERSION
    assert versions == sorted(versions, key=lambda text: tuple(map(int, text.split("."))), reverse=True)


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text()
    for target in re.findall(r"\]\(([^)#]+)", text):
        assert target.startswith("https://") or (ROOT / target).exists(), target


def steps_of(workflow: Path) -> list[dict[str, Any]]:
    return [step for job in read(workflow)["jobs"].values() for step in job["steps"]]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_run_targets_that_there_are(workflow: Path) -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = [word for step in steps_of(workflow) for word in re.findall(r"make ([a-z-]+)", step.get("run", ""))]
    assert targets
    assert [name for name in targets if not re.search(rf"^{name}:", makefile, re.MULTILINE)] == []
    found = read(workflow)
    assert found["permissions"] == {"contents": "read"}
    assert all("timeout-minutes" in job for job in found["jobs"].values())
    assert all(re.search(r"@(v\d+|release/v\d+)$", step["uses"]) for step in steps_of(workflow) if "uses" in step)


def test_a_release_is_of_the_tag_and_trusted_by_pypi_without_a_secret() -> None:
    path = ROOT / ".github/workflows/release.yml"
    found = read(path)
    assert found[True] == {"push": {"tags": ["v*"]}}, "YAML 1.1 reads the key `on` as true"
    publish = found["jobs"]["publish"]
    assert (publish["permissions"], publish["environment"]) == ({"id-token": "write"}, "pypi")
    assert publish["steps"][-1]["uses"].startswith("pypa/gh-action-pypi-publish@")
    assert "secrets." not in path.read_text()
    assert any('test "$GITHUB_REF_NAME" = "v$version"' in step.get("run", "") for step in steps_of(path))


@pytest.mark.parametrize("form", FORMS, ids=lambda path: path.stem)
def test_issue_forms_are_as_github_reads_them(form: Path) -> None:
    found = read(form)
    assert {"name", "description", "body"} <= found.keys()
    ids = [entry["id"] for entry in found["body"]]
    assert len(set(ids)) == len(ids)
    for entry in found["body"]:
        assert entry["type"] in {"markdown", "input", "textarea", "dropdown", "checkboxes"}
        assert entry["attributes"]["label"]


def test_hooks_are_the_tools_of_the_development_environment() -> None:
    (repo,) = read(ROOT / ".pre-commit-config.yaml")["repos"]
    assert repo["repo"] == "local"
    assert {hook["id"]: hook["entry"].split()[0] for hook in repo["hooks"]} == {
        "ruff": ".venv/bin/ruff",
        "ruff-format": ".venv/bin/ruff",
        "mypy": ".venv/bin/mypy",
    }
    assert all(hook["language"] == "system" for hook in repo["hooks"])
