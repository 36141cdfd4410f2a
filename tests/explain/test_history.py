from tensorbridge_cli.explain.history import Event, Pair, VersionHistory, recorded, release

TORCH_WENT = Event(
    name="np.asarray",
    since=1,
    kind="worse",
    direction="torch-to-numpy",
    change="shared → refused (TypeError)",
    sources="layout reversed",
)
HISTORY = VersionHistory(
    pairs=(
        Pair(python="3.9.18", numpy="1.26.4", torch="2.1.2"),
        Pair(python="3.12.1", numpy="1.26.4", torch="2.8.0"),
        Pair(python="3.13.0", numpy="2.5.5", torch="2.15.0"),
    ),
    events=(
        TORCH_WENT,
        Event(name="uint16", since=1, kind="new"),
        Event(
            name="np.asarray",
            since=2,
            kind="better",
            direction="torch-to-numpy",
            change="refused (TypeError) → shared",
            sources="layout reversed",
        ),
    ),
)


def test_the_changes_of_a_name_come_with_the_versions_that_changed():
    assert list(HISTORY.of("np.asarray")) == [
        ("torch 2.1.2 → 2.8.0", ["shared → refused (TypeError) (torch→numpy: layout reversed)"]),
        (
            "torch 2.8.0 → 2.15.0, numpy 1.26.4 → 2.5.5",
            ["refused (TypeError) → shared (torch→numpy: layout reversed)"],
        ),
    ]
    assert list(HISTORY.of("uint16")) == [("torch 2.1.2 → 2.8.0", ["new"])]
    assert list(HISTORY.of("torch.tensor")) == []


def test_a_recorded_version_has_neighbours():
    assert HISTORY.neighbours("2.8.1+cu128") == {
        "from older": "torch 2.1.2 → 2.8.0: 1 worse, 1 new",
        "to newer": "torch 2.8.0 → 2.15.0, numpy 1.26.4 → 2.5.5: 1 better",
    }
    assert set(HISTORY.neighbours("2.1.0")) == {"to newer"}
    assert set(HISTORY.neighbours("2.15.0")) == {"from older"}


def test_another_version_lies_between_two_or_outside():
    assert HISTORY.neighbours("2.13.0a0+git1234") == {"between": "torch 2.8.0 → 2.15.0, numpy 1.26.4 → 2.5.5: 1 better"}
    assert HISTORY.neighbours("1.13.1") == HISTORY.neighbours("2.16.0") == {}


def test_a_release_is_its_numbers():
    assert [release(text) for text in ("2.13.0+cpu", "2.9.0a0", "2.10")] == [(2, 13, 0), (2, 9), (2, 10)]


def test_the_recorded_history_is_in_order():
    history = recorded()
    assert list(history.pairs) == sorted(history.pairs, key=lambda pair: pair.order)
    assert [event.since for event in history.events] == sorted(event.since for event in history.events)
