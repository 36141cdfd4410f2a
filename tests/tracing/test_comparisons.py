"""Whether what is kept is compared with what its memory became, in a container or each time: wrong ones, right ones."""

import pytest

from tests.tracing.tools import START, codes, recorded, traced

WEIGHTS = """
net = torch.nn.Linear(3, 1)
def train():
    for p in net.parameters():
        p.data.mul_(2)
before, after = {}, {}
for n, p in net.named_parameters():
    before[n] = p.detach().numpy()
train()
"""
AFTER = "for n, p in net.named_parameters():\n    after[n] = p.detach().numpy()\n"
OBJECT = """
class Watch:
    def __init__(self):
        self.old, self.new = {}, {}
    def start(self):
        for n, p in net.named_parameters():
            self.old[n] = p.detach().numpy()
    def stop(self):
        for n, p in net.named_parameters():
            self.new[n] = p.detach().numpy()
        return [abs(self.new[n] - self.old[n]) for n in self.old]
watch = Watch()
watch.start()
train()
watch.stop()
"""
ITEM = "after['old'] = net.weight.detach().numpy()\ntrain()\nafter['new'] = net.weight.detach().numpy()\n"
COMPARED = {
    "two dicts": AFTER + "print({n: abs(after[n] - before[n]).max() for n in before})",
    "as equal": AFTER + "print(all((before[n] == after[n]).all() for n in before))",
    "passed to a function": AFTER + "for n in before:\n    print(np.allclose(before[n], after[n]))",
    "in pairs": AFTER + "for (n, a), b in zip(before.items(), after.values()):\n    print(a - b)",
    "one by one": AFTER + "for n, a in before.items():\n    print(a - after[n])",
    "with what is converted there": "for n, p in net.named_parameters():\n    print(p.detach().numpy() - before[n])",
    "with a name": "for n, p in net.named_parameters():\n    now = p.detach().numpy()\n    print(now - before[n])",
    "attributes": OBJECT,
    "items of one": "before['late'] = net.weight.detach().numpy()\nprint(before['late'] - before['weight'])",
    "constant keys": ITEM + "print(after['new'] - after['old'])",
    "transposed": ITEM.replace("numpy()", "numpy().T") + "print(after['new'] - after['old'])",
}
NOT_COMPARED = {
    "not read": AFTER + "print({n: v.mean() for n, v in after.items()})",
    "read for itself": AFTER + "print([v.mean() for v in before.values()])\nprint([v.mean() for v in after.values()])",
    "shapes": AFTER + "print([before[n].shape == after[n].shape for n in before], len(before) == len(after))",
    "keys": AFTER + "for n, v in before.items():\n    print(n, after[n].mean())",
    "memory": AFTER + "print([np.shares_memory(before[n], after[n]) for n in before], before['bias'] is after['bias'])",
    "asserted": AFTER + "for n in before:\n    assert (before[n] == after[n]).all()",
    "asserted by a function": AFTER + "for n in before:\n    np.testing.assert_array_equal(before[n], after[n])",
    "with a copy": AFTER.replace("numpy()", "numpy().copy()")
    + "train()\nprint([before[n] - after[n] for n in before])",
    "another item": ITEM + "after['one'] = 1\nprint(after['new'] - after['one'])",
}


@pytest.mark.parametrize("how", COMPARED)
def test_an_item_that_is_compared_with_what_came_of_it_is_an_alias(tmp_path, how):
    assert "alias-written" in codes(recorded(tmp_path, START + WEIGHTS + COMPARED[how]))


@pytest.mark.parametrize("how", COMPARED)
def test_a_copy_in_the_container_is_none(tmp_path, how):
    copied = (START + WEIGHTS + COMPARED[how]).replace("numpy()", "numpy().copy()")
    assert "alias-written" not in codes(recorded(tmp_path, copied))


@pytest.mark.parametrize("how", NOT_COMPARED)
def test_a_view_that_is_in_a_container_to_be_read_again_is_none(tmp_path, how):
    assert codes(recorded(tmp_path, START + WEIGHTS + NOT_COMPARED[how])) == set()


