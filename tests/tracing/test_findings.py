"""Each finding: a program that has it, and its twin that has not."""

import pytest

from tests.tracing.tools import START, codes, recorded, script, traced

A = START + "a = np.reshape(np.arange(12.0), (4, 3))\n"
PAIRS = {
    "repeated-copy": (
        "for i in range(20):\n    t = torch.tensor(a)",
        "for i in range(20):\n    a[0] = i + 1\n    t = torch.tensor(a)",
    ),
    "loop-invariant": (
        "for i in range(20):\n    t = torch.from_numpy(a)",
        "for i in range(20):\n    t = torch.from_numpy(np.arange(3.0))",
    ),
    "element-by-element": ("torch.tensor([a, a])", "torch.tensor([1.0, 2.0])"),
    "dtype-there-and-back": (
        "t = torch.as_tensor(a, dtype=torch.float32)\nu = t.to(torch.float64)",
        "t = torch.as_tensor(a, dtype=torch.float32)\nt += 1\nu = t.to(torch.float64)",
    ),
    "round-trip": (
        "t = torch.ones(3)\nu = torch.from_numpy(t.numpy())",
        "t = torch.ones(3)\nu = torch.from_numpy(np.sort(t.numpy()))",
    ),
    "readonly-dropped": (
        "a.flags.writeable = False\nt = torch.from_numpy(a)",
        "a.flags.writeable = False\nt = torch.from_numpy(a.copy())",
    ),
    "alias-written": (
        "t = torch.from_numpy(a)\na[0] = 100\nb = np.array(a)",
        "t = torch.from_numpy(a)\ndel t\na[0] = 100\nb = np.array(a)",
    ),
    "buffer-stored-twice": (
        "kept = []\nfor i in range(5):\n    a[:] = np.arange(3) + i\n    kept.append(torch.from_numpy(a))",
        "kept = []\nfor i in range(5):\n    a[:] = np.arange(3) + i\n    kept.append(torch.from_numpy(a.copy()))",
    ),
}


@pytest.mark.parametrize("code", PAIRS)
def test_a_program_that_has_it_and_its_twin_that_has_not(tmp_path, code):
    has, has_not = PAIRS[code]
    found = recorded(tmp_path, A + has)
    assert code in codes(found)
    assert all(finding["site"] in {site["id"] for site in found["sites"]} for finding in found["findings"])
    assert code not in codes(recorded(tmp_path, A + has_not))


@pytest.mark.parametrize("made", ["np.ones((6, 2))", "np.ones((2, 6)).T", "np.ones((6, 4))[:, 1:3]"])
def test_rows_that_are_written_in_place_are_seen_again_in_any_layout(tmp_path, made):
    text = f"x = {made}\ndef row(i):\n    t = torch.from_numpy(x[i].view())\n    {{}}\n    return t.sum()\n"
    text += "for k in range(3):\n    sum(row(i) for i in range(6))"
    assert codes(recorded(tmp_path, A + text.format("t /= 2"))) == {"alias-written"}
    assert codes(recorded(tmp_path, A + text.format("t = t / 2"))) == set()


def test_a_write_to_one_column_is_no_write_to_another(tmp_path):
    text = "t = torch.from_numpy(a[:, 0])\na[:, 0] += 1\nprint(t)\nu = torch.from_numpy(a[:, {}])"
    assert "alias-written" in codes(recorded(tmp_path, A + text.format(0)))
    assert "alias-written" not in codes(recorded(tmp_path, A + text.format(1)))


def test_an_alias_of_a_tensor_is_known_by_its_version(tmp_path):
    text = START + "t = torch.arange(5000.0)\nb = t.numpy()\n{}c = t.numpy()\n"
    assert "alias-written" in codes(recorded(tmp_path, text.format("t += 1\n")))
    assert "alias-written" not in codes(recorded(tmp_path, text.format("")))


