from __future__ import annotations

from tensorbridge_cli.judgement.hazards import HAZARDS
from tensorbridge_cli.model import HazardCode


def test_every_hazard_has_its_sentence() -> None:
    assert list(HAZARDS) == list(HazardCode)
    for sentence in HAZARDS.values():
        assert sentence == sentence.strip().removesuffix(".")
        assert "\n" not in sentence
        assert len(sentence) > 20
    assert len(set(HAZARDS.values())) == len(HAZARDS)
