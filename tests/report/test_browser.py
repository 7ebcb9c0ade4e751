"""The page in a real browser, at desktop and phone width: no console message, no request."""

import json
import re
import shutil
import struct
import subprocess

import pytest

from alft.reporting.page import render_report
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


def rendered(folder, runs):
    """A page about hostile runs, whose completions have a megabyte each."""
    text = HOSTILE + "<b>x</b>" * 131_072  # cut on the page
    paths = [folder / f"run-{index}" for index in range(runs)]
    for path in paths:
        write_run(path, rename=lambda name: name + HOSTILE, text=text, stopped=HOSTILE, size=(12, 2))
    page = folder / "page.html"
    page.write_text(render_report(paths), encoding="utf-8")
    return page


def widths(page, folder, width):
    """How wide the page is with all that is folded open, in a frame of this width; and how wide the frame is."""
    outer = folder / "outer.html"
    outer.write_text(
        f"""<iframe id="frame" src="{page.name}" style="border: 0" width="{width}" height="900"></iframe>
        <script>onload = () => {{
            const inner = frame.contentDocument;
            inner.querySelectorAll("details").forEach((one) => {{ one.open = true; }});
            console.log("WIDTHS", inner.documentElement.scrollWidth, inner.documentElement.clientWidth);
        }};</script>""",
        encoding="utf-8",
    )
    command = [BROWSER, *QUIET, "--allow-file-access-from-files", f"--user-data-dir={folder / 'profile-outer'}"]
    told = subprocess.run(
        [*command, f"--screenshot={folder / 'outer.png'}", outer.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    ).stderr
    found = re.search(r"WIDTHS (\d+) (\d+)", told)
    assert found is not None, told
    return int(found[1]), int(found[2])


@pytest.mark.parametrize("runs", [1, 2])
def test_a_phone_never_scrolls_the_page_sideways(tmp_path, runs):
    wide, frame = widths(rendered(tmp_path, runs), tmp_path, 390)
    assert frame == 390
    assert wide == 390


def test_the_width_would_be_noticed(tmp_path):
    page = tmp_path / "page.html"
    page.write_text("<div style='width: 600px'>x</div>", encoding="utf-8")
    assert widths(page, tmp_path, 390)[0] > 600


@pytest.mark.parametrize("width", [1280, 390])
def test_a_hostile_page_is_silent_and_asks_for_nothing(tmp_path, width):
    page = rendered(tmp_path, 2)
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