WEIGHTS, TRAIN = "n = torch.nn.Linear(3, 2)\n", "n.weight.data += 1\nn.weight.detach().cpu()"
BEHIND = {
    "the array, seen in the tensor": ("t = torch.from_numpy(a)\na[0] = 100\nt.clone()", True),
    "the tensor itself": ("t = torch.from_numpy(a)\nt[0] = 100\nt.clone()", False),
    "a tensor, seen in its array": ("t = torch.arange(5.0)\nb = t.numpy()\nt += 1\nnp.array(b)", True),
    "an array, while its tensor is used": ("t = torch.arange(5.0)\nb = t.numpy()\nb += 1\nnp.array(b)\nt.sum()", True),
    "an array, while its tensor is held": ("t = torch.arange(5.0)\nb = t.numpy()\nb += 1\nnp.array(b)", False),
    "a view through which a tensor is filled": ("t = torch.ones(3)\nb = t.numpy()\nb[:] = 5\nt.clone()", False),
    "a view that is an argument of a write": (
        "t = torch.ones(3)\nb = t.numpy()\nnp.copyto(b[1:], 5)\nnp.add(1, 2, out=b)\nt.clone()",
        False,
    ),
    "a view that is read, too": ("t = torch.arange(3.0)\nb = t.numpy()\nb[:] = 5\nt.clone()\nprint(b)", True),
    "a view with two names": ("t = torch.ones(3)\nb = c = t.numpy()\nb[:] = 5\nt.clone()\nprint(c)", True),
    "an attribute through which a tensor is filled": (
        "class S: pass\ns, t = S(), torch.ones(3)\ns.b = t.numpy()\ns.b[:] = 5\nt.clone()",
        False,
    ),
    "an attribute that is read, too": (
        "class S: pass\ns, t = S(), torch.ones(3)\ns.b = t.numpy()\ns.b[:] = 5\nt.clone()\nprint(s.b)",
        True,
    ),
    "a view by another name through which a tensor is filled": (
        "t = torch.ones(3)\nf = t.numpy\nb = f()\nb[:] = 5\nt.clone()",
        False,
    ),
    "a global view that another function fills": (
        "t = torch.ones(3)\ndef view():\n    global b\n    b = t.numpy()\ndef fill():\n    b[:] = 5\n"
        "view()\nfill()\nt.clone()",
        False,
    ),
    "a global view that another function fills and reads": (
        "t = torch.ones(3)\ndef view():\n    global b\n    b = t.numpy()\ndef fill():\n    b[:] = 5\n    print(b)\n"
        "view()\nfill()\nt.clone()",
        True,
    ),
    "views of several tensors that are filled": (
        "t = torch.ones(3)\nviews = [x.numpy() for x in [t]]\nviews[0][:] = 5\nnp.add(1, 2, out=views[0])\nt.clone()",
        False,
    ),
    "views that a loop fills": (
        "t = torch.ones(3)\nviews = [x.numpy() for x in [t]]\nfor v, x in zip(views, [5]):\n    v[:] = x\n"
        "for k, v in enumerate(views):\n    v.fill(k)\nt.clone()",
        False,
    ),
    "a view that is filled through another name": (
        "t = torch.ones(3)\nb = t.numpy()\nc = b[1:]\nc[:] = 5\nt.clone()",
        False,
    ),
    "views that are read, too": (
        "t = torch.ones(3)\nviews = [x.numpy() for x in [t]]\nfor v in views:\n    v[:] = 5\nt.clone()\nprint(views)",
        True,
    ),
    "a view that is read through another name": (
        "t = torch.arange(3.0)\nb = t.numpy()\nc = b[1:]\nc[:] = 5\nt.clone()\nprint(c)",
        True,
    ),
    "an array, while its parameter is held": (
        "n = torch.nn.Linear(3, 2)\nb = n.weight.detach().numpy()\nb += 1\nnp.array(b)",
        True,
    ),
    "a view of weights that was kept": (WEIGHTS + "b = n.weight.detach().cpu()\n" + TRAIN, True),
    "views of weights in a list": (WEIGHTS + "b = [p.data.float() for p in n.parameters()]\n" + TRAIN, True),
    "a view of weights that is gone": (WEIGHTS + "b = n.weight.detach().cpu().sum()\n" + TRAIN, False),
    "the weights themselves": (WEIGHTS + "v = n.weight.data\nb = n.weight.cpu()\n" + TRAIN, False),
    "a copy of the weights": (WEIGHTS + "b = n.weight.detach().cpu().clone()\n" + TRAIN, False),
    "a tensor of its own": ("b = torch.rand(4, 3).float()\nb.relu_()\nb[0].float()\nb.reshape(-1).cpu()", False),
    "an array whose tensor is gone": ("b = torch.arange(5.0).numpy()\nb += 1\nnp.array(b)", False),
}


