"""Whether an object that lives is held by garbage alone."""

import gc
import threading
from functools import partial

import pytest

from tensorbridge_cli.tracing.inside.garbage import MANY, garbage


class Held:
    """Stands for a tensor: the collector knows it."""


class Node:
    def __init__(self, held):
        self.held, self.me = held, self


class Slots:
    __slots__ = ("held", "me")

    def __init__(self, held):
        self.held, self.me = held, self


def _recursive(held):
    def walk(depth):
        return (walk(depth - 1), held) if depth else held

    walk(2)
    return walk


def _error(held):
    kept = []
    try:
        raise ValueError(held)
    except ValueError as error:
        kept.append(error)
    return kept


def _generator(held):
    def generate(here):
        yield here
        yield here

    running = generate(held)
    next(running)
    return running


def _dict(held):
    found = {"held": ([held], held)}
    found["me"] = found
    return found


IN_A_CYCLE = {"attribute": Node, "slot": Slots, "closure": _recursive, "traceback": _error, "dict": _dict}
IN_NONE = {
    "list": lambda held: [held],
    "nested": lambda held: {"a": [{"b": (held, held)}]},
    "set": lambda held: {held},
    "partial": lambda held: partial(print, held),
    "generator": _generator,
}


@pytest.fixture(autouse=True)
def _uncollected():
    gc.disable()
    yield
    gc.enable()
    gc.collect()


def _is_garbage():
    objects = [one for one in gc.get_objects() if type(one) is Held]
    return len(objects) == len(garbage(objects))


@pytest.mark.parametrize("what", IN_A_CYCLE)
def test_what_a_cycle_alone_holds_is_garbage(what):
    IN_A_CYCLE[what](Held())
    assert _is_garbage()


@pytest.mark.parametrize("what", IN_A_CYCLE | IN_NONE)
def test_what_a_name_of_a_running_function_leads_to_is_none(what):
    holder = (IN_A_CYCLE | IN_NONE)[what](Held())
    assert not _is_garbage()
    del holder


def test_what_a_module_leads_to_is_none():
    globals()["kept"] = Node(Held())
    try:
        assert not _is_garbage()
    finally:
        del globals()["kept"]


def test_what_another_thread_has_is_none():
    ready, done = threading.Event(), threading.Event()

    def run():
        node = Node(Held())
        ready.set()
        done.wait()
        del node

    thread = threading.Thread(target=run)
    thread.start()
    ready.wait()
    try:
        assert not _is_garbage()
    finally:
        done.set()
        thread.join()


def test_what_was_local_where_a_kept_error_was_raised_is_garbage():
    def fail(held):
        raise ValueError(id(held))

    errors = []
    try:
        fail(Held())
    except ValueError as error:
        errors.append(error)
    assert _is_garbage()


def test_what_too_many_objects_lead_to_is_taken_for_used():
    held = Held()
    nodes = [Node(held) for _ in range(MANY + 1)]
    del held, nodes
    assert not _is_garbage()