LOOP = WEIGHTS + "last = now = None\nfor k in range(4):\n"
NOW = "    train()\n    now = net.weight.detach().numpy()\n"
DIFFERENCE = "    if last is not None:\n        print(abs(now - last).max())\n"
MONITOR = """
class Monitor:
    last = None
    def step(self):
        now = net.weight.detach().numpy()
        is_still = self.last is not None and np.allclose(now, self.last)
        self.last = now
        return is_still
monitor = Monitor()
for k in range(4):
    train()
    monitor.step()
"""
BACKGROUND = """
class Motion:
    background = None
    def step(self):
        now = net.weight.detach().numpy()
        if self.background is None:
            self.background = now
        return abs(now - self.background).max()
motion = Motion()
for k in range(4):
    train()
    motion.step()
"""
LISTS = LOOP + (
    "    train()\n    now = [p.detach().numpy() for p in net.parameters()]\n"
    "    if last is not None:\n        print([abs(a - b).max() for a, b in zip(now, last)])\n    last = now"
)
STEP = (
    WEIGHTS
    + """
def step(k, last):
    now = net.weight.detach().numpy()
    if last is not None:
        print(abs(now - last).max())
    return now
last = None
for k in range(4):
    train()
    last = step(k, last)
"""
)
FUNCTION = (
    WEIGHTS
    + """
def get():
    return net.weight.detach().numpy()
last = None
for k in range(4):
    train()
    now = get()
"""
)
GENERATOR = (
    WEIGHTS
    + """
def steps():
    for k in range(4):
        train()
        yield net.weight.detach().numpy()
last = None
for now in steps():
"""
)
LAST = "    last = now\n"
ROWS = (
    WEIGHTS
    + """
def rows():
    train()
    return net.weight.detach().numpy()[0]
for k in range(4):
    last = None
    for now in rows():
        if last is not None:
            print(now - last)
        last = now
"""
)
IN_TURN = {
    "after it is kept": LOOP + NOW + DIFFERENCE + "    last = now",
    "before it is made": LOOP + "    last = now\n" + NOW + DIFFERENCE,
    "as both are bound": LOOP + "    train()\n    last, now = now, net.weight.detach().numpy()\n" + DIFFERENCE,
    "until there is no change": LOOP + NOW + "    if k and np.allclose(last, now):\n        break\n    last = now",
    "an attribute": WEIGHTS + MONITOR,
    "lists": LISTS,
    "with the first": LOOP + NOW + "    if last is None:\n        last = now\n" + DIFFERENCE,
    "bound anew after it": LOOP + NOW + DIFFERENCE + "    last = None\n    last = now",
    "bound anew at times": LOOP + "    if k == 2:\n        last = last.copy()\n" + NOW + DIFFERENCE + "    last = now",
    "with one in some": LOOP + NOW + "    if k % 2 == 0:\n        last = now\n    else:\n        print(now - last)",
    "with an attribute of the first": WEIGHTS + BACKGROUND,
    "passed to who makes the next": STEP,
    "given by a function": FUNCTION + DIFFERENCE + LAST,
    "given by a generator": GENERATOR + DIFFERENCE + LAST,
    "given and counted": GENERATOR.replace("now in steps()", "k, now in enumerate(steps())") + DIFFERENCE + LAST,
    "taken from a generator": GENERATOR.replace(
        "last = None\nfor now in steps()", "it = steps()\nlast = next(it)\nfor now in it"
    )
    + DIFFERENCE
    + LAST,
    "taken by next": GENERATOR.replace("for now in steps():", "it = steps()\nfor k in range(4):\n    now = next(it)")
    + DIFFERENCE
    + LAST,
    "a part of it": LOOP + NOW + DIFFERENCE.replace("now", "now[:, :2]") + "    last = now[:, 1:]",
    "passed by its name": STEP.replace("step(k, last)\n", "step(k, last=last)\n"),
}
NOT_IN_TURN = {
    "a copy": LOOP + NOW + DIFFERENCE + "    last = now.copy()",
    "a number": LOOP + NOW + "    total = now.sum()\n    if k:\n        print(total - last)\n    last = total",
    "its shape": LOOP + NOW + "    if k and last.shape != now.shape:\n        break\n    last = now",
    "itself": LOOP + NOW + "    last = now\n    print(last - now.mean())",
    "a copy of the first": LOOP + NOW + "    if last is None:\n        last = now.copy()\n" + DIFFERENCE,
    "itself, in a branch": LOOP + NOW + "    if k:\n        last = now\n        print(now - last.mean())",
    "passed another": STEP.replace("last = step(k, last)", "last = step(k, np.zeros((1, 3)))"),
    "passed a copy": STEP.replace("step(k, last)\n", "step(k, None if last is None else last.copy())\n"),
    "passed and bound anew": STEP.replace("    if last", "    last = np.ones((1, 3))\n    if last"),
    "bound anew to a copy": LOOP + "    last = last.copy() if k else None\n" + NOW + DIFFERENCE + "    last = now",
    "a copy of what a function gives": FUNCTION + DIFFERENCE + "    last = now.copy()",
    "a copy of what a generator gives": GENERATOR + DIFFERENCE + "    last = now * 1",
    "another that a function gives with it": FUNCTION.replace(
        "get():\n    return net.weight.detach().numpy()", "get():\n    return net.weight.detach().numpy(), k"
    )
    + "    if k:\n        print(now[1] - last[1])\n"
    + LAST,
    "rows": ROWS,
    "an item": LOOP + NOW + "    if k:\n        print(now[0, 0] - last)\n    last = now[0, 0]",
    "memory": LOOP + NOW + "    print(last is now, k and np.shares_memory(last, now))\n    last = now",
}


