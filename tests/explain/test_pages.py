"""Every name has its page, and what a page says people trip over is what an experiment shows."""

import pytest

from tensorbridge_cli.catalog import conversions, layouts, states
from tensorbridge_cli.catalog.rules import RULES
from tensorbridge_cli.cli.explain import _request
from tensorbridge_cli.errors import RequestError
from tensorbridge_cli.explain import pages as explain
from tensorbridge_cli.lab.client import DEFAULT
from tensorbridge_cli.records.report import HazardCode, Outcome
from tensorbridge_cli.render import View
from tensorbridge_cli.render.explain import pages
from tensorbridge_cli.survey.run import survey
from tests.tools import started

UNSEEN = {"owner-not-kept", "evidence-conflicts", "timed-out"}
"""No experiment of the catalogue is known to show these."""
TRIPS = [(name, trip) for name in explain.names() for trip in explain.trips(name)]


@pytest.fixture(scope="module")
def lab():
    with started() as lab:
        yield lab


def test_every_registered_name_has_a_page():
    registered = {
        *(entry.name for entry in conversions.CONVERSIONS),
        *layouts.BY_NAME,
        *states.BY_NAME,
        *(code.value for code in HazardCode),
        *(outcome.value for outcome in Outcome),
    }
    assert set(explain.names()) == registered


@pytest.mark.parametrize("name", explain.names())
def test_a_page_is_whole_and_fits(name):
    page = explain.find(name)
    assert page.name == name
    assert page.summary.endswith(".")
    assert page.parts
    assert all(part.items for part in page.parts)
    assert explain.trips(name) or name in UNSEEN
    for width in (60, 80, 120):
        for line in pages.text(page, View(width=width, colour=False, box=True)).splitlines():
            assert len(line) <= width or "https://" in line, line
    assert pages.markdown(page).startswith(f"# `{name}`")


@pytest.mark.parametrize("name", RULES)
def test_every_rule_of_a_conversion_stands_on_its_page(name):
    said = [(item.lead, item.quote, item.link) for part in explain.find(name).parts for item in part.items]
    for rule in RULES[name]:
        assert (rule.when.words, rule.sentence, rule.page) in said


@pytest.mark.parametrize(("name", "trip"), TRIPS, ids=lambda value: getattr(value, "command", value))
def test_what_people_trip_over_is_what_the_experiment_shows(lab, name, trip):
    (row,) = survey([_request(trip)], lab, DEFAULT).observations
    assert trip.shows == row.outcome or trip.shows in {hazard.code for hazard in row.hazards}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("from_numpy", "torch.from_numpy"),
        ("numpy", "Tensor.numpy"),
        ("contiguous", "contiguous"),
        ("READONLY-DROPPED", "readonly-dropped"),
        ("torch.Tensor", "torch.Tensor"),
    ],
)
def test_a_name_is_found_as_it_is_typed(text, name):
    assert explain.meant(text) == name


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("nagative", "unknown name 'nagative': did you mean negative"),
        ("asarray", "'asarray' is ambiguous: write np.asarray or torch.asarray."),
    ],
)
def test_another_name_is_refused_with_the_closest(text, why):
    with pytest.raises(RequestError, match=why):
        explain.find(text)
