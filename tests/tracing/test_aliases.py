"""Whether an earlier result over the same memory is missed: right programs that bind it anew, and wrong ones."""

import gc
from types import SimpleNamespace

import pytest

from tests.tracing.tools import OF_ITSELF, START, codes, recorded, script, traced_cold

ENV = """
class Env:
    def __init__(self):
        self.state = np.zeros(3, np.float32)
    def reset(self):
        self.state[:] = 0
        return self.state
    def step(self):
        self.state += 1
        return self.state
env, b, kept = Env(), np.zeros(3), []
"""
BOUND_AGAIN = {
    "one after the other": "t = torch.from_numpy(b)\nprint(t)\nb += 1\nt = torch.from_numpy(b)\nprint(t)",
    "with an annotation": (
        "t: torch.Tensor = torch.from_numpy(b)\nprint(t)\nb += 1\nt = torch.from_numpy(b)\nprint(t)"
    ),
    "in a loop": (
        "for k in range(4):\n    b[:] = k\n    t = torch.from_numpy(b)\n    print(t)\n    b[:] = 9\n"
        "    t = torch.from_numpy(b)\n    print(t)"
    ),
    "before a loop, and in it": (
        "s = env.step()\nt = torch.as_tensor(s)\nfor k in range(4):\n    print(torch.nn.functional.relu(t))\n"
        "    s = env.step()\n    t = torch.as_tensor(s)"
    ),
    "arrays of weights": (
        "n = torch.nn.Linear(3, 1)\nw = n.weight.detach().numpy()\nprint(w)\n"
        "torch.nn.init.zeros_(n.weight)\nw = n.weight.detach().numpy()"
    ),
}
BOUND_AGAIN |= {
    f"as in {now}": f"{then}\nprint(t)\nb += 1\n{now}\nprint(t)"
    for then, now in (
        ("print(t := torch.from_numpy(b))", "print(t := torch.from_numpy(b))"),
        ("t = torch.from_numpy(b)", "if (t := torch.from_numpy(b)).sum() > 1: pass"),
        ("t, n = torch.from_numpy(b), 0", "t, n = torch.from_numpy(b), 1"),
        ("[t, n] = torch.from_numpy(b), 0", "(t, n) = (torch.from_numpy(b), 1)"),
        ("t, u = torch.from_numpy(b), torch.from_numpy(b[1:])", "u, t = torch.from_numpy(b), torch.from_numpy(b[1:])"),
        ("t = u = torch.from_numpy(b)", "u = t = torch.from_numpy(b)"),
        ("t, u = map(torch.from_numpy, (b, b[1:]))", "t, u = map(torch.from_numpy, (b, b[1:]))"),
        ("t, *u = [torch.from_numpy(x) for x in (b, b[1:])]", "t, *u = [torch.from_numpy(x) for x in (b, b[1:])]"),
        ("t = list(map(torch.from_numpy, [b]))[0]", "t = next(map(torch.from_numpy, [b]))"),
        (
            "import functools\nt = functools.partial(torch.from_numpy, b)()",
            "t = functools.partial(torch.from_numpy, b)()",
        ),
    )
}
BOUND_AGAIN["used in the statement that binds it, before the write"] = (
    "t = torch.from_numpy(env.state)\nfor k in range(3):\n    n, t = float(t.sum()), torch.from_numpy(env.step())"
)
EPISODES = """
for episode in range(3):
    t = torch.from_numpy(env.reset())
    for k in range(4):
        print(t)
        s = env.step()
        {}t = torch.from_numpy(s)
"""
BOUND_AGAIN["before a loop by another call, and in it"] = EPISODES.format("")
POLICY = """
def scaled(x, by):
    return x.float().mean() * by
@torch.no_grad()
def act(x, by=2):
    y = scaled(x.unsqueeze(0), by=by)
    return y.sum().item() if x.sum() > 1 else 0
t = torch.from_numpy(env.reset())
for k in range(4):
    print(act(t))
    s = env.step()
    t = torch.from_numpy(s)
"""
BOUND_AGAIN["passed to functions that read it"] = POLICY
BOUND_AGAIN["read before something else is written"] = POLICY.replace(
    "return y.sum().item() if x.sum() > 1 else 0", "kept[:] = [x.sum()]\n    return y.sum().item()"
)
AGENT = """
class Agent:
    def reset(self):
        self.state = torch.from_numpy(b)
    def step(self):
        b[:] = b + 1
        self.state = torch.from_numpy(b)
        return {use}
agent = Agent()
for k in range(3):
    agent.reset(), agent.step(), agent.step()
"""
BOUND_AGAIN["an attribute"] = AGENT.format(use="float(self.state.sum())")
OBJECT = (
    "class S: pass\ns, r = S(), S()\ns.t = torch.from_numpy(b)\nprint(s.t)\n{}\nb += 1\n{}\n"
    "{}.t = torch.from_numpy(b)\nprint(s.t)"
)
BOUND_AGAIN["an attribute of a variable"] = OBJECT.format("", "", "s")
LOADED = """
class Loaded:
    def load(self):
        {} = torch.from_numpy(b){}
        n = float(self.t.sum())
        b[:] = b + 1
        {}
        {} = torch.from_numpy(b)
        return float(self.u.sum())
    def clear(self):
        b[:] = 0
        self.u = torch.from_numpy(b)
loaded = Loaded()
for k in range(3):
    loaded.load(), loaded.clear()
"""
RETURNED = (
    "def f():\n    t = torch.from_numpy(b)\n    print(t)\n    b[:] = b + 1\n    {}t = torch.from_numpy(b)\n    {}\nf()"
)
BOUND_AGAIN["and given back then"] = RETURNED.format("", "return t")
BOUND_AGAIN["and kept then"] = RETURNED.format("", "kept.append(t)")
BOUND_AGAIN["and given back by a coroutine then"] = "import asyncio\nasync " + RETURNED.format("", "return t").replace(
    "\nf()", "\nasyncio.run(f())"
)
BOUND_AGAIN |= {
    "two attributes": LOADED.format("self.t", "", "pass", "self.u"),
    "an attribute and a name": LOADED.format("self.t = t", "", "pass", "self.u = t"),
    "an attribute with another value": LOADED.format("self.t, n", ", 0", "pass", "self.u, n").replace(
        "(b)\n        return", "(b), 1\n        return"
    ),
}
WRAPPED = """
class Wrapped:
    def reset(self):
        return torch.from_numpy(env.reset())
    def step(self):
        s = env.step()
        t = torch.from_numpy(s)
        return t, 1.0
def act(t):
    return t.sum().item()
w = Wrapped()
for episode in range(2):
    t = w.reset()
    for k in range(3):
        a = act(t)
        {u}, reward = w.step()
        {}
"""
BOUND_AGAIN["given back by two methods"] = WRAPPED.format("pass", u="t")
BOUND_AGAIN["given back by two methods, with a second name"] = WRAPPED.format("t = u", u="u")
USED_BEFORE = {
    "printed": "t = torch.from_numpy(b)\nprint(t, float(t.sum()))\nb += 1\nu = torch.from_numpy(b)",
    "in a function": (
        "def run(n):\n    w = n.weight.detach().numpy()\n    size = abs(w).sum()\n    torch.nn.init.zeros_(n.weight)\n"
        "    v = n.weight.detach().numpy()\n    return abs(v).sum() - size\nrun(torch.nn.Linear(3, 1))"
    ),
    "over several lines": (
        "n = torch.nn.Linear(3, 1)\nw = (\n    n.weight\n    .detach()\n    .numpy()\n)\nprint(w)\n"
        "torch.nn.init.zeros_(n.weight)\nv = n.weight.detach().numpy()"
    ),
    "in a context of torch's": (
        "t = torch.from_numpy(b)\nwith torch.no_grad():\n    print(t.sum())\nb += 1\nu = torch.from_numpy(b)"
    ),
    "with an annotation": (
        "t: torch.Tensor = torch.from_numpy(b)\nprint(t)\nb += 1\nu: torch.Tensor = torch.from_numpy(b)"
    ),
    "in a comprehension": (
        "n = torch.nn.Linear(3, 1)\nw = [p.detach().numpy() for p in n.parameters()]\n"
        "print(sum(float(x.sum()) for x in w), [x.max() for x in w])\ntorch.nn.init.zeros_(n.weight)\n"
        "v = [p.detach().numpy() for p in n.parameters()]"
    ),
    "in a loop": (
        "n = torch.nn.Linear(3, 1)\nw = [p.detach().numpy() for p in n.parameters()]\nfor x in w:\n    print(x.sum())\n"
        "torch.nn.init.zeros_(n.weight)\nv = [p.detach().numpy() for p in n.parameters()]"
    ),
    "by another name": "f = torch.from_numpy\nt = f(b)\nprint(t, float(t.sum()))\nb += 1\nu = torch.from_numpy(b)",
    "in each pass": (
        "for k in range(4):\n    t = torch.from_numpy(b)\n    kept.append(t.sum())\n    b += 1\n"
        "    u = torch.from_numpy(b)\n    print(u)"
    ),
}
DICTIONARY = (
    "n = torch.nn.Linear(3, 1)\nw = {k: p.detach().numpy() for k, p in n.named_parameters()}\n"
    "print({k: y.sum() for k, y in w.items()})\nfor x in w.values():\n    print(x.sum())\n"
    "torch.nn.init.zeros_(n.weight)\nv = {k: p.detach().numpy() for k, p in n.named_parameters()}"
)
USED_BEFORE["in a dictionary"] = DICTIONARY
STILL_USED = {
    "another name": "t = torch.from_numpy(b)\nb += 1\nu = torch.from_numpy(b)\nprint(u - t)",
    "not at all": "t = torch.from_numpy(b)\nb += 1\nu = torch.from_numpy(b)",
    "before a write and after": "t = torch.from_numpy(b)\nprint(t)\nb += 1\nprint(t)\nu = torch.from_numpy(b)",
    "before a call and after": (
        "t = torch.from_numpy(env.state)\nprint(t)\nenv.step()\nprint(t)\nu = torch.from_numpy(env.state)"
    ),
    "before a write into a name": (
        "t = torch.from_numpy(b)\nprint(t)\nnp.add(b, 1, out=b)\nprint(t)\nu = torch.from_numpy(b)"
    ),
    "in an expression that writes": (
        "t = torch.from_numpy(env.state)\nprint(float(t.sum()) + env.step()[0] * t[0])\nu = torch.from_numpy(env.state)"
    ),
    "a global name": (
        "def init():\n    global t\n    t = torch.from_numpy(b)\n    print(t)\ninit()\nb += 1\n"
        "print(torch.from_numpy(b) - t)"
    ),
    "an attribute of a class": (
        "class C:\n    t = torch.from_numpy(b)\n    print(t)\nb += 1\nprint(torch.from_numpy(b) - C.t)"
    ),
    "in a context of its own": (
        "import contextlib\n@contextlib.contextmanager\ndef wider():\n    b[:] = 5\n    yield\n"
        "t = torch.from_numpy(b)\nwith wider():\n    print(t)\nu = torch.from_numpy(b)"
    ),
    "in a loop that writes": (
        "t = torch.from_numpy(b)\nfor k in range(3):\n    print(t)\n    b += 1\nu = torch.from_numpy(b)"
    ),
    "before what runs other code": (
        "def steps():\n    b[:] = 5\n    yield 1\ngo = steps()\nt = torch.from_numpy(b)\nfor k in go: pass\nprint(t)\n"
        "u = torch.from_numpy(b)"
    ),
    "after the write": "t = torch.from_numpy(b)\nb += 1\nprint(t)\nt = torch.from_numpy(b)",
    "after a step": (
        "s = env.step()\nt = torch.as_tensor(s)\nfor k in range(4):\n    s = env.step()\n    print(t)\n"
        "    t = torch.as_tensor(s)"
    ),
    "in the next pass of a loop": (
        "t = torch.from_numpy(b)\nfor k in range(3):\n    print(t)\n    b += 1\nt = torch.from_numpy(b)"
    ),
    "what a function keeps": (
        "def keep(x):\n    kept.append(x)\n    return x\nt = keep(torch.from_numpy(b))\nb += 1\n"
        "t = torch.from_numpy(b)\nprint(kept)"
    ),
    "a list": "t = torch.from_numpy(b)\nkept.append(t)\nb += 1\nt = torch.from_numpy(b)",
    "a list that is added": "t = torch.from_numpy(b)\nkept += [t, t[1:]]\nb += 1\nt = torch.from_numpy(b)\nprint(kept)",
    "an object": (
        "class Kept:\n    def __init__(self, t):\n        self.t = t\nt = torch.from_numpy(b)\nu = Kept(t)\nb += 1\n"
        "t = torch.from_numpy(b)"
    ),
    "a view": "t = torch.from_numpy(b)\nu = t[1:]\nb += 1\nt = torch.from_numpy(b)",
    "a function": "t = torch.from_numpy(b)\nf = lambda: t\nb += 1\nprint(f())\nt = torch.from_numpy(b)",
    "a pass of a loop that does not bind it": EPISODES.format("if k % 2: "),
    "after a call that may write": (
        "t = torch.from_numpy(env.step())\ndef tick():\n    env.state[:] = 7\ntick()\nprint(t)\n"
        "t = torch.from_numpy(env.step())"
    ),
    "a second result": "t = torch.from_numpy(b)\nu = torch.from_numpy(b)\nb += 1\nt = torch.from_numpy(b)",
    "an attribute that is kept": AGENT.format(use="kept.append(self.state)"),
    "an attribute that is given away": AGENT.format(use="[self.state]"),
    "a write that has no name": (
        "t = torch.from_numpy(env.state)\nvars(env)['state'][0] = 5\nprint(t)\nt = torch.from_numpy(env.state)"
    ),
}
USED_BEFORE["in an expression that gives the name"] = (
    "if (t := torch.from_numpy(b)).sum() > 1: pass\nb += 1\nu = torch.from_numpy(b)\nprint(u)"
)
GIVEN_A_NAME = "{}\nt = torch.from_numpy(b)\nwith g():\n    print(t.sum())\nb += 1\nu = torch.from_numpy(b)"
USED_BEFORE |= {
    f"in a context that has another name: {name}": GIVEN_A_NAME.format(name)
    for name in (
        "from torch import no_grad as g",
        "from contextlib import nullcontext as g",
        "g = torch.inference_mode",
    )
}
STILL_USED["in a context of its own that has the name of torch's"] = GIVEN_A_NAME.format(
    "import contextlib\nfrom torch import no_grad as g\n@contextlib.contextmanager\ndef g():\n    b[:] = 5\n    yield"
)
BOUND_AGAIN["passed to a function that is decorated by another name"] = POLICY.replace(
    "@torch.no_grad", "from torch import no_grad as g\n@g"
)
USED_BEFORE["in a tuple"] = "t, n = torch.from_numpy(b), 0\nprint(t)\nb += 1\nu, n = torch.from_numpy(b), 1\nprint(u)"
STILL_USED |= {
    f"{then}, {now}, {use}": f"{then}\nb += 1\n{now}\n{use}"
    for then, now, use in (
        ("print(t := torch.from_numpy(b))", "print(u := torch.from_numpy(b))", "print(u - t)"),
        ("print(t := torch.from_numpy(b))", "print(t, t := torch.from_numpy(b))", ""),
        ("kept.append(t := torch.from_numpy(b))", "t = torch.from_numpy(b)", "print(kept)"),
        ("u = (t := torch.from_numpy(b))", "t = torch.from_numpy(b)", "print(u)"),
        ("u = (t := torch.from_numpy(b))", "u = torch.from_numpy(b)", "print(t)"),
        ("u = (t := torch.from_numpy(b))[1:]", "t = torch.from_numpy(b)", "print(u)"),
        ("t, n = torch.from_numpy(b), 0", "u, n = torch.from_numpy(b), 1", "print(u - t)"),
        ("t, n = torch.from_numpy(b), b.fill(3)", "t, n = torch.from_numpy(b), 1", "print(t)"),
        ("t, u = torch.from_numpy(b), torch.from_numpy(b[1:])", "u, n = torch.from_numpy(b), 0", "print(t, u)"),
        ("t, n = torch.from_numpy(b), 0", "u, t = t, torch.from_numpy(b)", "print(u - t)"),
        ("both = t, n = torch.from_numpy(b), 0", "t, n = torch.from_numpy(b), 1", "print(both)"),
        ("t = u = torch.from_numpy(b)", "t = torch.from_numpy(b)", "print(t - u)"),
        ("t, u = map(torch.from_numpy, (b, b[1:]))", "v, u = map(torch.from_numpy, (b, b[1:]))", "print(t)"),
        ("t, u = map(torch.from_numpy, (b, b[1:]))", "print(t); t, u = map(torch.from_numpy, (b, b[1:]))", ""),
        (
            "t, *u = [torch.from_numpy(x) for x in (b, b[1:])]",
            "t, *v = [torch.from_numpy(x) for x in (b, b[1:])]",
            "print(u)",
        ),
        ("t = list(map(torch.from_numpy, [b]))", "print(t)\nt = list(map(torch.from_numpy, [b]))", ""),
        ("kept += list(map(torch.from_numpy, [b]))", "t = list(map(torch.from_numpy, [b]))", "print(kept)"),
        ("t = env.t = torch.from_numpy(b)", "t = torch.from_numpy(b)", "print(t - env.t)"),
        ("t = torch.from_numpy(b)", "t = torch.from_numpy(b) - t", "print(t)"),
        ("t = torch.from_numpy(b)", "t, n = torch.from_numpy(b), float(t.sum())", "print(t)"),
    )
}
STILL_USED |= {
    f"an attribute of a variable, {written!r}, {before!r}, {name}": OBJECT.format(before, written, name)
    for before, written, name in (
        ("", "print(s.t)", "s"),
        ("", "print(vars(s))", "s"),
        ("", "print(getattr(s, 't'))", "s"),
        ("", "print(s.__dict__)", "s"),
        ("", "print(s.t)", "r"),
        ("o = s", "s = S(); print(o.t)", "s"),
        ("kept.append(s.t)", "", "s"),
        ("kept.append(s)", "", "s"),
    )
}
STILL_USED |= {
    f"two attributes, {change[1]!r} for {change[0]!r}": LOADED.format("self.t", "", "pass", "self.u").replace(*change)
    for change in (
        ("pass", "n = self.t.sum()"),
        ("self.u.sum()", "(self.u - self.t).sum()"),
        ("b[:] = 0", "print(self.t)"),
    )
}
STILL_USED["an attribute and a name that is kept"] = LOADED.format("self.u = t", "", "pass", "self.u").replace(
    "n = float(self.t.sum())", "kept.append(t)"
)
STILL_USED["an attribute that is bound twice in a method"] = LOADED.format(
    "self.u", "", "n = self.u.sum()", "self.u"
).replace("self.t", "self.u")
STILL_USED["an attribute that who called the function has"] = (
    "class S:\n    def __repr__(self):\n        return str(vars(self))\ndef run(s):\n    s.t = torch.from_numpy(b)\n"
    "    print(s.t)\n    b[:] = 5\n    print(torch.from_numpy(b).sum())\ns = S()\nrun(s)\nprint(s)"
)
STILL_USED |= {
    f"in {comprehension}": USED_BEFORE["in a comprehension"].replace("[x.max() for x in w]", comprehension)
    for comprehension in ("[kept.append(x) for x in w]", "kept.extend([x for x in w])", "[env.step() for x in w]")
}
STILL_USED |= {
    f"in a loop: {body}": USED_BEFORE["in a loop"].replace("print(x.sum())", body)
    for body in ("kept.append(x)", "n.weight.data.zero_(); print(x)", "break\nprint(x)")
}
STILL_USED |= {
    "in a dictionary, and after a write": f"{DICTIONARY}\nprint(w)",
    "in a dictionary whose arrays are kept": DICTIONARY.replace("y.sum() for k", "y for k").replace("print(", "q = ("),
    "in a dictionary whose arrays a loop keeps": DICTIONARY.replace("print(x.sum())", "kept.append(x)")
    + "\nprint(kept)",
    "before it is bound again, and kept": RETURNED.format("kept.append(t)\n    ", "return t") + "\nprint(kept)",
    "after a write, and then it is given back": RETURNED.format("print(t)\n    ", "return t"),
}
STILL_USED["in a loop, and after a write"] = f"{USED_BEFORE['in a loop']}\nprint(w)"
STILL_USED["in a generator that is kept"] = USED_BEFORE["in a comprehension"].replace(
    "print(", "late = (x.sum() for x in w)\nprint("
)
APART = "def one(b):\n    return torch.from_numpy(b)\ndef two(b):\n    return torch.from_numpy(b)\n"
STILL_USED["given back by two functions, used after a write"] = (
    f"{APART}t = one(b)\nprint(t)\nb += 1\nprint(t)\nu = two(b)"
)
STILL_USED["given back by two functions, used in a loop that writes"] = (
    f"{APART}t = one(b)\nfor k in range(3):\n    print(t)\n    b += 1\nu = two(b)"
)
STILL_USED["given back by two functions, used not at all"] = f"{APART}t = one(b)\nb += 1\nu = two(b)"
USED_BEFORE["given back by two functions"] = f"{APART}t = one(b)\nprint(t)\nb += 1\nu = two(b)\nprint(u)"
STILL_USED |= {
    f"given back by two methods, then {what!r}": WRAPPED.format(what, u="u")
    for what in ("print(u - t)", "kept.append(t)", "w.last = t", "kept[:] = [t]", "v = t[1:]; t = u")
}
STILL_USED |= {
    f"passed to a function: {change[0]!r} for {change[1]!r}": POLICY.replace(*change)
    for change in (
        ("x.float().mean() * by", "x"),
        ("x.float().mean() * by", "x.detach()"),
        ("x.float().mean() * by", "torch.as_tensor(x)"),
        ("x.float().mean() * by", "scaled(x[1:], by) if by is None else x.mean()"),
        ("y = scaled", "kept.append(lambda: x)\n    y = scaled"),
        ("y = scaled", "env.step()\n    y = scaled"),
        ("y = scaled", "locals()\n    y = scaled"),
        ("@torch.no_grad()", "@__import__('functools').lru_cache"),
    )
}


