"""Whether a view is to show what comes, and is no snapshot: right programs that watch memory, and wrong ones."""

import pytest

from tests.tracing.tools import START, codes, recorded

SIMULATOR = """
class Simulator:
    def __init__(self):
        self.position = np.zeros(3)
        self.tensor = torch.from_numpy(self.position)
    def step(self):
        self.position += 1
        return torch.from_numpy(self.position).sum()
    def energy(self):
        return self.tensor.pow(2).sum()
simulator = Simulator()
for k in range(4):
    print(simulator.step(), simulator.energy())
"""
STAGE = """
stage = torch.empty(3)
view = stage.numpy()
for k in range(4):
    view[:] = k
    print(stage.numpy().sum())
    print(view.mean())
"""
TOTALS = """
totals = np.zeros(3)
live = torch.from_numpy(totals)
for k in range(4):
    totals += k
    now = torch.from_numpy(totals)
    print(now)
print(live)
"""
LIVE_VIEWS = {"an attribute": SIMULATOR, "an array of a tensor": STAGE, "a name": TOTALS}
LIVE_VIEWS["ones"] = TOTALS.replace("zeros", "ones")
NOT_LIVE = {
    "compared with a later one": TOTALS.replace("print(live)", "print(now - live)"),
    "shown beside a later one": "totals = np.zeros(3)\nlive = torch.from_numpy(totals)\ntotals += 1\n"
    "now = torch.from_numpy(totals)\nprint(live)\nprint(now)\n",
    "filled before": TOTALS.replace("live =", "totals[0] = 1\nlive ="),
    "of other memory": TOTALS.replace("np.zeros(3)", "np.arange(3.0)"),
    "made in a branch": TOTALS.replace("np.zeros(3)", "np.zeros(3)\nif len(totals) > 9:\n    totals = np.arange(3.0)"),
    "bound anew": TOTALS.replace("print(live)", "print(live)\nlive = None"),
}


FILLED = "totals = np.arange(3.0)\nlive = torch.from_numpy(totals)\n"
PASS = "for k in range(4):\n    totals += k\n    now = torch.from_numpy(totals)\n"
ON_SIGHT = """
class Monitor:
    def __init__(self, tensor):
        self.tensor = tensor
        self.log = []
    def look(self):
        self.log.append(self.tensor.mean().item())
monitor = Monitor(live)
"""
BY_NAME = """
arrays = {"a": np.arange(2.0), "b": np.arange(3.0)}
live = {k: torch.from_numpy(v) for k, v in arrays.items()}
def step():
    for v in arrays.values():
        v += 1
    return sum(torch.from_numpy(v).sum() for v in arrays.values())
for k in range(3):
    print(step())
    print(sum(t.sum().item() for t in live.values()))
"""
LIVE_VIEWS |= {
    "what a loop prints": FILLED + PASS + "    print(k, float(live.mean()), now.shape)",
    "what a loop prints beside facts of the later one": FILLED + PASS + "    print(live.mean())\n    print(now.shape)",
    "what a loop prints in a text": FILLED + PASS + "    print(f'{k}: {live.mean():.3f}')",
    "what a loop logs": FILLED + "rows = []\n" + PASS + "    rows.append(round(live.sum().item(), 3))",
    "what an object logs": FILLED + ON_SIGHT + PASS + "    monitor.look()",
    "an attribute of filled memory": SIMULATOR.replace("zeros(3)", "arange(3.0)"),
    "what a function prints": FILLED + "def look():\n    print(live.mean())\n" + PASS + "    look()",
    "a dictionary": BY_NAME,
}
NOT_LIVE |= {
    "printed once": FILLED + PASS + "print(live.mean())",
    "printed beside the later one": FILLED + PASS + "    print(live.mean())\n    print(now.mean())",
    "logged beside the later one": FILLED
    + "rows = []\nfor k in range(4):\n    totals += k\n    rows.append(live.mean().item())\n"
    + "    rows.append(torch.from_numpy(totals).mean().item())",
    "printed with the later one": FILLED + PASS + "    print(live.mean(), now.mean())",
    "subtracted": FILLED + PASS + "    print((now - live).mean())",
    "subtracted from another": FILLED + PASS + "    print((k - live).mean())",
    "put back": FILLED + PASS + "    totals[:] = live.numpy()",
    "kept": FILLED + "rows = []\n" + PASS + "    rows.append(live)",
    "bound in the loop": "for k in range(2):\n    totals = np.arange(3.0)\n    live = torch.from_numpy(totals)\n"
    "    totals += k\n    now = torch.from_numpy(totals)\n    print(live.mean())",
    "printed in another loop": FILLED + PASS + "for k in range(3):\n    print(live.mean())",
    "an object that looks once": FILLED + ON_SIGHT + PASS + "monitor.look()",
    "another variable of that name": FILLED
    + "def look(live):\n    print(live.mean())\n"
    + PASS
    + "    look(np.ones(3))\nprint(live)",
}


@pytest.mark.parametrize("how", LIVE_VIEWS)
def test_a_view_is_to_show_what_comes(tmp_path, how):
    assert "alias-written" not in codes(recorded(tmp_path, START + LIVE_VIEWS[how]))


@pytest.mark.parametrize("how", NOT_LIVE)
def test_a_view_that_may_be_to_show_what_was_is_an_alias(tmp_path, how):
    assert "alias-written" in codes(recorded(tmp_path, START + NOT_LIVE[how]))
