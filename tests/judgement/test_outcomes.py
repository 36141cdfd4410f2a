from tensorbridge_cli.judgement.outcomes import OUTCOMES
from tensorbridge_cli.records.enums import Outcome


def test_every_outcome_is_explained():
    assert list(OUTCOMES) == list(Outcome)
    assert [code for code, told in OUTCOMES.items() if not told.pitfalls] == [Outcome.TIMED_OUT, Outcome.INTERNAL_ERROR]
