"""The page in a real browser, where there is one."""

import base64
import hashlib
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from tdv.diff.page import page
from tdv.model.diff import Finding
from tests.diff.faces import hostile

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")]

TYPING = """
const section = document.querySelector("section[data-table]");
const search = section.querySelector("input[type=search]");
const boxes = [...section.querySelectorAll("input[type=checkbox]")];
const count = () => [...section.querySelectorAll("tbody tr")].filter((row) => !row.hidden).length;
const seen = [count()];
search.value = "drop TABLE"; search.dispatchEvent(new Event("input"));
seen.push(count());
boxes.find((box) => box.value === "changed").click();
seen.push(count());
search.value = ""; search.dispatchEvent(new Event("input"));
seen.push(count());
document.title = "seen " + seen.join(" ") + " wide " + (document.documentElement.scrollWidth > innerWidth);
"""


def shown(file: Path, text: str, width: int) -> str:
    """The document as a browser has it after its scripts ran."""
    file.write_text(text, encoding="utf-8")
    command = [
        str(CHROMIUM),
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={file.parent}/profile",
    ]
    done = subprocess.run(
        [*command, f"--window-size={width},900", "--dump-dom", file.as_uri()],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    return done.stdout


def with_script(text: str, script: str) -> str:
    """The page with another script that it lets run."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    text = re.sub(r"script-src ", f"script-src 'sha256-{digest}' ", text, count=1)
    return text.replace("</body>", f"<script>{script}</script></body>")


@pytest.mark.parametrize("width", [500, 1300])
def test_filters_work_and_nothing_is_wider_than_the_window(tmp_path: Path, width: int) -> None:
    found = shown(tmp_path / "page.html", with_script(page([hostile(tmp_path)]), TYPING), width)
    title = re.search(r"<title>(.*?)</title>", found)
    assert title is not None
    # 12 rows; the text stands in two changed ones, and unticking "changed" leaves the one that was added.
    assert title[1] == "seen 12 2 0 1 wide false"


def test_many_reasons_leave_the_first_screen_to_the_rows(tmp_path: Path) -> None:
    found = Finding("cell-changed", "patch", "wide", "12 values changed", "column")
    report = replace(hostile(tmp_path), findings=(found,) * 100)
    high = "document.title = document.querySelector('.reasons').clientHeight < 400 ? 'low' : 'high'"
    assert "<title>low</title>" in shown(tmp_path / "page.html", with_script(page([report]), high), 1000)


def test_other_scripts_do_not_run(tmp_path: Path) -> None:
    text = page([hostile(tmp_path)]).replace("</body>", "<script>document.title = 'ran'</script></body>")
    assert "<title>ran</title>" not in shown(tmp_path / "page.html", text, 1000)
