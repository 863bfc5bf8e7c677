from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tdv.exec import Command, run
from tests.repository import Repository
from tests.shop import released_shop

COUNT = "import os, sqlite3, sys; c = sqlite3.connect(os.environ['DATABASE_URL'].removeprefix('sqlite:///')); "
COUNT += "print(c.execute('SELECT count(*) FROM users').fetchone()[0])"
LIVE = "live: {url: 'sqlite:///live.db', protected: true}"


@pytest.fixture
def shop(tmp_path: Path) -> Repository:
    return released_shop(tmp_path / "shop")


def leavings(repository: Repository) -> list[Path]:
    return sorted((repository.root / ".tdv").glob("throwaway/*")) + sorted((repository.root / ".tdv").glob("runs/*"))


def test_command_has_a_database_and_it_is_gone_afterwards(shop: Repository) -> None:
    outcome = shop.tdv_process("exec", "--", sys.executable, "-c", f"{COUNT}; sys.exit(3)")
    assert (outcome.exit_code, outcome.stdout) == (3, "10\n")
    assert "shop@v1.0.0" in outcome.stderr
    assert leavings(shop) == []


def test_references_and_scenarios_are_those_of_a_checkout(shop: Repository) -> None:
    assert shop.tdv_process("exec", "shop@v1.1.0", "--", sys.executable, "-c", COUNT).stdout == "13\n"
    outcome = shop.tdv_process("exec", "shop@^1", "--scenario", "retry", "--", sys.executable, "-c", COUNT)
    assert outcome.stdout == "1\n"


def test_environment_tells_what_the_database_holds(shop: Repository) -> None:
    code = "import os, json; print(json.dumps({k: v for k, v in os.environ.items() if k.startswith('TDV_')}))"
    told = json.loads(shop.tdv_process("exec", "--env", "TDV_URL", "--", sys.executable, "-c", code, expect=0).stdout)
    assert told["TDV_URL"] == told["TDV_TARGET"]
    assert told["TDV_RELEASES"] == "shop@1.0.0"
    receipt = json.loads(told["TDV_RECEIPT"])
    assert receipt["execution_id"] == told["TDV_EXECUTION_ID"]
    assert receipt["releases"][0]["tables"] == {"users": {"rows": 10}, "orders": {"rows": 20}}


def test_settings_of_tdv_itself_are_not_passed_on(shop: Repository) -> None:
    code = "import ctypes; get = ctypes.CDLL(None).getenv; get.restype = ctypes.c_char_p; "
    code += "print(get(b'OPENBLAS_NUM_THREADS'), get(b'HOME') is not None)"
    outcome = shop.tdv_process("exec", "--", sys.executable, "-c", code, expect=0)
    assert outcome.stdout == "None True\n"


def test_named_target_is_restored_and_stays(shop: Repository) -> None:
    shop.tdv_process("exec", "--target", "sqlite:///app.db", "--", sys.executable, "-c", COUNT, expect=0)
    assert sqlite3.connect(shop.root / "app.db").execute("SELECT count(*) FROM users").fetchone() == (10,)
    outcome = shop.tdv_process("exec", "--target", "sqlite:///no.db", "--fresh", "--", sys.executable, "-c", COUNT)
    assert outcome.stdout == "10\n"
    assert not (shop.root / "no.db").exists()
    assert leavings(shop) == []


def test_options_of_the_command_are_its_own(shop: Repository) -> None:
    code = "import sys; print(sys.argv[1:])"
    outcome = shop.tdv_process("exec", "--", sys.executable, "-c", code, "--json", "--", "--help", expect=0)
    assert outcome.stdout == "['--json', '--', '--help']\n"
    assert shop.tdv_process("exec", "nothing", "--", "true", "--json").stdout == ""


def test_kept_database_stays_until_it_is_cleaned_up(shop: Repository) -> None:
    shop.tdv("exec", "--keep", "--", "true", expect=0)
    assert len(leavings(shop)) == 2
    shop.tdv("cleanup", expect=0)
    assert leavings(shop) == []


