"""The page in a real browser, at desktop and phone width: no console message, no request."""

import json
import re
import shutil
import struct
import subprocess

import pytest

from alft.report import render_report
from tests.report.runs import write_run
from tests.report.test_page import HOSTILE

BROWSER = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), ""
)
QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--hide-scrollbars",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--enable-logging=stderr",
)

OWN = re.compile(r"(file|chrome|data|devtools):|https?://[^/]*\.(google|googleapis|gvt1)\.com/")
"""What the browser asks for by itself: the page's own file, and its maker's servers."""

pytestmark = pytest.mark.skipif(not BROWSER, reason="no Chromium on this machine")


def visit(page, folder, width):
    """Console messages, addresses that were asked for, and the size of the screenshot."""
    log, picture = folder / f"net-{width}.json", folder / f"page-{width}.png"
    profile = folder / f"profile-{width}"
    command = [BROWSER, *QUIET, f"--user-data-dir={profile}", f"--window-size={width},900", f"--log-net-log={log}"]
    told = subprocess.run(
        [*command, f"--screenshot={picture}", page.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    ).stderr
    console = [line for line in told.splitlines() if "CONSOLE" in line]
    events = json.loads(log.read_text())["events"]
    urls = {event["params"]["url"] for event in events if "url" in event.get("params", {})}
    return console, urls, struct.unpack(">II", picture.read_bytes()[16:24])


@pytest.mark.parametrize("width", [1280, 390])
def test_a_hostile_page_is_silent_and_asks_for_nothing(tmp_path, width):
    text = HOSTILE + "<b>x</b>" * 1000  # cut on the page
    write_run(tmp_path / "run", rename=lambda name: name + HOSTILE, text=text, stopped=HOSTILE, size=(12, 2))
    page = tmp_path / "page.html"
    page.write_text(render_report([tmp_path / "run", tmp_path / "run"]), encoding="utf-8")
    console, urls, size = visit(page, tmp_path, width)
    assert console == []
    assert "google" not in page.read_text(encoding="utf-8")
    assert [url for url in urls if not OWN.match(url)] == []
    assert size == (width, 900)


def test_the_visit_would_notice_a_script_and_a_request(tmp_path):
    page = tmp_path / "page.html"
    page.write_text("<script>console.error('here')</script><img src='http://127.0.0.1:9/x.png'>", encoding="utf-8")
    console, urls, _ = visit(page, tmp_path, 390)
    assert any("here" in line for line in console)
    assert any(url.startswith("http://127.0.0.1:9/") for url in urls)