@pytest.mark.parametrize("what", BOUND_AGAIN)
def test_a_result_whose_name_is_bound_again_is_no_alias(tmp_path, what):
    assert "alias-written" not in codes(recorded(tmp_path, f"{START}{ENV}{BOUND_AGAIN[what]}\n"))


GARBAGE = {
    "a function that calls itself": (
        "def first():\n    t = torch.from_numpy(b)\n"
        "    def walk(i):\n        return float(t[i]) + (walk(i - 1) if i else 0)\n    return walk(2)\n"
    ),
    "a cycle": (OF_ITSELF + "def first():\n    return Step(torch.from_numpy(b)).t.sum()\n"),
}


WRITTEN_BETWEEN = "for k in range(4):\n    b += 1\n    first()\n    b += 1\n    print(torch.as_tensor(b).sum())\n"


@pytest.mark.parametrize("what", GARBAGE)
def test_a_result_that_only_garbage_holds_is_no_alias(tmp_path, what):
    assert "alias-written" not in codes(recorded(tmp_path, START + ENV + GARBAGE[what] + WRITTEN_BETWEEN))


@pytest.mark.parametrize("what", GARBAGE)
def test_a_result_whose_garbage_is_collected_meanwhile_is_no_alias(tmp_path, monkeypatch, what):
    collecting = SimpleNamespace(get_objects=lambda: (gc.collect(), gc.get_objects())[1])
    monkeypatch.setattr("tensorbridge_cli.tracing.inside.history.gc", collecting)
    assert "alias-written" not in codes(recorded(tmp_path, START + ENV + GARBAGE[what] + WRITTEN_BETWEEN))