@pytest.mark.parametrize(
    ("words", "code"), [((), 2), (("--",), 2), (("--", "no-such-program"), 127), (("--", "/"), 126)]
)
def test_no_program_is_an_error_that_leaves_nothing(shop: Repository, words: tuple[str, ...], code: int) -> None:
    outcome = shop.tdv("exec", *words)
    assert outcome.exit_code == code
    # Without a command no database is made; a name is looked for once its variables are known.
    assert ("cloned" in outcome.stderr) is (code != 2)
    assert leavings(shop) == []


@pytest.mark.parametrize("name", ["", "A=B", "="])
def test_what_is_no_name_of_a_variable_is_refused_before_anything_is_made(shop: Repository, name: str) -> None:
    outcome = shop.tdv("exec", "--env", name, "--", "true", expect=2)
    assert f"{name!r} is no name of a variable" in outcome.stderr
    assert "cloned" not in outcome.stderr


def test_signal_reaches_the_command_and_the_database_is_removed(shop: Repository) -> None:
    code = "import pathlib, time; pathlib.Path('up').touch(); time.sleep(60)"
    process = subprocess.Popen(
        [sys.executable, "-m", "tdv", "exec", "--", sys.executable, "-c", code],
        cwd=shop.root,
        stderr=subprocess.DEVNULL,
    )
    while not (shop.root / "up").exists():
        assert process.poll() is None
        time.sleep(0.01)
    assert len(leavings(shop)) == 3
    shop.tdv("cleanup", expect=0)
    assert len(leavings(shop)) == 3, "the run is at work"
    process.send_signal(signal.SIGTERM)
    assert process.wait() == 128 + signal.SIGTERM
    assert leavings(shop) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2])
def test_signal_that_comes_while_the_command_begins_reaches_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    class Begun(subprocess.Popen[bytes]):
        """As if the signal came as soon as the command runs."""

        def __init__(self, *words: Any, **options: Any) -> None:
            super().__init__(*words, **options)
            os.kill(os.getpid(), number)

    monkeypatch.setattr(subprocess, "Popen", Begun)
    before = signal.getsignal(number)
    signal.signal(number, lambda number, frame: None)
    try:
        code = run(Command([sys.executable, "-c", "import time; time.sleep(60)"], tmp_path, os.environ))
    finally:
        signal.signal(number, before)
    assert code == 128 + number


def test_receipt_counts_the_rows_of_a_scenario(shop: Repository) -> None:
    code = "import json, os; print(json.loads(os.environ['TDV_RECEIPT'])['releases'][0]['tables'])"
    words = ["exec", "shop@^1", "--scenario", "retry", "--", sys.executable, "-c", code]
    done = shop.tdv_process(*words, expect=0)
    assert done.stdout == "{'users': {'rows': 1}, 'orders': {'rows': 2}}\n"
    assert "3 rows in 2 tables" in done.stderr


def test_refusal_names_no_option_of_another_command(shop: Repository) -> None:
    shop.write({"tdv.yaml": shop.read("tdv.yaml").replace("targets:\n", f"targets:\n  {LIVE}\n")})
    outcome = shop.tdv("exec", "--target", "live", "--", "true", expect=11)
    assert "`tdv checkout --dry-run` shows what would happen" in outcome.stderr


def test_command_that_a_signal_ends_has_the_code_of_a_shell(shop: Repository) -> None:
    code = "import os; os.kill(os.getpid(), 9)"
    assert shop.tdv_process("exec", "--", sys.executable, "-c", code).exit_code == 128 + 9


def test_protected_target_is_refused(shop: Repository) -> None:
    shop.write({"tdv.yaml": shop.read("tdv.yaml").replace("targets:\n", f"targets:\n  {LIVE}\n")})
    assert shop.tdv("exec", "--target", "live", "--", "true").exit_code == 11
    assert shop.tdv("exec", "--target", "live", "--fresh", "--", "true").exit_code == 11
    shop.tdv("exec", "--target", "live", "--fresh", "--allow-protected", "--", "true", expect=0)
