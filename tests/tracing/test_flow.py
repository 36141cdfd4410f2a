"""Whether a name is used after a write: in branches, in loops, and in what leaves them."""

import ast

import pytest

from tests.tracing.test_aliases import ENV
from tests.tracing.tools import START, codes, recorded

LOOP = "for k in range(6):\n    b[:] = k\n"
SKIPPED = """
for e in range(3):
    t = torch.from_numpy(env.reset())
    print(t)
    for k in range(4):
        s = env.step()
        if k % 2:
            {}
            {}
"""
RESET = """
t = torch.from_numpy(env.reset())
for k in range(9):
    {}s = env.step()
    {}if s[0] > 3:
        t = torch.from_numpy(env.reset())
        continue
    t = torch.from_numpy(s)
"""
LOGGED = """
class Log:
    def add(self, value):
        self.last = value
log = Log()
for e in range(3):
    t = torch.from_numpy(env.reset())
    for k in range(4):
        print(t)
        s = env.step()
        {}
        t = torch.from_numpy(s)
        log.add(k)
"""
STEPPED = """
class Moved(Env):
    def step(self, by):
        self.state += by
env = Moved()
t = torch.from_numpy(env.state)
for k in range(4):
    env.step({})
    {}
    t = torch.from_numpy(env.state)
"""
RIGHT = {
    "before what does not write": LOGGED.format("pass"),
    "the call that writes is passed what is made of it": STEPPED.format("float(t.sum()) + 1", "pass"),
    "both branches bind it": (
        f"{LOOP}    if k % 2:\n        t = torch.from_numpy(b)\n    else:\n        t = torch.from_numpy(b)\n"
        "    print(t)"
    ),
    "each case binds it": (
        f"{LOOP}    match k % 2:\n        case 0:\n            t = torch.from_numpy(b)\n"
        "        case _:\n            t = torch.from_numpy(b)\n    print(t)"
    ),
    "a branch binds it, which is run once more to use it": (
        f"{LOOP}    if k % 2:\n        t = torch.from_numpy(b)\n    if k % 2:\n        print(t)\n    b[:] = -k\n"
        "    t = torch.from_numpy(b)"
    ),
    "a branch binds it, in which it is used": SKIPPED.format("t = torch.from_numpy(s)", "print(t)"),
    "the next pass": RESET.format("print(t)\n    ", ""),
    "the value that is written is made of it": (
        "t = torch.from_numpy(b)\nb[:] = float(t.sum()) + 1\nt = torch.from_numpy(b)\nb += t.sum().item()\n"
        "t = torch.from_numpy(b)"
    ),
    "a function of the program's that writes": (
        "def fill():\n    b[:] = b + 1\nt = torch.from_numpy(b)\nprint(t)\nfill()\nt = torch.from_numpy(b)\nprint(t)"
    ),
    "a function returns": (
        "def run(k):\n    t = torch.from_numpy(b)\n    if k == 0:\n        return print(t)\n    b[:] = k\n"
        "    t = torch.from_numpy(b)\n    print(t)\nrun(0), run(1)"
    ),
    "errors of a group are handled, or not": (
        f"{LOOP}    t = torch.from_numpy(b)\n    b[:] = -k\n    try:\n        t = torch.from_numpy(b)\n"
        "    except* ValueError:\n        raise\n    print(t)"
    ),
    "a pass that is left out": (
        f"{LOOP}    try:\n        t = torch.from_numpy(b)\n    except ValueError:\n        continue\n    print(t)\n"
        "    b[:] = -k\n    t = torch.from_numpy(b)\n    print(t)"
    ),
}
WRONG = {
    "before what does not write, and after what does": LOGGED.format("log.add(float(t.sum()))"),
    "after a call that writes": STEPPED.format("1", "print(t)"),
    "a pass that does not bind it": (
        f"{LOOP}    if k % 2 == 0:\n        t = torch.from_numpy(b)\n    print(t)\n    b[:] = -k\n    if k > 4:\n"
        "        t = torch.from_numpy(b)"
    ),
    "a case that does not bind it": (
        f"{LOOP}    match k % 2:\n        case 0:\n            t = torch.from_numpy(b)\n"
        "        case 1:\n            u = torch.from_numpy(b)\n    print(t)"
    ),
    "the pass before": SKIPPED.format("print(t)", "t = torch.from_numpy(s)"),
    "the same pass": RESET.format("", "print(t)\n    "),
    "after a loop that is left": (
        "while True:\n    t = torch.from_numpy(b)\n    b += 1\n    if b[0] > 3:\n        break\n"
        "print(t)\nt = torch.from_numpy(b)"
    ),
    "where an error is handled": (
        f"{LOOP}    try:\n        t = torch.from_numpy(b)\n        b[:] = -k\n        if k % 2: raise ValueError\n"
        "    except ValueError:\n        print(t)\n    t = torch.from_numpy(b)"
    ),
    "where errors of a group are handled": (
        f"{LOOP}    t = torch.from_numpy(b)\n    b[:] = -k\n    try:\n        if k % 2: raise ValueError\n"
        "        continue\n    except* ValueError:\n        print(t)\n    t = torch.from_numpy(b)"
    ),
    "at last": ("try:\n    t = torch.from_numpy(b)\n    b[:] = 7\nfinally:\n    print(t)\nt = torch.from_numpy(b)"),
    "after the write of a value that is made of it": (
        "t = torch.from_numpy(b)\nb[:] = float(t.sum()) + 1\nprint(t)\nt = torch.from_numpy(b)"
    ),
    "after a function of the program's that writes": (
        "def fill():\n    b[:] = b + 1\nt = torch.from_numpy(b)\nfill()\nprint(t)\nt = torch.from_numpy(b)"
    ),
}

if not hasattr(ast, "TryStar"):
    RIGHT, WRONG = ({what: text for what, text in each.items() if "except*" not in text} for each in (RIGHT, WRONG))


@pytest.mark.parametrize("what", RIGHT)
def test_a_name_that_is_used_before_each_write(tmp_path, what):
    assert "alias-written" not in codes(recorded(tmp_path, f"{START}{ENV}{RIGHT[what]}\n"))


@pytest.mark.parametrize("what", WRONG)
def test_a_name_that_is_used_after_a_write(tmp_path, what):
    assert "alias-written" in codes(recorded(tmp_path, f"{START}{ENV}{WRONG[what]}\n"))
