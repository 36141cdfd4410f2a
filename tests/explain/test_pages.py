"""Every name has its page, and what a page says people trip over is what an experiment shows."""

import importlib.metadata
import re
import shlex

import pytest

from tensorbridge_cli.catalog import codes, dtypes, layouts, registry, states
from tensorbridge_cli.catalog.constructors import CONSTRUCTORS
from tensorbridge_cli.catalog.documentation import READ_WITH, address
from tensorbridge_cli.catalog.findings import FINDINGS
from tensorbridge_cli.catalog.hazards import BY_NAME as HAZARDS
from tensorbridge_cli.catalog.registry import RULES
from tensorbridge_cli.errors import RequestError
from tensorbridge_cli.explain import pages as explain
from tensorbridge_cli.judgement.outcomes import OUTCOMES
from tensorbridge_cli.lab.client import DEFAULT
from tensorbridge_cli.records.enums import Outcome, Write
from tensorbridge_cli.records.trace_words import CODES
from tensorbridge_cli.render import View
from tensorbridge_cli.render.explain import pages
from tensorbridge_cli.survey.pitfalls import request
from tensorbridge_cli.survey.request import Request
from tensorbridge_cli.survey.run import survey

UNSEEN = {
    "owner-not-kept",
    "evidence-conflicts",
    "partly-shared",  # of containers, which only code of one's own converts
    "timed-out",
    "source-changed",
    "internal-error",
    "global-state-changed",
    *registry.groups(),
    *FINDINGS,
    *states.DETECTED,
}
"""No experiment of the catalogue is known to show these; findings are those of programs."""
PITFALLS = [(name, pitfall) for name in explain.names() for pitfall in explain.pitfalls(name)]


def test_every_registered_name_has_a_page():
    registered = {
        *(entry.name for entry in registry.CONVERSIONS),
        *layouts.BY_NAME,
        *states.BY_NAME,
        *states.DETECTED,
        *HAZARDS,
        *(outcome.value for outcome in Outcome),
        *(entry.name for entry in dtypes.DTYPES),
        *registry.groups(),
        *CODES,
    }
    assert set(explain.names()) == registered


def test_what_is_only_detected_has_a_page():
    page = explain.find("subclass")
    assert (page.kind, page.summary) == (
        "state",
        "A subclass of an array or a tensor that is not one of NumPy's or PyTorch's own.",
    )
    assert [part.title for part in page.parts] == ["Where it occurs"]
    assert explain.find("sparse-csc").parts[0].items[0].text == "tensor.to_sparse_csc()"


@pytest.mark.parametrize(
    ("made", "outcome", "word"),
    [
        (Request(conversions=("np.frombuffer",), states=("read-only",)), Outcome.SHARED, "overlap"),
        (Request(conversions=("torch.Tensor",), dtypes=("uint8",), shapes=((),)), Outcome.UNDECIDABLE, "uninitialized"),
    ],
)
def test_the_page_of_an_outcome_names_what_decides_it_without_a_write(lab, made, outcome, word):
    row = survey([made], lab, DEFAULT).observations[0]
    assert (row.outcome, Write.SEEN in (row.writes.source_to_result, row.writes.result_to_source)) == (outcome, False)
    assert word in OUTCOMES[outcome].evidence


@pytest.mark.parametrize("name", explain.names())
def test_a_page_is_whole_and_fits(name):
    page = explain.find(name)
    assert page.name == name
    assert page.summary.endswith(".")
    assert page.parts
    assert all(part.items for part in page.parts)
    assert explain.pitfalls(name) or name in UNSEEN
    commands = [item.code for part in page.parts for item in part.items if item.code.startswith("tensorbridge")]
    for width in (60, 80, 120):
        text = pages.text(page, View(width=width, colour=False, box=True))
        for line in text.splitlines():
            word = line.strip().removesuffix(" \\")
            assert len(line) <= width or "https://" in line or " " not in word or shlex.split(word)[1:] == [], line
        assert all(command in re.sub(r" \\\n +", " ", text) for command in commands)
    document = pages.markdown(page)
    assert document.startswith(f"# `{name}`")
    assert "-" not in document.splitlines()


@pytest.mark.parametrize(("code", "name"), codes.NAMES.items())
def test_a_code_has_the_page_of_its_name(code, name):
    page = explain.find(code)
    assert (page.id, page.name) == (code, name)
    assert pages.text(page, View(width=None, colour=False, box=True)).startswith(f"{name} ({code}), {page.kind}: ")
    assert pages.markdown(page).startswith(f"# `{name}` ({code})\n")
    assert explain.find(code.lower()) == page


@pytest.mark.parametrize("library", CONSTRUCTORS)
def test_the_name_of_a_library_means_the_group_that_takes_its_objects(library):
    group = registry.group(explain.meant(library.value.title()))
    assert any(library in entry.sources for entry in group)


def test_the_page_of_a_hazard_names_the_finding_of_its_name():
    assert "Why it matters (in a trace, TB208)" in [part.title for part in explain.find("readonly-dropped").parts]
    with pytest.raises(RequestError, match="unknown code 'TB129': did you mean TB"):
        explain.find("TB129")