@pytest.mark.parametrize("what", BEHIND)
def test_a_write_behind_the_other_name(tmp_path, what):
    text, expected = BEHIND[what]
    assert ("alias-written" in codes(recorded(tmp_path, A + text))) == expected


NET = "import copy\ndef run():\n    n = torch.nn.Linear(3, 2)\n    "
HELD = "    def look(self):\n        return torch.from_numpy(self.a)\n"
ENV = f"class Env:\n    def __init__(self): self.a = np.zeros(3)\n{HELD}" + (
    "    def reset(self):\n        return self.look(), {}\n"
    "    def step(self):\n        self.a += 1\n        return self.look(), {}\n"
    "def run():\n    env, moved = Env(), 0\n    "
)
LOOKED = "def look(n): return [p.detach().numpy() for p in n.parameters()]\n" + NET
CALLED_TWICE = {
    "weights before and after": (
        LOOKED + "b = look(n)\n    n.weight.data += 1\n    e = look(n)\n    b[0] - e[0]",
        True,
    ),
    "compared at once": (LOOKED + "b = look(n)\n    n.weight.data += 1\n    return zip(b, look(n))", True),
    "views of weights": (
        LOOKED.replace("numpy()", "cpu()") + "b = look(n)\n    n.weight.data += 1\n    e = look(n)\n    b[0] - e[0]",
        True,
    ),
    "not used after": (LOOKED + "b = look(n)\n    b[0].sum()\n    n.weight.data += 1\n    look(n)[0].sum()", False),
    "a copy": (LOOKED + "b = copy.deepcopy(look(n))\n    n.weight.data += 1\n    e = look(n)\n    b[0] - e[0]", False),
    "bound anew": (LOOKED + "b = look(n)\n    n.weight.data += 1\n    b = look(n)\n    b[0].sum()", False),
    "nothing is written": (LOOKED + "b = look(n)\n    e = look(n)\n    b[0] - e[0]", False),
    "a property": (
        f"class Env:\n    def __init__(self): self.a = np.zeros(3)\n    @property\n{HELD}"
        "def run():\n    env = Env()\n    b = env.look\n    env.a += 1\n    return env.look - b",
        True,
    ),
    "two methods": (
        ENV
        + "b, _ = env.reset()\n    for k in range(3):\n        e, _ = env.step()\n        moved = e - b\n        b = e",
        True,
    ),
    "two methods, one name": (
        ENV + "b, _ = env.reset()\n    for k in range(3):\n        moved += b.sum()\n        b, _ = env.step()",
        False,
    ),
    "used in the next pass": (
        ENV + "b, _ = env.reset()\n    for k in range(2):\n        moved += b.sum()\n        env.step()[0].sum()",
        True,
    ),
    "bound in each pass": (
        ENV + "for k in range(3):\n        b, _ = env.reset()\n        moved += b.sum()\n        env.step()[0].sum()",
        False,
    ),
}


@pytest.mark.parametrize("what", CALLED_TWICE)
def test_a_function_that_is_called_before_a_write_and_after(tmp_path, what):
    text, expected = CALLED_TWICE[what]
    found = recorded(tmp_path, f"{A}{text}\nrun()\n")
    assert ("alias-written" in codes(found)) == expected
    if expected:
        (finding,) = found["findings"]
        assert finding["remedy"].count(".copy()") + finding["remedy"].count(".clone()") == 1


@pytest.mark.parametrize("what", ["a view of weights that was kept", "the weights themselves"])
def test_the_recorder_in_python_counts_the_same_references(tmp_path, what):
    text, expected = BEHIND[what]
    assert ("alias-written" in codes(traced(tmp_path, A + text, TENSORBRIDGE_COMPILED="0"))) == expected


