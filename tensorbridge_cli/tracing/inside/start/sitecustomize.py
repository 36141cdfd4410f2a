"""What Python runs before a traced program: it takes itself off the path, sets the hooks, and gives way.

The program then starts as it does without: Python itself runs it as ``__main__``.
"""

import importlib
import os
import sys

_here = os.path.dirname(os.path.abspath(__file__))
sys.path[:] = [_entry for _entry in sys.path if os.path.abspath(_entry or ".") != _here]
del sys.modules["sitecustomize"]

from tensorbridge_cli.tracing.inside import hooks  # noqa: E402 - after the path is as it was

hooks.begin(os.environ, _here)

# the user's own; where there is none, this fails as it does without this file, which Python expects and passes over
importlib.import_module("sitecustomize")
