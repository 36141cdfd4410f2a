"""Of an array that is converted, the program's text shows that it is only read, or it may be written."""

import ast

import pytest

from tensorbridge_cli.tracing.report.uses import is_only_read, may_be_written
from tests.tracing.tools import START, site_of

LINES, FILES = 20, 100
A = "a = np.arange(6.0)\n"

READ = [
    "print(a.sum(), a[1:].mean(), a.shape, len(a), f'{a}', a.T.max())",
    "b = a + 1\nb *= 2",
    "b = np.sin(a)\nb *= 2",
    "b = a[a > 2].copy()\nb *= 2",
    "b = torch.stack([torch.tensor(a), torch.ones(6)])\nb *= 2",
    "b = np.ones(9)\nb[:6] = -a\nb += a.max()",
    "assert a.any()\nif a[0] > 3:\n    del a",
    "model = torch.nn.Linear(6, 1)\nmodel(t)",
    "def f():\n    return a.sum() + np.dot(2.0, a).item()",
    "b = np.concatenate([a, a]) * 2 + (a > 1)\nb *= 2",
    "class Table:\n    def __getitem__(self, k):\n        return k\nb = a * Table()[3]",
]

WRITTEN = [
    "a[0] = 1",
    "a += 1",
    "np.negative(a, a)",
    "np.clip(a, None, 1.0, a)",
    "np.dot(m, v, a)",
    "np.negative(a, **{'out': a})",
    "np.nan_to_num(a, copy=False)",
    "a.__imul__(-1)",
    "a.sort()",
    "operator.imul(a, -1)",
    "list(map(a.__setitem__, range(6), range(6)))",
    "functools.partial(np.negative, out=a)(m)",
    "np.ndarray.put(a, 0, 1)",
    "b = a\nb *= -1",
    "b = a[1:]\nb *= -1",
    "b = np.asarray(a)\nb *= -1",
    "b = a.reshape(2, 3)\nb *= -1",
    "for b in a[None]:\n    b *= -1",
    "for k, b in zip([1], [a]):\n    b *= -1",
    "d = {'a': a}\nd['a'] *= -1",
    "d['a'] = a",
    "kept.append(a)",
    "thing.buffer = a",
    "(lambda b: np.negative(b, b))(a)",
    "(b := a).__imul__(-1)",
    "pool.submit(flip, a)",
    "threading.Thread(target=flip, args=(a,)).start()",
    "with nullcontext(a) as b:\n    b *= -1",
    "match a:\n    case b:\n        b *= -1",
    "setattr(a, 'flat', 0)",
    "exec('a *= -1')",
    "globals()['a'] *= -1",
    "torch.from_numpy(a).neg_()",
    "u = torch.as_tensor(a)\ntorch.neg_(u)",
    "a.ctypes.data_as(p)[0] = 1",
    "pickle.dumps(a, 5, buffer_callback=kept.append)",
    "def f():\n    return a",
    "class A:\n    a = None\nA.a[0] = 1",
    "import other as print\nprint(a)",
    "t += 1",
    "t[0] = 1",
    "t.neg_()",
    "torch.neg(m, out=t)",
    "torch.nn.init.zeros_(t)",
    "u = t[1:]\nu += 1",
    "b = [a] + [m]\nb[0] *= -1",
    "b = (a,) * 2\nb[1][:] = 0",
    "b = +a\nb *= -1",
    "b = np.float64(a)\nb *= -1",
    "b = np.double(a)\nb *= -1",
    "b = np.astype(a, float, copy=False)\nb *= -1",
    "b = np.einsum('ii->i', a)\nb *= -1",
    "b = torch.dropout(a, 0.5, False)\nb *= -1",
    "sys._getframe().f_globals['a'][0] = 1",
    "operator.attrgetter('a')(module)[0] = 1",
    "class Halve:\n    def __rmatmul__(self, b):\n        b /= 2\na @ Halve()",
    "class Table:\n    def __getitem__(self, b):\n        b /= 2\nTable()[a]",
    "u = copy.copy(t)\nu += 1",
    "u = torch.unsafe_chunk(t, 2)[0]\nu += 1",
]

BOUND = [
    "a = np.asarray(b)",
    "a = b",
    "a = b[1:]",
    "a = f()",
    "a = [b]",
    "a, b = b, c",
    "a = thing.buffer",
    "for a in b: pass",
]


def may(tmp_path, before, after=""):
    path = tmp_path / "program.py"
    path.write_text(f"{START}{before}\nt = torch.tensor(a)\n{after}\n", encoding="utf-8")
    return may_be_written(site_of(path, "torch.tensor"))


@pytest.mark.parametrize("uses", READ)
def test_an_array_that_is_read(tmp_path, uses):
    assert not may(tmp_path, A, uses)


@pytest.mark.parametrize("use", WRITTEN)
def test_an_array_that_may_be_written(tmp_path, use):
    assert may(tmp_path, A, use)


@pytest.mark.parametrize("binding", BOUND)
def test_an_array_that_may_have_another_name(tmp_path, binding):
    assert may(tmp_path, binding)


@pytest.mark.parametrize(
    ("filled", "expected"),
    [
        ("a[:] = 3\nt = torch.tensor(a)", False),
        ("t = torch.tensor(a)\na[:] = 3", True),
        ("for k in range(3):\n    a[:] = 3\n    t = torch.tensor(a)", True),
        ("def f():\n    a[:] = 3\nt = torch.tensor(a)\nf()", True),
    ],
)
def test_an_array_that_is_filled_before(tmp_path, filled, expected):
    path = tmp_path / "program.py"
    path.write_text(START + A + filled, encoding="utf-8")
    assert may_be_written(site_of(path, "torch.tensor")) == expected


def program(path, last):
    """Write a program of ``LINES`` conversions; return their sites and the texts of ``FILES`` other files."""
    copies = "".join(f"x{n} = np.zeros(3)\ny{n} = torch.tensor(x{n})\n" for n in range(LINES))
    path.write_text(START + copies, encoding="utf-8")
    others = tuple(f"def f{n}(a):\n    a[{n}] = 0\n" for n in range(FILES - 1))
    sites = [site_of(path, "torch.tensor", n) for n in range(LINES)]
    return sites, (path.read_text(encoding="utf-8"), *others, last)


def test_a_file_is_parsed_once_for_all_lines(tmp_path, monkeypatch):
    sites, texts = program(tmp_path / "program.py", "def g(a):\n    a[0] = 1\n")
    parse, parsed = ast.parse, []
    monkeypatch.setattr(ast, "parse", lambda text, *more, **named: parsed.append(text) or parse(text, *more, **named))
    assert not any(may_be_written(site, texts) for site in sites)
    assert len(parsed) == len(set(parsed))


@pytest.mark.parametrize("last", ["import program\nprogram.x3[0] = 1\n", "from program import x3\nx3[0] = 1\n"])
def test_what_another_file_reaches_is_found_among_many(tmp_path, last):
    sites, texts = program(tmp_path / "program.py", last)
    assert [may_be_written(site, texts) for site in sites] == [n == 3 for n in range(LINES)]


@pytest.mark.parametrize(
    ("line", "expected"),
    [("t.numpy().copy()", True), ("print(t.numpy())", True), ("t.numpy()[0] = 1", False), ("f(t.numpy())", False)],
)
def test_an_array_over_a_tensor(line, expected):
    tree = ast.parse(line)
    node = next(one for one in ast.walk(tree) if isinstance(one, ast.Call) and ast.unparse(one) == "t.numpy()")
    assert is_only_read(node, tree) == expected