def test_memory_that_is_used_again_is_no_alias(tmp_path):
    text = (
        START + "for i in range(200):\n    a = np.arange(5.0) + i\n    t = torch.from_numpy(a)\n    {}\n    del a, t\n"
    )
    for use in ("pass", "t.clone()", "if i % 7 == 3: t.clone()"):
        assert recorded(tmp_path, text.format(use))["findings"] == []
    assert codes(recorded(tmp_path, text.format("np.array(t.numpy())"))) == {"round-trip"}


def test_a_copy_that_can_be_avoided_is_proved_and_rewritten(tmp_path):
    text = A + "t = torch.tensor(a)\nu = torch.tensor(np.asarray(a))\nw = torch.tensor(a, dtype=torch.float32)\n"
    found = recorded(tmp_path, text, remedies=True)
    (first, second) = (finding for finding in found["findings"] if finding["code"] == "avoidable-copy")
    assert (first["bytes"], first["certainty"]) == (96, "possible")
    assert {first["remedy"], second["remedy"]} == {"t = torch.from_numpy(a)", "u = torch.from_numpy(np.asarray(a))"}
    for finding in (first, second):
        old = next(site["source_line"] for site in found["sites"] if site["id"] == finding["site"])
        text = text.replace(old, finding["remedy"])
    again = recorded(tmp_path, text, remedies=True)
    assert again["totals"]["copied_bytes"] == 48, "only the change of dtype is left"
    assert "avoidable-copy" not in codes(again)


@pytest.mark.parametrize(
    "line", ["torch.ones(3).clone()", "np.copy(a)", "np.array(a, copy=True)", "torch.tensor(a, dtype=torch.float32)"]
)
def test_a_copy_that_is_asked_for_is_no_finding(tmp_path, line):
    assert "avoidable-copy" not in codes(recorded(tmp_path, A + line, remedies=True))


NO_FINDING = {
    "a copy of a buffer that is filled anew": (
        "k = []\nfor i in range(20):\n    a[0] = i\n    k.append(torch.tensor(a))"
    ),
    "a copy that is written": "for i in range(20):\n    h = torch.tensor(a)\n    h += 1\n    h.clone()",
    "a copy of its own kind": "for i in range(20):\n    b = np.array(a)\n    b[0] = 9",
    "another layout": "np.ascontiguousarray(a[:, ::-1])\ntorch.from_numpy(a).t().contiguous()",
    "another shape": "torch.from_numpy(a).t().flatten()\ntorch.from_numpy(a).t().reshape(-1)",
    "what a library does in C": "r = np.random.default_rng(0)\nfor i in range(50):\n    y = r.permutation(a)",
    "what a library does": "import lib\nfor i in range(20):\n    lib.convert(a)",
    "one buffer, one result at a time": (
        "b = np.zeros(8)\nfor i in range(20):\n    b[:] = np.arange(8) + i\n    t = torch.from_numpy(b)\n    t.sum()"
    ),
    "a step of training": (
        "w = torch.ones(4)\nfor i in range(20):\n    w += 1\n    v = w.detach().numpy()\n    v.sum()"
    ),
    "another dtype on the way back": "t = torch.tensor(a, dtype=torch.float32)\nz = t.numpy()",
    "code whose text is not to be had": "exec('for i in range(20):\\n    torch.from_numpy(np.ones(3) * 2)')",
    "a source made anew": "for i in range(20):\n    torch.from_numpy(np.ones(3) * 2)",
}


@pytest.mark.parametrize("what", NO_FINDING)
def test_no_false_alarm(tmp_path, what):
    (tmp_path / "site-packages").mkdir()
    script(tmp_path / "site-packages", "import torch\ndef convert(a):\n    return torch.tensor(a)\n", "lib.py")
    assert recorded(tmp_path, f"{A}{NO_FINDING[what]}\n", remedies=True)["findings"] == []


def test_a_list_of_scalars_is_told_from_a_hundred_on(tmp_path):
    found = recorded(tmp_path, A + "torch.tensor(list(np.arange(100.0)))\ntorch.tensor(list(np.arange(9.0)))\n")
    ((finding,), remedy) = found["findings"], "torch.from_numpy(np.array(list(np.arange(100.0))))"
    assert finding["detail"] == "a list of 100 NumPy scalars is converted by torch.tensor element by element"
    assert finding["remedy"] == remedy


