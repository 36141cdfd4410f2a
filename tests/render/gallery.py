"""One report with every kind of row and note, since the hand-made ones hold one row each."""

from tensorbridge_cli.records.enums import Direction, Expected, Library, Outcome, Stage, Verdict, Via, Write
from tensorbridge_cli.records.report import Clause, Contract, Crash, Hazard, Raised, Warned
from tests.render.tools import case, load, made_of, row

_ALIASED = load("shared").observations[0]
_OTHER = {"same_pointer": False, "same_storage": False, "overlaps": False, "overlap_bytes": 0}
_UNSEEN = {"source_to_result": Write.NOT_SEEN, "result_to_source": Write.NOT_SEEN}
_UNTRIED = {"source_to_result": Write.NOT_TRIED, "result_to_source": Write.NOT_TRIED}
_NO_RESULT = {
    "result": None,
    "relation": {"same_pointer": None, "same_storage": None, "overlaps": None, "overlap_bytes": None},
    "writes": {"source_to_result": Write.NOT_TRIED, "result_to_source": Write.NOT_TRIED},
}
_TORCH = {"library": Library.TORCH}
_PAGE = "https://docs.pytorch.org/docs/stable/generated/torch.asarray.html"
_PROMISE = Clause(
    about="outcome",
    expected="copied",
    observed="shared",
    verdict=Verdict.BROKEN,
    citation=_PAGE,
    sentence="If True, a copy is always made.",
)
_WARNING = Warned(
    category="UserWarning",
    message="TypedStorage is deprecated. (Triggered internally at /pytorch/aten/src/x.cpp:1.)\nIt will go.",
)


def _crash(stage, confirmed, **how):
    ending = {"signal": None, "exit_code": None, "stderr": ""} | how
    return Crash(stage=stage, confirmed=confirmed, **ending)


GALLERY = made_of(
    row(),
    row(conversion="torch.as_tensor"),
    row(conversion="torch.as_tensor", direction=Direction.TORCH_TO_TORCH, subject=_TORCH),
    row(
        conversion="torch.tensor",
        outcome=Outcome.COPIED,
        relation=_OTHER,
        writes=_UNSEEN,
        result={"pointer": "0x55d0c0de1000"},
        warnings=(_WARNING,),
    ),
    row(
        conversion="Tensor.numpy()",
        direction=Direction.TORCH_TO_NUMPY,
        subject=_TORCH,
        warnings=(_WARNING,),
        writes={"via": Via.BYTES},
    ),
    row(
        conversion="torch.asarray(copy=True)",
        to_dtype="float64",
        outcome=Outcome.COPIED,
        relation=_OTHER,
        writes=_UNSEEN,
        result={"pointer": "0x55d0c0de1000", "dtype": "float64"},
        contract=Contract(expected=Expected.COPIED, verdict=Verdict.BROKEN, citation=_PAGE, clauses=(_PROMISE,)),
        remedy="torch.from_numpy(a.copy()).to(torch.float64)",
    ),
    row(
        conversion="Tensor.narrow",
        direction=Direction.TORCH_TO_TORCH,
        subject=_TORCH,
        relation={"same_pointer": False},
        result={"pointer": "0x55d0c0de0010"},
    ),
    row(
        conversion="torch.from_dlpack",
        outcome=Outcome.CRASHED,
        **_NO_RESULT,
        crash=_crash(Stage.CONVERT, True, signal="SIGABRT", stderr="what(): negative strides\nframe #0: c10"),
    ),
    row(
        conversion="torch.frombuffer",
        outcome=Outcome.TIMED_OUT,
        **_NO_RESULT,
        crash=_crash(Stage.CONVERT, False, timed_out=True),
    ),
    row(
        conversion="torch.utils.dlpack.from_dlpack",
        outcome=Outcome.UNDECIDABLE,
        writes=_UNTRIED,
        relation={"same_pointer": None, "same_storage": None},
        result={"pointer": None},
        hazards=(Hazard(code="owner-not-kept", detail="nothing keeps the bytes alive"),),
    ),
    row(
        conversion="torch.Tensor",
        outcome=Outcome.REFUSED,
        **_NO_RESULT,
        error=Raised(type="TypeError", message="expected TensorOptions\n\x1b[31m[red]got[/red] :warning:"),
    ),
    case(subject=_ALIASED.subject, conversion="np.from_dlpack", reason="its source is a tensor"),
    case(),
)
