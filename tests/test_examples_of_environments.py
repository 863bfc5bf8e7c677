"""The examples for Compose and Kubernetes: valid YAML, commands that tdv has, no secret in a file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.repository import Repository

HOME = Path(__file__).parents[1] / "examples" / "environments"


def loaded(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((HOME / name).read_text("utf-8"))
    return found


def commands() -> list[list[str]]:
    """What the containers run."""
    pod = loaded("kubernetes.yaml")["spec"]["template"]["spec"]
    containers = [*pod["initContainers"], *pod["containers"], *loaded("compose.yaml")["services"].values()]
    return [container["command"] for container in containers if "command" in container]


def test_data_comes_before_tests_in_compose() -> None:
    services = loaded("compose.yaml")["services"]
    assert services["tests"]["depends_on"] == {"data": {"condition": "service_completed_successfully"}}
    assert services["data"]["depends_on"] == {"database": {"condition": "service_healthy"}}
    assert services["tests"]["environment"] == services["data"]["environment"]


def test_data_comes_before_tests_in_kubernetes() -> None:
    job = loaded("kubernetes.yaml")
    assert (job["apiVersion"], job["kind"]) == ("batch/v1", "Job")
    pod = job["spec"]["template"]["spec"]
    assert [item["name"] for item in pod["initContainers"]] == ["data"]
    for container in (*pod["initContainers"], *pod["containers"]):
        assert container["env"][0]["valueFrom"]["secretKeyRef"] == {"name": "shop-database", "key": "url"}


@pytest.mark.parametrize("name", ["compose.yaml", "kubernetes.yaml"])
def test_no_password_is_written(name: str) -> None:
    for password in re.findall(r"://[^:@\s]+:([^@\s]+)@", (HOME / name).read_text("utf-8")):
        assert password.startswith("${")


def test_settings_and_commands_are_those_of_tdv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readme = (HOME / "README.md").read_text("utf-8")
    (settings,) = re.findall(r"```yaml\n(.*?)```", readme, re.S)
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path / 'app.db'}")
    repository = Repository.create(tmp_path / "repo", {"README.md": "Shop\n"})
    repository.tdv("init", expect=0)
    repository.write({"tdv.yaml": settings})
    (words,) = {tuple(words) for words in commands() if words[0] == "tdv"}
    # There is nothing to restore, which is neither a mistake in the command nor in tdv.yaml.
    assert repository.tdv(*words[1:]).exit_code == 10