@pytest.mark.parametrize(("ratio", "told"), [(0.8, False), (1.04, False), (1.2, True)])
def test_what_is_hardly_faster_is_not_told(tmp_path, monkeypatch, ratio, told):
    measured = lambda readings, laboratory: dict.fromkeys(readings, ratio)  # noqa: E731
    monkeypatch.setattr("tensorbridge_cli.tracing.run._ratios", measured)
    found = recorded(tmp_path, A + "torch.tensor([a, a])\n", remedies=True)
    assert ("element-by-element" in codes(found)) == told


def test_what_a_large_source_holds_is_known_by_its_parts(tmp_path):
    text = START + "a = np.arange(1e6)\nfor i in range(20):\n    torch.tensor(a, dtype=torch.float32)\n    {}\n"
    found = recorded(tmp_path, text.format("pass"))
    assert [(finding["code"], finding["bytes"]) for finding in found["findings"]] == [("repeated-copy", 80_000_000)]
    assert recorded(tmp_path, text.format("a += 1"))["findings"] == []


@pytest.mark.parametrize(
    "line",
    ["torch.from_numpy(m)", "torch.as_tensor(m[1:])", "torch.frombuffer(bytes(8), dtype=torch.uint8)"],
)
def test_what_is_read_only_otherwise(tmp_path, line):
    text = START + f"np.arange(4.0).tofile('data')\nm = np.memmap('data', np.float64, 'r')\nx = {line}\n"
    found = recorded(tmp_path, text)
    assert codes(found) == {"readonly-dropped"}
    assert found["sites"][0]["outcomes"]["shared"] == 1


def test_an_avoidable_copy_counts_what_could_be_shared(tmp_path):
    text = A + "b = np.ones(100)\nfor x in (a, b, [1.0], b.astype('f4')[::2]):\n    torch.tensor(x)\n"
    (finding,) = recorded(tmp_path, text, remedies=True)["findings"]
    assert (finding["code"], finding["bytes"]) == ("avoidable-copy", 96 + 800)
    assert finding["detail"].startswith("2 calls copied 896 bytes; torch.from_numpy(x) shares")


def test_calls_that_begin_together_are_two_sites(tmp_path):
    found = recorded(tmp_path, A + "t = torch.ones(3)\nu = t.to(torch.float64).to(torch.float32)\n")
    file = tmp_path / "program.py"
    ids = [f"{file}:4:4-4:23 Tensor.to", f"{file}:4:4-4:41 Tensor.to"]
    assert sorted(site["id"] for site in found["sites"]) == ids
    (finding,) = found["findings"]
    assert (finding["code"], finding["site"]) == ("dtype-there-and-back", ids[1])


def test_what_costs_the_same_is_told_by_line(tmp_path):
    text = A + "".join(
        f"{'torch.tensor([a, a])' if line in (7, 10) else 'torch.from_numpy(a)'}\n" for line in range(3, 12)
    )
    found = recorded(tmp_path, text)
    lines = {site["id"]: site["line"] for site in found["sites"]}
    assert list(lines.values()) == [7, 10, 3, 4, 5, 6, 8, 9, 11]
    assert [lines[finding["site"]] for finding in found["findings"]] == [7, 10]


@pytest.mark.parametrize(
    ("code", "loop", "remedy"),
    [
        (
            "loop-invariant",
            "t = torch.from_numpy(a).requires_grad_()\n    (t * t).sum().backward()",
            "convert once, outside the loop, as long as neither the source nor the result is modified; "
            "if the result gets a gradient, set it to None before each use",
        ),
        (
            "repeated-copy",
            "t = torch.tensor(a, requires_grad=True)\n    (t * t).sum().backward()",
            "convert once, and again only after the source is modified; "
            "if the result gets a gradient, set it to None before each use",
        ),
        (
            "repeated-copy",
            "h(a)",
            "convert once, and again only after the source is modified; the result must not be modified either",
        ),
    ],
)
def test_what_a_line_that_is_hoisted_must_not_carry_along(tmp_path, code, loop, remedy):
    text = A + "def h(a):\n    torch.tensor(a).data[0] = 1\n" * (loop == "h(a)") + f"for k in range(20):\n    {loop}\n"
    found = recorded(tmp_path, text)
    assert {finding["remedy"] for finding in found["findings"] if finding["code"] == code} == {remedy}