@pytest.mark.parametrize("how", IN_TURN)
def test_a_result_that_is_compared_with_the_one_before_is_reported(tmp_path, how):
    text = START + IN_TURN[how]
    assert codes(recorded(tmp_path, text)) in ({"alias-written"}, {"buffer-stored-twice"})  # where two are held
    assert codes(recorded(tmp_path, text.replace("numpy()", "numpy().copy()"))).isdisjoint(
        {"alias-written", "buffer-stored-twice"}
    )


@pytest.mark.parametrize("how", NOT_IN_TURN)
def test_one_that_is_not_compared_with_the_one_before_is_none(tmp_path, how):
    assert "alias-written" not in codes(recorded(tmp_path, START + NOT_IN_TURN[how]))


TWO_VIEWS = """
class Monitor:
    def __init__(self):
        self.live = net.weight.detach().numpy()
        self.first = net.weight.detach().numpy()
    def step(self):
        print(abs(self.live).max())
        print(abs(net.weight.detach().numpy() - self.first).max())
monitor = Monitor()
for k in range(4):
    train()
    monitor.step()
print(monitor.live)
"""


def test_of_several_aliases_the_one_that_is_compared_is_named(tmp_path):
    text = START + WEIGHTS + TWO_VIEWS
    line = next(n for n, one in enumerate(text.splitlines(), 1) if "self.first =" in one)
    (finding,) = recorded(tmp_path, text)["findings"]
    assert finding["code"] == "alias-written"
    assert f":{line}, whose result" in finding["detail"]


BEST = """
top = -float("inf")
net = torch.nn.Linear(3, 1)
least, best = float("inf"), None
for k in range(4):
    with torch.no_grad():
        net.weight.mul_(0.5)
    loss = net.weight.abs().sum()
    if loss < least:
        least = loss.item()
        best = net.weight.detach().numpy()
print(best)
"""
STOPPER = """
class Stopper:
    least = best = None
    def step(self, loss, net):
        if self.least is None or loss < self.least:
            self.least, self.best = loss, [p.detach().numpy() for p in net.parameters()]
"""
STOPPED = """
net = torch.nn.Linear(3, 1)
stopper = Stopper()
for k in range(4):
    with torch.no_grad():
        net.weight.mul_(0.5)
    stopper.step(float(net.weight.abs().sum()), net)
print(stopper.best[0])
"""
W = "net.weight.detach().numpy()"


