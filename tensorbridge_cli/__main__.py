"""``python -m tensorbridge_cli``, and the ``tensorbridge`` command."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import gc
import os
import sys

_ends_at_once = (
    (__name__ == "__main__" or sys.argv[0].endswith(("tensorbridge", "tensorbridge-cli")))
    and _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler  # in the background it is ignored
)
if _ends_at_once:
    # There is nothing yet to clean up, and a traceback out of an import helps nobody. The module behind ``signal``, as
    # that one imports ``enum`` first: 3 of 15 early Ctrl-C met that.
    _signal.signal(_signal.SIGINT, lambda number, frame: os._exit(130))

# ``python -m`` puts the current folder first: a user's rich.py or random.py there is none of ours. Where the package
# itself lies there, in a checkout, it is found behind everything else.
if sys.path and sys.path[0] == os.path.dirname(os.path.dirname(__file__)):
    sys.path.append(sys.path.pop(0))
elif __name__ == "__main__" and not getattr(sys.flags, "safe_path", False) and sys.path:
    del sys.path[0]

from contextlib import AbstractContextManager, nullcontext  # noqa: E402 - not from the current folder


def main() -> None:
    """Run the command line."""
    # a closed output is None, which nothing that writes expects
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115 - open to the end
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115 - open to the end
    # A command makes many objects and hardly any garbage: to look for it after each 700 objects takes a tenth of the
    # time of ``list``, and after each 50,000 a tenth of that of ``matrix --full``. Code of the user's, which may make
    # more, runs here with ``--isolation none``: so it is not switched off.
    gc.set_threshold(1_000_000, 20, 20)
    try:
        with _program() if sys.argv[1:2] == ["trace"] else nullcontext():
            from tensorbridge_cli.cli import app

            _end_in_order()
            app(prog_name="tensorbridge")
    except KeyboardInterrupt:
        sys.exit(130)


def _program() -> AbstractContextManager[None]:
    from tensorbridge_cli.tracing import early

    _end_in_order()  # as the program that is traced must be
    return early.begun(sys.argv[2:])


def _end_in_order() -> None:
    if _ends_at_once:
        _signal.signal(_signal.SIGINT, _signal.default_int_handler)


if __name__ == "__main__":
    main()
