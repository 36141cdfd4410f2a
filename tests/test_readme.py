"""What the README shows is what the tool prints, in a terminal of 80 columns."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pexpect = pytest.importorskip("pexpect", reason="needs a pseudo-terminal")

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
SHOWN = re.findall(r"```console\n\$ tensorbridge (.+)\n([^`]*)```", README)


def printed(arguments: str) -> str:
    command = f"{sys.executable} -m tensorbridge_cli {arguments}"
    environment = {**os.environ, "NO_COLOR": "1", "TERM": "xterm"}
    text, code = pexpect.run(command, withexitstatus=True, dimensions=(60, 80), env=environment, encoding="utf-8")
    assert code == 0
    return text.replace("\r\n", "\n")


def without_addresses(text: str) -> str:
    return re.sub(r"0x[0-9a-f]+", "0x…", text).strip()


@pytest.mark.parametrize(("arguments", "shown"), SHOWN, ids=[arguments for arguments, _ in SHOWN])
def test_shown_output_is_printed_output(arguments, shown):
    assert without_addresses(printed(arguments)) == without_addresses(shown)


def test_two_set_up_commands():
    setups = re.findall(r"```sh\n(python3 -m venv [^\n]+)\n```", README)
    assert len(setups) == 2
    assert setups[0].endswith("tensorbridge inspect --shape 4,3 --dtype float32")
    assert setups[1].endswith("pytest")


def test_it_shows_at_least_two_tables():
    assert len(SHOWN) >= 2


def test_the_python_of_the_readme_runs():
    blocks = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    assert blocks
    for block in blocks:
        subprocess.run([sys.executable, "-c", block], check=True, timeout=60)