@pytest.mark.parametrize("what", USED_BEFORE)
def test_a_result_that_is_used_only_before_a_write_is_no_alias(tmp_path, what):
    assert "alias-written" not in codes(recorded(tmp_path, f"{START}{ENV}{USED_BEFORE[what]}\n"))


@pytest.mark.parametrize("what", STILL_USED)
def test_a_result_that_is_used_after_its_memory_was_written_is_an_alias(tmp_path, what):
    assert "alias-written" in codes(recorded(tmp_path, f"{START}{ENV}{STILL_USED[what]}\n"))


@pytest.mark.parametrize(("use", "expected"), [("print(old, new)", True), ("print(new)", False)])
def test_a_function_of_another_file_that_is_called_before_a_write_and_after(tmp_path, use, expected):
    script(tmp_path, "def get(n):\n    return n.weight.detach().numpy()\n", "taken.py")
    text = (
        "from taken import get\ndef run():\n    n = torch.nn.Linear(3, 1)\n    old = get(n)\n    n.weight.data += 1\n"
    )
    found = recorded(tmp_path, f"{START}{text}    new = get(n)\n    {use}\nrun()\n")
    assert ("alias-written" in codes(found)) == expected


def test_results_of_two_lines_of_which_the_first_is_used_no_more_are_not_stored(tmp_path):
    text = "def get():\n    return torch.from_numpy(b)\nx = get()\nprint(x)\nb += 1\ny = get()\n{}print(y)\n"
    assert codes(recorded(tmp_path, START + ENV + text.format(""))) == set()
    assert codes(recorded(tmp_path, START + ENV + text.format("kept.append(x)\n"))) == {"buffer-stored-twice"}


