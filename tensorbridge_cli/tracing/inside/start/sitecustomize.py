"""What Python runs before a traced program: it takes itself off the path, sets the hooks, and gives way.

The program then starts as it does without: Python itself runs it as ``__main__``.
"""

import _signal  # type: ignore[import-not-found]
import importlib
import os
import sys

try:
    _signal.set_wakeup_fd(-1)  # as it is now
    _is_main = True
except ValueError:  # a sub-interpreter of a process that is traced already
    _is_main = False

# Ctrl-C before the program's first line ends it as it does without this file, and shows no line of this file's
_raises = _is_main and _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler
if _raises:
    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)

_here = os.path.dirname(os.path.abspath(__file__))
sys.path[:] = [_entry for _entry in sys.path if os.path.abspath(_entry or ".") != _here]
del sys.modules["sitecustomize"]

if _is_main:
    # the package beside this file, whatever is installed; its own modules are found through it when it is there
    sys.path.insert(0, os.path.abspath(os.path.join(_here, *[os.pardir] * 4)))
    import tensorbridge_cli  # noqa: F401

    del sys.path[0]

    from tensorbridge_cli.tracing.inside import hooks  # after the path is as it was

    hooks.begin(os.environ, _here)
if _raises:
    _signal.signal(_signal.SIGINT, _signal.default_int_handler)

# the user's own; if there is none, this fails as it does without this file, which Python expects and passes over
importlib.import_module("sitecustomize")