@pytest.mark.parametrize("name", RULES)
def test_every_rule_of_a_conversion_stands_on_its_page_and_each_sentence_once(name):
    items = [item for part in explain.find(name).parts for item in part.items]
    promised = [(item.lead, item.text) for item in items]
    quoted = [(item.quote, item.link) for item in items if item.quote]
    for rule in RULES[name]:
        assert any(lead == rule.when.words and rule.expected in text for lead, text in promised), rule
        assert (rule.sentence, address(rule.page)) in quoted
    assert len(quoted) == len(set(quoted))


def sentences(name):
    """What a page quotes, each sentence with all that stands above it."""
    found = {}
    for part in explain.find(name).parts:
        told = []
        for item in part.items:
            told.append(f"{item.lead}: {item.text}" if item.lead else item.text)
            if item.quote:
                found[item.quote], told = told, []
    return found


def test_the_page_of_from_numpy_says_what_its_documentation_says():
    told = sentences("torch.from_numpy")
    (share,) = told["The returned tensor and ndarray share the same memory."]
    assert share.endswith(": shared")
    (accepted,) = (said for quote, said in told.items() if quote.startswith("It currently accepts ndarray with dtypes"))
    assert accepted[-1].endswith("an array: accepted")
    (undefined,) = (said for quote, said in told.items() if "undefined behavior" in quote)
    assert undefined == ["an ndarray, in state read-only: a write to the result is undefined behaviour"]
    assert told["The returned tensor is not resizable."] == ["No experiment resizes the result."]


def test_one_sentence_with_several_promises_is_quoted_below_them():
    told = sentences("Tensor.numpy")
    (refused,) = (said for quote, said in told.items() if quote.startswith("If force is False"))
    assert len(refused) == 5
    assert all(said.endswith(": refused") for said in refused)


@pytest.mark.parametrize("name", RULES)
def test_no_page_says_that_no_page_says(name):
    texts = " ".join(item.text for part in explain.find(name).parts for item in part.items)
    assert "o page says" not in texts


def test_what_was_observed_is_dated(monkeypatch):
    def observed():
        explain._seen_on.cache_clear()
        return [item.text for part in explain.find("reversed").parts for item in part.items if "--live" in item.text]

    assert observed() == ["Observed with numpy 2.4 and torch 2.13. --live runs the experiments with your versions."]
    monkeypatch.setattr("importlib.metadata.version", {"numpy": "2.4.9", "torch": "2.15.0+cpu"}.get)
    assert observed() == [
        "Observed with numpy 2.4 and torch 2.13; you have torch 2.15.0+cpu. --live runs the experiments with your "
        "versions."
    ]
    explain._seen_on.cache_clear()


def test_the_versions_that_were_read_are_those_that_are_tested_here():
    for library, version in READ_WITH.items():
        assert importlib.metadata.version(library).split(".")[:2] == version.split(".")


@pytest.mark.parametrize(("name", "pitfall"), PITFALLS, ids=lambda value: getattr(value, "command", value))
def test_what_people_trip_over_is_what_the_experiment_shows(lab, name, pitfall):
    (row,) = survey([request(pitfall)], lab, DEFAULT).observations
    assert pitfall.is_shown_by(row)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("from_numpy", "torch.from_numpy"),
        ("numpy", "Tensor.numpy"),
        ("contiguous", "contiguous"),
        ("READONLY-DROPPED", "readonly-dropped"),
        ("torch.Tensor", "torch.Tensor"),
        ("bfloat16", "bfloat16"),
        ("torch.bfloat16", "bfloat16"),
        ("np.float32", "float32"),
        ("dlpack", "dlpack"),
        ("avoidable-copy", "avoidable-copy"),
        ("negative", "reversed"),
        ("Strided", "non-contiguous"),
        ("neg", "negative-bit"),
        ("conj", "conjugate-bit"),
        ("readonly-dropped", "readonly-dropped"),
    ],
)
def test_a_name_is_found_as_it_is_typed(text, name):
    assert explain.meant(text) == name


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("revrsed", "unknown name 'revrsed': did you mean reversed"),
        ("zarrr", r"unknown name 'zarrr': did you mean zarr\.Array\[\.\.\.\]"),
        ("asarray", "'asarray' is ambiguous: use np.asarray or torch.asarray."),
    ],
)
def test_another_name_is_refused_with_the_closest(text, why):
    with pytest.raises(RequestError, match=why):
        explain.find(text)


def test_a_hazard_that_trace_finds_too_says_so():
    titles = [part.title for part in explain.find("readonly-dropped").parts]
    assert "What to do (in a trace, TB208)" in titles


@pytest.mark.parametrize("text", ["qwzx", "x" * 400, "a sentence that no library says of anything"])
def test_an_unknown_text_is_answered_with_one_short_sentence(text):
    with pytest.raises(RequestError) as raised:
        explain.find(text)
    assert len(str(raised.value)) < 400
