"""``tensorbridge explain``."""

from dataclasses import replace

import numpy as np
import torch

from tensorbridge_cli.catalog.pitfalls import Pitfall
from tensorbridge_cli.cli.explain import explain as command
from tensorbridge_cli.explain import pages as known
from tests.cli.tools import run, said


def test_a_page_is_printed():
    text = run("explain", "from_numpy").stdout
    assert text.startswith("torch.from_numpy, conversion: ")
    assert '"The returned tensor and ndarray share the same memory."' in text
    assert "tensorbridge inspect torch.from_numpy --layout reversed" in text


def test_without_a_name_it_says_what_names_there_are():
    assert "timed-out" in run("explain").stdout


def test_live_makes_the_experiments_of_the_page():
    text = run("explain", "reversed", "--live").stdout
    assert "torch.from_numpy" in text
    assert "refused" in text
    assert "crashed" in text


def test_live_says_which_pitfall_is_none_with_the_installed_versions(monkeypatch, capsys):
    """A sentence of an older version: from_numpy never shared with a reversed array."""
    stale = Pitfall(text="It shares.", shows="shared", conversion="torch.from_numpy", layout="reversed")
    monkeypatch.setattr(known, "pitfalls", lambda name: (stale, replace(stale, shows="refused")))
    command(["reversed"], live=True)
    seen = capsys.readouterr()
    assert seen.out.count("torch.from_numpy ") == 1
    (sentence,) = [line for line in seen.err.splitlines() if line]
    assert sentence.startswith(f"not observed with numpy {np.__version__}, torch {torch.__version__}: It shares.")
    assert "tensorbridge inspect torch.from_numpy --layout reversed" in sentence


def test_markdown_into_a_file(tmp_path):
    path = tmp_path / "page.md"
    assert run("explain", "read-only", "--format", "markdown", "-o", str(path)).stdout == ""
    assert path.read_text().startswith("# `read-only`\n\nA state. ")


def test_a_name_that_is_none_is_one_sentence():
    assert "did you mean reversed" in said(run("explain", "revrsed"), 2)


def test_what_nothing_shows_cannot_be_proved():
    assert "no experiment is known to show owner-not-kept" in said(run("explain", "owner-not-kept", "--live"), 2)
