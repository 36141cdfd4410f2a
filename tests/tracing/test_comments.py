"""A comment accepts the findings of its line that it names, and says so if it does not."""

import pytest

from tensorbridge_cli.tracing.report.comments import parse
from tests.cli.tools import run, said
from tests.tracing.tools import START, bare, record, script, traced, under

COMMENTS = {
    "# tensorbridge: ok it is small": "it is small",
    "# noqa: E501  # tensorbridge: ok it is small": "it is small",
    "# noqa # Tensorbridge: OK it is small  # type: ignore": "it is small",
    "#TENSORBRIDGE:ok: see issue #7": "see issue #7",
    "# tensorbridge: ok": "",
    "# tensorbridge: ok  # noqa: E501": "",
    "# tensorbridge: okay it is small": "",
    "# is tensorbridge: ok it is small": None,
    "# tensorbridge: see the issue": None,
    "# tensorbridge: ok[element-by-element] it is small": "it is small",
    "# tensorbridge: ok [ element-by-element , round-trip ] - it is small": "it is small",
}


@pytest.mark.parametrize("comment", COMMENTS)
def test_how_a_line_may_accept(comment):
    found = parse(comment.lstrip("# "))
    assert (found and found.reason) == COMMENTS[comment]


OLD = "list-of-arrays is now element-by-element: the old name works for one more release"


@pytest.mark.parametrize(
    ("comment", "codes", "wrong"),
    [
        ("ok why", (), ()),
        ("ok[element-by-element] why", ("element-by-element",), ()),
        ("ok[element-by-element, round-trip] why", ("element-by-element", "round-trip"), ()),
        ("ok[TB203, tb207] why", ("element-by-element", "round-trip"), ()),
        ("ok[TB202] why", ("element-by-element",), (OLD,)),
        ("ok[list-of-arrays] why", ("element-by-element",), (OLD,)),
        ("ok[TB105] why", ("readonly-dropped",), ()),
        ("ok[TB101] why", (), ("TB101 (values-changed) is not a finding of trace",)),
        ("ok[TB302] why", (), ("unknown code 'TB302': did you mean TB213, TB212, TB211, TB210?",)),
        ("ok[] why", (), ("has no code in the brackets: use # tensorbridge: ok[CODE] REASON",)),
        ("ok[element-by] why", (), ("unknown code 'element-by': did you mean element-by-element?",)),
        ("ok[element-by-element]", ("element-by-element",), ("has no reason: use # tensorbridge: ok[CODE] REASON",)),
        ("ignore[element-by-element] why", (), ("unknown spelling 'ignore': use # tensorbridge: ok[CODE] REASON",)),
        ("noqa", (), ("unknown spelling 'noqa': use # tensorbridge: ok[CODE] REASON",)),
        ("disable=element-by-element", (), ("unknown spelling 'disable': use # tensorbridge: ok[CODE] REASON",)),
        ("suppress[x]", (), ("unknown spelling 'suppress': use # tensorbridge: ok[CODE] REASON",)),
    ],
)
def test_what_a_comment_names(comment, codes, wrong):
    found = parse(f"tensorbridge: {comment}")
    assert (found.codes, found.wrong) == (codes, wrong)


TEXT = (
    START
    + "a = np.ones((4, 3))\n"
    + "a.flags.writeable = False\n"
    + "torch.tensor([a, a])  # tensorbridge: ok a test of two\n"
    + "torch.tensor([a, a])  # tensorbridge: ok\n"
    + "torch.as_tensor(1.0)  # tensorbridge: ok nothing is wrong here\n"
    + "torch.from_numpy(a)  # tensorbridge: ok[element-by-element] of another kind\n"
    + "torch.from_numpy(a)  # tensorbridge: ok[readonly-dropped, element-by-element] of both kinds\n"
    + "torch.from_numpy(a)  # tensorbridge: ignore[readonly-dropped] not so\n"
    + "torch.tensor([\n    a,\n    a,  # tensorbridge: ok[element-by-element] within\n])\n"
    + "torch.from_numpy(a)  # tensorbridge: ok[readonly-droped] a slip\n"
)


def test_a_line_accepts_what_it_names(tmp_path):
    found = traced(tmp_path, TEXT, PYTHONWARNINGS="ignore")
    lines = {site["id"]: site["line"] for site in found["sites"]}
    accepted = {(lines[one["site"]], one["code"]): one["accepted"] for one in found["findings"]}
    assert accepted == {
        (4, "element-by-element"): "a test of two",
        (5, "element-by-element"): None,
        (7, "readonly-dropped"): None,
        (8, "readonly-dropped"): "of both kinds",
        (9, "readonly-dropped"): None,
        (10, "element-by-element"): "within",
        (14, "readonly-dropped"): None,
    }
    form = "use # tensorbridge: ok[CODE] REASON"
    assert [(unused["line"], unused["problem"]) for unused in found["unused"]] == [
        (5, f"has no reason: {form}"),
        (6, "no finding here"),
        (7, "no element-by-element here"),
        (8, "no element-by-element here"),
        (9, f"unknown spelling 'ignore': {form}"),
        (14, "unknown code 'readonly-droped': did you mean readonly-dropped?"),
    ]
    assert bare(tmp_path, "program.py").returncode == 0


def test_what_is_not_accepted_fails(tmp_path):
    line = START + "a = np.ones(3)\na.flags.writeable = False\ntorch.from_numpy(a)  # tensorbridge: ok[{}] because\n"
    for code, kind, ends in (
        ("element-by-element", "finding=any", 1),
        ("readonly-dropped", "finding=any", 0),
        ("element-by-element", "hazard=readonly-dropped", 1),
        ("readonly-dropped", "hazard=readonly-dropped", 0),
    ):
        assert under(tmp_path, "--fail-on", kind, script(tmp_path, line.format(code))).returncode == ends, (code, kind)
    assert len(record(tmp_path)["findings"]) == 1


@pytest.mark.parametrize("code", ["readonly-dropped", "element-by-element,TB207"])
@pytest.mark.parametrize("option", ["--include", "--omit"])
def test_a_code_is_not_a_path(tmp_path, option, code):
    sentence = said(run("trace", option, code, "-c", "print(1)", cwd=tmp_path), 2)
    assert sentence == f"{option} accepts files and folders, not {code!r}: use --select or --ignore for findings."
