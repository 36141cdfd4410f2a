"""What tensorbridge imports: the conversions of this package."""

from tensorbridge_cli.catalog.registry import Conversion, register
from tensorbridge_cli.records.enums import Library

register(
    Conversion(
        name="halves.first_half",
        sources=(Library.NUMPY,),
        target=Library.TORCH,
        code="first_half(x)",
        setup="from halves import first_half",
        page="https://example.org/halves",
        changes=("shape", "values"),
        summary="The first half of the rows, as a view.",
    )
)