LOADER = (
    "def load(k):\n    for i in range(k):\n        b[:] = i + k\n        yield torch.from_numpy(b)\nseen = []\n"
    "def run():\n    for epoch in range(3):\n        for x in load(3): seen.append(x.sum())\n        "
)
LOADED = {
    "two loops": (LOADER + "for y in load(2): seen.append(y.sum())\nrun()", set()),
    "a loop and a comprehension": (LOADER + "seen.extend(y.sum() for y in load(2))\nrun()", set()),
    "a loop and its next item": (LOADER + "y = next(load(1))\n        seen.append(y.sum())\nrun()", set()),
    "at module level": (LOADER.replace("def run():", "if True:") + "for y in load(2): seen.append(y.sum())", set()),
    "one that is fixed": (
        LOADER.replace("run():", "run():\n    y = next(load(1))") + "seen.append(y.sum())\nrun()",
        {"buffer-stored-twice"},
    ),
    "names of three lines": (
        LOADER + "pass\nx = next(load(1))\ny = next(load(2))\nz = next(load(3))\nprint(x, y, z)",
        {"buffer-stored-twice"},
    ),
}


@pytest.mark.parametrize("what", LOADED)
def test_the_names_of_two_loops_over_one_loader_store_nothing(tmp_path, what):
    text, expected = LOADED[what]
    assert codes(recorded(tmp_path, f"{START}b = np.zeros(3)\n{text}\n")) == expected


