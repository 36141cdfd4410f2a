from __future__ import annotations

import inspect
import re

from tensorbridge_cli.catalog.hazards import BY_NAME as HAZARDS
from tensorbridge_cli.judgement import remedies
from tensorbridge_cli.render.report import findings


def test_every_hazard_has_its_sentence() -> None:
    assert list(HAZARDS) == sorted(HAZARDS, key=lambda name: HAZARDS[name].code)
    sentences = [told.summary for told in HAZARDS.values()]
    for sentence in sentences:
        assert sentence == sentence.strip().removesuffix(".")
        assert "\n" not in sentence
        assert len(sentence) > 20
    assert len(set(sentences)) == len(HAZARDS)


def test_every_hazard_that_another_module_names_is_there() -> None:
    """Remedies name hazards as text, as conditions name states."""
    text = inspect.getsource(remedies) + inspect.getsource(findings)
    named = {word for word in re.findall(r'"([a-z]+(?:-[a-z]+)+)"', text) if word.partition("-")[0] in FIRST}
    assert named - {"read-only"} <= HAZARDS.keys()
    assert {"grad-lost", "write-kills"} <= named


FIRST = {name.partition("-")[0] for name in HAZARDS}