def _record(begin, keep, shown):
    """Return a program whose best is begun, kept in the loop, and shown at the end, as these lines say."""
    text = "net = torch.nn.Linear(3, 1)\n{}\nfor k in range(4):\n    net.weight.data.mul_(0.5)\n"
    return f"{text}    loss = net.weight.abs().sum().item()\n    {{}}\nprint({{}})\n".format(begin, keep, shown)


NAMED = "best = {'loss': float('inf'), 'w': None}"
PAIR = "best = (float('inf'), None)"
WEIGHTS_OF = "\ndef weights(net):\n    return {n: p.detach().numpy() for n, p in net.named_parameters()}\n"
AT_BEST = {
    "a name": BEST,
    "the greatest": BEST.replace("loss < least", "-loss > top").replace("least = loss.item()", "top = float(-loss)"),
    "with other names": BEST.replace("best = net", "epoch, best = k, net"),
    "an item": BEST.replace("None", "{}").replace("best = net", "best['w'] = net"),
    "in a context": BEST.replace("best = net", "with torch.no_grad(): best = net"),
    "through a function": WEIGHTS_OF + BEST.replace("net.weight.detach().numpy()", "weights(net)"),
    "an attribute": STOPPER + STOPPED,
    "a dictionary": _record(NAMED, f"if loss < best['loss']: best = {{'loss': loss, 'w': {W}}}", "best['w']"),
    "one that is updated": _record(
        NAMED, f"if loss < best['loss']: best.update({{'loss': loss, 'w': {W}}})", "best['w']"
    ),
    "one updated by names": _record(NAMED, f"if loss < best['loss']: best.update(loss=loss, w={W})", "best"),
    "a tuple": _record(PAIR, f"if loss < best[0]: best = (loss, {W})", "best[1]"),
    "the least": _record(PAIR, f"best = min(best, (loss, {W}), key=lambda pair: pair[0])", "best[1]"),
}
NOT_AT_BEST = {
    "read there only": BEST.replace("print(best)", "print(least)"),
    "read there": BEST.replace("\nprint(best)", "\n        print(best)"),
    "bound again": BEST.replace("print(best)", "best = net.weight.sum()\nprint(best)"),
    "its shape": BEST.replace("print(best)", "print(best.shape)"),
    "now and then": BEST.replace("loss < least", "k % 2 == 0"),
    "where it changed": BEST.replace("loss < least", "loss != least"),
    "another item is read": _record(
        NAMED, f"if loss < best['loss']: best = {{'loss': loss, 'w': {W}}}", "best['loss']"
    ),
    "another is the least": _record(PAIR, f"best = min((0, None), (loss, {W}), key=lambda pair: pair[0])", "best[1]"),
    "later": BEST.replace("loss < least", "k > top").replace("least = loss.item()", "top = k + 0.5"),
}


@pytest.mark.parametrize("how", AT_BEST)
def test_what_is_kept_where_something_is_best_is_reported(tmp_path, how):
    text = START + AT_BEST[how]
    assert codes(recorded(tmp_path, text)) == {"alias-written"}
    assert "alias-written" not in codes(recorded(tmp_path, text.replace("numpy()", "numpy().copy()")))


@pytest.mark.parametrize("how", NOT_AT_BEST)
def test_what_is_kept_otherwise_may_be_to_show_what_comes(tmp_path, how):
    assert "alias-written" not in codes(recorded(tmp_path, START + NOT_AT_BEST[how]))


def test_the_best_may_be_kept_in_another_file(tmp_path):
    (tmp_path / "stopping.py").write_text(STOPPER)
    (tmp_path / "weights.py").write_text(WEIGHTS_OF)
    of_function = BEST.replace("net.weight.detach().numpy()", "weights(net)")
    for text in ("from stopping import Stopper\n" + STOPPED, "from weights import weights\n" + of_function):
        assert codes(traced(tmp_path, START + text)) == {"alias-written"}
