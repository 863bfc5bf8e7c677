"""The examples for Compose and Kubernetes: their command lines run on a real server; no secret is in a file."""

from __future__ import annotations

import os
import re
import sys
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.repository import run
from tests.shop import released_shop
from tests.targets.servers import run_sql

HOME = Path(__file__).parents[1] / "examples" / "environments"


def loaded(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((HOME / name).read_text("utf-8"))
    return found


def containers(name: str) -> dict[str, Any]:
    """The containers that run something of ours, in the order in which they start."""
    if name == "kubernetes.yaml":
        pod = loaded(name)["spec"]["template"]["spec"]
        return {item["name"]: item for item in (*pod["initContainers"], *pod["containers"])}
    services = loaded(name)["services"]
    waiting = {key: set(item.get("depends_on", ())) for key, item in services.items()}
    return {key: services[key] for key in TopologicalSorter(waiting).static_order() if "command" in services[key]}


def settings() -> str:
    """The tdv.yaml of the page."""
    (found,) = re.findall(r"```yaml\n(.*?)```", (HOME / "README.md").read_text("utf-8"), re.S)
    return found


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


TESTS = """
import os
import psycopg
import pytest

@pytest.mark.parametrize("number", range(3))
def test_data_is_there(number, tdv_database):
    for url in (os.environ["DATABASE_URL"], tdv_database.url):
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT count(*) FROM users").fetchone() == (10,)
            connection.execute("DELETE FROM orders")
            connection.rollback()
"""


@pytest.mark.parametrize("name", ["compose.yaml", "kubernetes.yaml"])
def test_containers_do_on_a_server_what_the_page_says(tmp_path: Path, absent_postgresql: str, name: str) -> None:
    """Each command line and variable as they stand in the file, but for the host and password of the database."""
    shop = released_shop(tmp_path / "repo")
    shop.write({"tdv.yaml": settings(), "tests/test_shop.py": TESTS, "pytest.ini": "[pytest]\n"})
    tools = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    found = containers(name)
    assert list(found) == ["data", "tests"]
    for container in found.values():
        given = container.get("environment") or {item["name"]: item["valueFrom"] for item in container["env"]}
        assert list(given) == ["DATABASE_URL"]
        outcome = run(*container["command"], cwd=shop.root, env={"PATH": tools, "DATABASE_URL": absent_postgresql})
        assert outcome.exit_code == 0, outcome
    assert "3 passed" in outcome.stdout
    # Once more, as after tests that changed the data.
    run_sql(absent_postgresql, "DELETE FROM orders")
    again = run(*found["data"]["command"], cwd=shop.root, env={"PATH": tools, "DATABASE_URL": absent_postgresql})
    assert again.stdout.startswith("cloned ")


@pytest.mark.parametrize("name", ["compose.yaml", "kubernetes.yaml"])
def test_job_fails_where_the_server_is_not_there(tmp_path: Path, name: str) -> None:
    shop = released_shop(tmp_path / "repo")
    shop.write({"tdv.yaml": settings()})
    tools = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    url = "postgresql://postgres:hush@127.0.0.1:1/shop"
    outcome = run(*containers(name)["data"]["command"], cwd=shop.root, env={"PATH": tools, "DATABASE_URL": url})
    assert outcome.exit_code == 15
    assert "hush" not in outcome.stdout + outcome.stderr
