"""The verbs of these tests: a ``browser``, a report of ``many`` rows, the ``rows`` in sight, the ``count`` of all."""

import base64
import gzip
import json
import os
import re
import shutil
from contextlib import contextmanager

import pytest

from tensorbridge_cli.records.enums import Direction, Outcome
from tests.render.tools import made_of, row

CHROMIUM = os.environ.get("TENSORBRIDGE_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@contextmanager
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="drives the browser")
    if CHROMIUM is None:
        pytest.skip("there is no chromium on the path, and TENSORBRIDGE_CHROMIUM names none")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield chromium
        chromium.close()


def many(count):
    """Return a report of ``count`` rows, each of another cell."""
    outcomes = (Outcome.SHARED, Outcome.COPIED, Outcome.REFUSED)
    base = row()
    return made_of(
        *(
            row(
                conversion=f"torch.f{number % 40}",
                outcome=outcomes[number % 3],
                direction=(Direction.NUMPY_TO_TORCH, Direction.TORCH_TO_TORCH)[number % 2],
                subject={"dtype": f"int{number // 40 % 25}", "layout": f"layout-{number // 1000}"},
                evidence=base.evidence,
            )
            for number in range(count)
        )
    )


def rows(page):
    """Return the texts of the lines in sight."""
    return [line.split("\n") for line in page.locator("#rows > div").all_inner_texts()]


def count(page):
    return page.locator("#count").inner_text()


def details(text):
    """Return what the cells of a page open to."""
    chunks = re.findall(r'<script type="text/plain" class="chunk">([^<]*)</script>', text)
    unpacked = [json.loads(gzip.decompress(base64.b64decode(chunk))) for chunk in chunks]
    return ["".join(one["pieces"][number] for number in page) for one in unpacked for page in one["texts"]]
