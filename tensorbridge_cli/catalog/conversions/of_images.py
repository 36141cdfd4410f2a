"""Conversions from Pillow's images and to them.

Each is one entry, with its documented rules, its pitfalls and its hook; see ``to_torch``. Nothing here imports Pillow:
the pages are cited only for the version that they were read for.
"""

from __future__ import annotations

from tensorbridge_cli.catalog.conditions import AN_ARRAY, ROW_MAJOR, TWO_DIMENSIONS, all_of, dtype
from tensorbridge_cli.catalog.conversions.to_torch import of_its_array
from tensorbridge_cli.catalog.entry import NUMPY, PILLOW, Conversion, Rule
from tensorbridge_cli.catalog.hooks import InterceptedAt
from tensorbridge_cli.catalog.pitfalls import Pitfall

IMAGE_PAGE = "https://pillow.readthedocs.io/en/stable/reference/Image.html"

_IMAGE = "__import__('PIL.Image').Image.new('RGB', (3, 2), (1, 2, 3))"
_DO_NOT_SHOW = Pitfall(text="Later changes of the image do not show in the tensor.", shows="copied", expr=_IMAGE)

CONVERSIONS: tuple[Conversion, ...] = (
    of_its_array(
        PILLOW,
        "Image",
        "np.asarray({})",
        _DO_NOT_SHOW,
        Pitfall(
            text="PyTorch warns that the array is not writable. Use np.array.", shows="warned-once-only", expr=_IMAGE
        ),
        summary="A tensor over a copy of the pixels that NumPy calls read-only; PyTorch warns of it.",
        calls=("np.asarray",),
    ),
    of_its_array(
        PILLOW,
        "Image",
        "np.array({})",
        _DO_NOT_SHOW,
        summary="A tensor of the pixels, with a dimension for the bands if the image has several.",
        calls=("np.array",),
    ),
    Conversion(
        name="Image.fromarray",
        sources=(NUMPY,),
        target=PILLOW,
        code="Image.fromarray(x)",
        setup="from PIL import Image",
        page=IMAGE_PAGE,
        hook=InterceptedAt("PIL.Image.fromarray", "obj"),
        needs="PIL.Image.fromarray",
        summary="An image of an array: over its memory if the mode is L, I, F, RGBA or CMYK, and else of a copy.",
        rules=(),
        pitfalls=(
            Pitfall(
                text="A later write to an array of one band changes the image.",
                shows="shared",
                dtype="uint8",
                shape="4,3",
            ),
            Pitfall(text="An array of three bands is copied.", shows="copied", dtype="uint8", shape="4,3,3"),
        ),
    ),
    Conversion(
        name="Image.frombuffer",
        sources=(NUMPY,),
        target=PILLOW,
        code="Image.frombuffer('L', x.shape[::-1], x, 'raw', 'L', 0, 1)",
        setup="from PIL import Image",
        page=IMAGE_PAGE,
        hook=InterceptedAt("PIL.Image.frombuffer", "data", 2),
        needs="PIL.Image.frombuffer",
        changes=("dtype",),
        dimensions=2,
        summary="An image over the memory of a buffer of 8-bit pixels.",
        rules=(
            Rule(
                all_of(AN_ARRAY, dtype("uint8"), ROW_MAJOR, TWO_DIMENSIONS),
                "outcome",
                "shared",
                "This means that changes to the original buffer object are reflected in this image).",
            ),
        ),
        pitfalls=(
            Pitfall(
                text="A later write to the array changes the image. A write to the image copies it first.",
                shows="shared",
                dtype="uint8",
                shape="4,3",
            ),
        ),
    ),
)
