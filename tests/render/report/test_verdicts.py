import pytest

from tensorbridge_cli.records.enums import Direction, Outcome, Verdict
from tensorbridge_cli.records.report import Clause, Contract, Raised
from tensorbridge_cli.render import PLAIN, Verdicts, View, render
from tests.render.tools import flat, made_of, row

NO = Raised(type="ValueError", message="no")


def clause(about="outcome", observed="copied", sentence="It shares."):
    return Clause(
        about=about,
        expected="shared",
        observed=observed,
        verdict=Verdict.BROKEN,
        citation="https://page",
        sentence=sentence,
    )


def broken(conversion, *clauses, **more):
    contract = Contract(expected=None, verdict=Verdict.BROKEN, citation="https://page", clauses=clauses or (clause(),))
    return row(conversion=conversion, contract=contract, outcome=Outcome.COPIED, **more)


def shown(*rows, face="table", width=None):
    view = PLAIN if width is None else View(width=width, colour=False, box=False)
    return render(Verdicts(made_of(*rows), "the documentation", ()), face, view)


def blocks(*rows, width=None):
    """Return the blocks above the sums, each a list of lines."""
    return [block.splitlines() for block in shown(*rows, width=width).split("\n\n")[:-1]]


def test_one_fault_of_one_function_is_one_block():
    layouts = [{"layout": layout} for layout in ("reversed", "non-contiguous")]
    names = ("torch.from_dlpack", "torch.from_dlpack(copy=False)", "torch.from_dlpack(capsule)")
    assert blocks(*(broken(name, subject=subject) for name in names for subject in layouts)) == [
        [
            "torch.from_dlpack numpy→torch: outcome: expected shared, found copied in 6 experiments",
            "  “It shares.”",
            "  https://page",
            "  3 conversions: torch.from_dlpack, torch.from_dlpack(copy=False), torch.from_dlpack(capsule)",
            "  4×3 float32, reversed, plain, cpu",
            "  4×3 float32, non-contiguous, plain, cpu",
            "  tensorbridge repro torch.from_dlpack --direction numpy-to-torch --layout reversed",
        ]
    ]


@pytest.mark.parametrize(
    "other",
    [
        broken("torch.asarray(copy=False)", clause(observed="refused")),
        broken("torch.asarray(copy=False)", clause(sentence="Another.")),
        broken("torch.asarray(copy=False)", clause(about="values")),
        broken("torch.asarray(copy=False)", direction=Direction.TORCH_TO_TORCH),
        broken("torch.as_tensor"),
        broken("torch.asarray(x.T)"),  # a line of the user's own
    ],
    ids=["observation", "sentence", "about", "direction", "function", "line"],
)
def test_another_cause_is_a_block_of_its_own(other):
    assert len(blocks(broken("torch.asarray"), broken("torch.asarray(copy=False)"), other)) == 2


def test_a_subject_says_which_conversions_failed_unless_all_did():
    found = blocks(
        broken("np.array(copy=False)"),
        broken("np.array"),
        broken("np.array", subject={"layout": "reversed"}),
        broken("np.array(copy=False)", subject={"layout": "non-contiguous"}, error=NO),
        broken("np.array", subject={"layout": "non-contiguous"}),
    )
    assert found[0][4:-1] == [
        "  4×3 float32, contiguous, plain, cpu",
        "  4×3 float32, reversed, plain, cpu (np.array)",
        "  4×3 float32, non-contiguous, plain, cpu (np.array(copy=False)): ValueError: no",
        "  4×3 float32, non-contiguous, plain, cpu (np.array)",
    ]


def test_a_terminal_shows_a_few_subjects_and_counts_the_others():
    rows = [
        broken(name, subject={"shape": (size,)})
        for size in range(1, 8)
        for name in ("np.array", "np.array(copy=False)")
    ]
    (found,) = blocks(*rows, width=80)
    assert "  and 4 more sources" in found
    assert sum("float32, contiguous" in line for line in found) == 3


def test_markdown_groups_alike():
    text = shown(broken("torch.asarray"), broken("torch.asarray(copy=False)"), face="markdown")
    assert text.count("###") == text.count("It shares.") == 1
    assert "2 conversions: `torch.asarray`, `torch.asarray(copy=False)`" in text
    assert "found copied in 2 experiments" in flat(text)