@pytest.mark.parametrize(
    ("between", "more", "expected"),
    [
        ("w[0] *= 0.5", "", set()),
        ("for x in w:\n    x *= 0.5", "", set()),
        ("w[0] *= 0.5", "v[0] *= 0.5\nu = get()\nprint(u[0])", set()),
        ("for x in w:\n    x *= 0.5", "print(w[0])", {"buffer-stored-twice"}),
        ("for x in w:\n    kept += [x]\n    x *= 0.5", "print(kept)", {"buffer-stored-twice"}),
        ("w[0] *= 0.5", "v[0] *= 0.5\nu = get()\nprint(u[0], v[0])", {"buffer-stored-twice"}),
    ],
)
def test_results_that_are_written_through_are_not_stored(tmp_path, between, more, expected):
    text = "n = torch.nn.Linear(3, 1)\ndef get():\n    return [p.detach().numpy() for p in n.parameters()]\nw = get()\n"
    found = recorded(tmp_path, f"{START}kept = []\n{text}{between}\nv = get()\nprint(v[0])\n{more}\n")
    assert codes(found) == expected


WEIGHTS = (
    "n = torch.nn.Linear(3, 1)\nlive = n.state_dict()\ndef train():\n    for p in n.parameters():\n"
    "        p.data.mul_(2)\nold, new = {}, {}\n"
)
COLLECTED = {
    "a list": (
        "old = [v.cpu() for v in n.state_dict().values()]\ntrain()\nnew = [v.cpu() for v in n.state_dict().values()]"
    ),
    "a dict": (
        "old = {k: v.float() for k, v in n.state_dict().items()}\ntrain()\n"
        "new = {k: v.float() for k, v in n.state_dict().items()}"
    ),
    "a list of a generator": (
        "old = list(v.contiguous() for v in n.state_dict().values())\ntrain()\n"
        "new = list(v.contiguous() for v in n.state_dict().values())"
    ),
    "a loop": (
        "for k, v in n.state_dict().items():\n    old[k] = v.cpu()\ntrain()\n"
        "for k, v in n.state_dict().items():\n    new[k] = v.cpu()\nprint(new[k] - old[k])"
    ),
    "a function": (
        "def take():\n    return {k: v.cpu() for k, v in n.state_dict().items()}\nold = take()\ntrain()\nnew = take()"
    ),
}
COLLECTED |= {
    f"{what} of views": COLLECTED[what].replace("n.state_dict().", "dict(n.named_parameters()).").replace(of, view)
    for what, of, view in (
        ("a list", "v.cpu()", "v.detach().reshape(-1)"),
        ("a dict", "v.float()", "v.detach().reshape(-1)"),
        ("a function", "v.cpu()", "v.data.reshape(1, -1)"),
    )
}
COLLECTED["a global list"] = (
    "def start():\n    global old\n    old = [v.cpu() for v in n.state_dict().values()]\nstart()\ntrain()\n"
    "new = [v.cpu() for v in n.state_dict().values()]"
)
COLLECTED["a name"] = "old = n.weight.detach().reshape(-1)\ntrain()\nnew = n.weight.detach().reshape(-1)"
NOT_COLLECTED = {
    "a copy of each": COLLECTED["a dict"].replace("v.float()", "v.float().clone()"),
    "a copy of all": COLLECTED["a list"].replace("[v.cpu()", "torch.cat([v.cpu().view(-1)").replace("()]", "()])"),
    "numbers": COLLECTED["a list"].replace("v.cpu()", "v.cpu().sum()"),
    "numbers of what is kept elsewhere": COLLECTED["a list"]
    .replace("v.cpu()", "v.cpu().sum()")
    .replace("n.state_dict()", "live", 1),
    "numbers of views": COLLECTED["a list of views"].replace("reshape(-1)", "reshape(-1).sum()"),
    "copies of views": COLLECTED["a function of views"].replace("reshape(1, -1)", "reshape(1, -1).clone()"),
    "a view that is written": COLLECTED["a name"].replace("train()", "old.mul_(2)"),
    "views that are written": COLLECTED["a list of views"].replace("train()", "for v in old: v += 1"),
    "views of a function that are written": COLLECTED["a function of views"].replace("train()", "old['bias'][:] = 1"),
    "a view that is asked for its shape": COLLECTED["a name"] + "\nold = len(old), old.shape, old.numel()",
    "a number of a view": COLLECTED["a name"].replace("reshape(-1)", "reshape(-1).sum()"),
    "a list within a function": (
        "def size():\n    those = [v.cpu() for v in live.values()]\n    return sum(v.sum() for v in those)\n"
        "old = size()\ntrain()\nnew = [p.detach().cpu().sum() for p in n.parameters()]"
    ),
}


