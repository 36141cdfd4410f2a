"""The laboratory of a command, and the one that is kept for the next request of the Python API."""

import signal

import pytest

from tensorbridge_cli.survey import kept_laboratory
from tensorbridge_cli.survey.laboratory import laboratory


def test_signals_clean_up_and_one_that_is_ignored_stays_so():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    default = signal.getsignal(signal.SIGTERM)
    try:
        with laboratory("fork"):
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
            assert signal.getsignal(signal.SIGTERM) is not default
        assert signal.getsignal(signal.SIGTERM) is default
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_laboratory_whose_request_failed_is_not_kept():
    with kept_laboratory.laboratory(10.0) as (first, _):
        pass
    with pytest.raises(ZeroDivisionError), kept_laboratory.laboratory(10.0) as (again, _):
        raise ZeroDivisionError
    with kept_laboratory.laboratory(10.0) as (another, _):
        pass
    kept_laboratory.kept.close()
    assert again is first
    assert another is not first
