"""The methods of ndarray: told by Python 3.12 and newer, and said not to be seen before. These need no torch."""

import sys

import pytest

from tests.tracing.tools import bare_cold as bare
from tests.tracing.tools import calls, record, script
from tests.tracing.tools import traced_cold as traced
from tests.tracing.tools import under_cold as under

told = pytest.mark.skipif(sys.version_info < (3, 12), reason="before Python 3.12 nothing tells of a method's calls")

WORK = (
    "import numpy as np\nimport threading\ndef work(a):\n    for i in range(500):\n        b = a.copy()\n"
    "        c, d, e = a.astype('f4'), [1].copy(), {}.copy()\na = np.ones((3, 2))\n"
    "ts = [threading.Thread(target=work, args=(a,)) for i in range(4)]\n"
    "[t.start() for t in ts]; [t.join() for t in ts]\n"
)


def not_seen(found):
    return {unseen["what"]: unseen["why"] for unseen in found["not_intercepted"]}


@told
def test_each_call_is_counted_in_its_line(tmp_path):
    found = traced(tmp_path, WORK)
    assert calls(found) == {(5, "ndarray.copy"): 2000, (6, "ndarray.astype"): 2000}
    for site in found["sites"]:
        assert (site["outcomes"]["undecidable"], site["dtypes"][0]["source"]) == (2000, "float64")
        assert (site["samples"][0]["source"]["shape"], site["samples"][0]["result"]["kind"]) == ([3, 2], "Unseen")
        assert site["seconds"] > 0
    assert any(what.startswith("results of ndarray.copy") for what in not_seen(found))


@told
def test_code_that_runs_when_numpy_comes(tmp_path):
    text = "def f():\n    import numpy as np\n    a = np.ones(3)\n    return a.copy()\nf()\n"
    assert calls(traced(tmp_path, text)) == {(4, "ndarray.copy"): 1}


@told
def test_a_place_where_now_a_list_and_now_an_array_is_copied(tmp_path):
    text = "import numpy as np\nfor x in ([1], np.ones(2), [1], np.ones(3)):\n    x.copy()\n    f = x.copy\n    f()\n"
    assert calls(traced(tmp_path, text)) == {(3, "ndarray.copy"): 2, (5, "ndarray.copy"): 2}


@told
def test_a_subclass_and_a_callable_of_the_users(tmp_path):
    text = (
        "import numpy as np\nclass A(np.ndarray):\n    def copy(self):\n        return super().copy()\n"
        "class C:\n    def __getattr__(self, name):\n        raise SystemError(name)\n    def __hash__(self):\n"
        "        raise SystemError('hashed')\n    def __call__(self):\n        pass\n"
        "np.ones(2).view(A).copy()\ncopy = C()\ncopy()\n"
    )
    assert calls(traced(tmp_path, text)) == {(4, "ndarray.copy"): 1}


@told
def test_a_method_that_raises_and_calls_within_a_call(tmp_path):
    text = (
        "import numpy as np\nclass N:\n    def __float__(self):\n        return np.ones(1).copy()[0]\n"
        "np.array([N(), N()], dtype=object).astype(float)\n"
        "try:\n    np.array(['x']).astype(float)\nexcept ValueError:\n    pass\n"
    )
    found = traced(tmp_path, text)
    assert calls(found) == {
        (4, "ndarray.copy"): 2,
        (5, "np.array"): 1,
        (5, "ndarray.astype"): 1,
        (7, "np.array"): 1,
        (7, "ndarray.astype"): 1,
    }
    assert [site["line"] for site in found["sites"] if site["outcomes"]["refused"]] == [7]


@told
def test_a_program_that_monitors_itself_is_as_without(tmp_path):
    text = (
        "import sys, numpy as np\nm = sys.monitoring\nfor number in range(6):\n    print(m.get_tool(number))\n"
        "m.use_tool_id(2, 'mine')\nm.register_callback(2, m.events.CALL, lambda *told: print(told[2]))\n"
        "def f(a):\n    return a.copy()\nm.set_local_events(2, f.__code__, m.events.CALL)\nf(np.ones(2))\n"
    )
    program = script(tmp_path, text)
    alone, done = bare(tmp_path, program), under(tmp_path, program)
    tools, rest = done.stdout.splitlines()[:6], done.stdout.splitlines()[6:]
    assert alone.stdout.splitlines() == ["None"] * 6 + rest
    assert tools == ["None"] * 4 + ["tensorbridge", "None"], "nothing but that the tool is there"
    assert calls(record(tmp_path)) == {(8, "ndarray.copy"): 1}


@told
def test_code_that_is_compiled_in_a_loop_is_not_held(tmp_path):
    text = (
        "import sys, weakref, numpy as np\na, refs = np.ones(2), []\nfor number in range(2000):\n"
        "    code = compile('a.copy()', '<made>', 'exec')\n    exec(code)\n    refs.append(weakref.ref(code))\n"
        "sys.exit(sum(ref() is not None for ref in refs) > 5)\n"
    )
    assert calls(traced(tmp_path, text)) == {(1, "ndarray.copy"): 2000}


@told
def test_code_that_was_watched_before(tmp_path):
    text = (
        "import numpy as np, tensorbridge_cli as tb\na = np.ones(2)\ndef f():\n    return a.copy()\n"
        "def each():\n    while True:\n        yield a.copy()\ncopies = each()\nnext(copies)\n"
        "for _ in range(3):\n    with tb.trace() as trace:\n        f(), next(copies)\n"
        "    print([(site.line, site.calls) for site in trace.sites])\n"
    )
    done = bare(tmp_path, script(tmp_path, text))
    assert (done.stdout, done.stderr) == ("[(4, 1), (7, 1)]\n" * 3, "")


@told
def test_where_other_tools_have_all_identifiers_they_are_said_not_to_be_seen(tmp_path):
    text = f"import sys\nfor number in (3, 4):\n    sys.monitoring.use_tool_id(number, 'mine')\n{WORK}"
    found = traced(tmp_path, text)
    assert found["sites"] == []
    why = next(why for what, why in not_seen(found).items() if what.startswith("ndarray.copy"))
    assert why.endswith("if the tool identifier 3 or 4 of sys.monitoring is free")


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="newer Pythons monitor them")
def test_before_that_they_are_said_not_to_be_seen(tmp_path):
    found = traced(tmp_path, WORK)
    assert found["sites"] == []
    why = next(why for what, why in not_seen(found).items() if what.startswith("ndarray.copy"))
    assert "their calls can be monitored only from Python 3.12 on" in why