@pytest.mark.parametrize("what", COLLECTED)
def test_weights_that_are_collected_and_used_after_training_are_an_alias(tmp_path, what):
    assert "alias-written" in codes(recorded(tmp_path, f"{START}{WEIGHTS}{COLLECTED[what]}\nprint(old, new)\n"))
    assert "alias-written" not in codes(
        recorded(tmp_path, f"{START}{WEIGHTS}{COLLECTED[what]}\nprint(new)\n".replace("new[k] - old[k]", "new[k]"))
    )


@pytest.mark.parametrize("what", NOT_COLLECTED)
def test_weights_of_which_something_new_is_made_are_no_alias(tmp_path, what):
    assert codes(recorded(tmp_path, f"{START}{WEIGHTS}{NOT_COLLECTED[what]}\nprint(old, new)\n")) == set()


@pytest.mark.parametrize(("use", "expected"), [("print(t.sum())", set()), ("u = t", {"alias-written"})])
def test_without_columns_the_one_call_in_a_line_is_read(tmp_path, use, expected):
    """Python 3.10 has none, nor have newer ones with this variable."""
    text = f"b = np.zeros(3)\nt = torch.from_numpy(b)\n{use}\nb += 1\nt = torch.from_numpy(b)\nprint(t.sum())\n"
    found = traced_cold(tmp_path, START + text, PYTHONNODEBUGRANGES="1")
    assert {site["column"] for site in found["sites"] if site["own"]} == {None}
    assert codes(found) == expected


