from __future__ import annotations

from tensorbridge_cli.judgement.hazards import HAZARDS
from tensorbridge_cli.records.report import HazardCode


def test_every_hazard_has_its_sentence() -> None:
    assert list(HAZARDS) == list(HazardCode)
    sentences = [told.summary for told in HAZARDS.values()]
    for sentence in sentences:
        assert sentence == sentence.strip().removesuffix(".")
        assert "\n" not in sentence
        assert len(sentence) > 20
    assert len(set(sentences)) == len(HAZARDS)
