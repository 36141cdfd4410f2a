import re

import pytest
from msgspec import structs

from tensorbridge_cli.render import PLAIN, TRACES, View, render_trace
from tensorbridge_cli.traced import NotIntercepted
from tests.render.program import PROGRAM, finding, site, traced
from tests.render.tools import matches

HOSTILE = "\x1b[31m**a**\n::error::b"


@pytest.mark.parametrize("width", [80, None])
def test_the_whole_table(width):
    text = render_trace(PROGRAM, "table", View(width=width, colour=False, box=width is not None))
    assert width is None or max(map(len, text.splitlines())) <= width
    assert matches(f"trace.{width or 'pipe'}", text)


@pytest.mark.parametrize("format_", [entry.name for entry in TRACES])
def test_nothing_of_a_saved_trace_is_obeyed(format_):
    changes = dict.fromkeys(("numpy", "torch", "python", "platform", "tensorbridge"), HOSTILE)
    line = site(conversion=HOSTILE, file=f"/{HOSTILE}.py", function=HOSTILE, source_line=HOSTILE)
    spoiled = structs.replace(
        traced(line, findings=(finding(line, code=HOSTILE, detail=HOSTILE, remedy=HOSTILE),)),
        environment=structs.replace(PROGRAM.environment, **changes),
        processes=tuple(structs.replace(one, name=HOSTILE) for one in PROGRAM.processes),
        not_intercepted=(NotIntercepted(what=HOSTILE, why=HOSTILE),),
    )
    text = render_trace(spoiled, format_, PLAIN)
    assert "\x1b" not in text
    assert "\n::error::" not in text
    assert format_ != "markdown" or "**a**" not in re.sub(r"`[^`]*`", "", text)