DRAWN = "def draw(x):\n    x[0] = 9\nt = torch.arange(3.0)\nprint(t)\na = t.numpy()\ndraw(a)\nu = torch.from_numpy(a)\n"
ALL_THAT_IS_USED = {
    "the array": DRAWN + "print(u, a)",
    "of blank memory": DRAWN.replace("arange(3.0)", "zeros(3)") + "print(u, a)",
    "a view of it": DRAWN.replace("from_numpy(a)", "from_numpy(a[:2])") + "print(u, a)",
}
MORE_IS_USED = {
    "the tensor": DRAWN + "print(u, t)",
    "the tensor of blank memory, compared": DRAWN.replace("arange(3.0)", "zeros(3)") + "print(u - t)",
    "the tensor, in a function": "def show():\n    print(t)\n" + DRAWN + "print(u, a)\nshow()",
    "another name of the tensor": DRAWN.replace("print(t)\n", "kept = t\n") + "print(u, kept)",
    "what the tensor is of": DRAWN.replace("t = ", "kept = ").replace("print(t)", "t = kept[:]") + "print(u, kept)",
}


@pytest.mark.parametrize("what", ALL_THAT_IS_USED)
def test_an_array_of_a_tensor_that_is_used_no_more_is_no_alias(tmp_path, what):
    assert "alias-written" not in codes(recorded(tmp_path, START + ALL_THAT_IS_USED[what]))


@pytest.mark.parametrize("what", MORE_IS_USED)
def test_an_array_of_a_tensor_that_is_used_is_an_alias(tmp_path, what):
    assert "alias-written" in codes(recorded(tmp_path, START + MORE_IS_USED[what]))