@pytest.mark.parametrize(
    ("line", "remedy"),
    [
        ("torch.from_numpy(t.numpy())", "use the original tensor"),
        ("torch.tensor(t.numpy())", "use the original tensor, or its clone() if this one is modified"),
        ("torch.tensor(a).numpy()", "use the original array, if neither is modified later"),
    ],
)
def test_what_to_use_instead_of_a_round_trip(tmp_path, line, remedy):
    found = recorded(tmp_path, A + f"t = torch.ones(3)\nx = {line}\n")
    assert {finding["remedy"] for finding in found["findings"] if finding["code"] == "round-trip"} == {remedy}


@pytest.mark.parametrize("write", ["torch.tensor(a).numpy()[0] = 5", "x = torch.tensor(a).numpy()\nx += 1"])
def test_an_array_through_which_a_copy_is_written_is_no_round_trip(tmp_path, write):
    assert "round-trip" not in codes(recorded(tmp_path, A + write))


SMOOTH = "def smooth(a):\n    return a if len(a) < 4 else np.convolve(a, np.ones(3))\nt = torch.ones(3)\n"
BETWEEN = {
    "a function": "u = torch.from_numpy(smooth(t.numpy()))",
    "a view of what it gives": "u = torch.from_numpy(smooth(t.numpy())[1:].T)",
    "a function of a name": "s = smooth(t.numpy())\nu = torch.from_numpy(s)",
    "a function that writes": "s = t.numpy()\nnp.random.shuffle(s)\nu = torch.from_numpy(s)",
    "a function, back": "u = smooth(torch.tensor(a[:3])).numpy()",
    "a use, back": "u = torch.tensor(a)\nprint(u.sum())\nv = u.numpy()",
}
NOTHING_BETWEEN = {
    "nothing": "u = torch.from_numpy(t.numpy())",
    "a view": "u = torch.from_numpy(np.squeeze(t.detach().numpy()[:2]))",
    "a name": "s = t.numpy()\nu = torch.from_numpy(s)\nprint(s)",
    "its shape": "s = t.numpy()\nprint(s.shape)\nu = torch.from_numpy(s)",
    "what gave it": "u = torch.from_numpy(np.asarray(torch.relu(t)))",
}


@pytest.mark.parametrize("what", BETWEEN)
def test_what_other_code_uses_in_between_is_no_round_trip(tmp_path, what):
    assert "round-trip" not in codes(recorded(tmp_path, A + SMOOTH + BETWEEN[what]))


@pytest.mark.parametrize("what", NOTHING_BETWEEN)
def test_what_nothing_uses_in_between_is_a_round_trip(tmp_path, what):
    assert "round-trip" in codes(recorded(tmp_path, A + SMOOTH + NOTHING_BETWEEN[what]))


def test_an_array_that_is_viewed_by_another_is_no_round_trip(tmp_path):
    text = START + "t = torch.ones(3)\nprint(np.asarray(t.numpy()))\nprint(t.numpy())\n"
    assert "round-trip" not in codes(recorded(tmp_path, text))


def test_a_round_trip_names_the_line_that_made_the_tensor(tmp_path):
    text = A + "t = torch.from_numpy(a)\nu = torch.as_tensor(a)\nprint(t, u.numpy())\n"
    (detail,) = (one["detail"] for one in recorded(tmp_path, text)["findings"] if one["code"] == "round-trip")
    assert detail.startswith("torch.as_tensor at program.py:4 created it from an array"), detail


def test_a_series_is_not_counted_with_arrays(tmp_path):
    text = A + (
        "import pandas\ndef load(x):\n    return torch.tensor(x)\nfor k in range(3):\n"
        "    t = load(np.arange(3.0))\n    t = load(pandas.Series([1.0, k]))\n"
    )
    found = recorded(tmp_path, text, remedies=True)
    (avoidable,) = (finding for finding in found["findings"] if finding["code"] == "avoidable-copy")
    assert avoidable["detail"].startswith("3 calls copied 72 bytes")
    assert avoidable["remedy"] is None
    (site,) = (site for site in found["sites"] if site["line"] == 5)
    assert site["dtypes"] == [{"source": "float64", "result": "float64", "calls": 6}]
