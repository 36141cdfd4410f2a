"""Run scripts, each in a fork of an interpreter that has imported numpy and torch and done nothing else.

Reads one script a line, as JSON; writes its exit code and what it said, as JSON.
"""

import json
import os
import signal
import sys
import tempfile
import traceback

import numpy  # noqa: F401
import torch
import torch._subclasses.fake_tensor

torch.set_num_threads(1)
try:
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
except ImportError:
    pass


def _run(script):
    with tempfile.TemporaryFile() as said:
        child = os.fork()
        if child == 0:
            os.dup2(said.fileno(), 1)
            os.dup2(said.fileno(), 2)
            signal.alarm(20)
            code = 0
            try:
                exec(compile(script, "script.py", "exec"), {"__name__": "__main__"})
            except BaseException:
                traceback.print_exc()
                code = 1
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
        ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        said.seek(0)
        return ended, said.read().decode(errors="replace")[-1000:]


for line in sys.stdin:
    print(json.dumps(_run(json.loads(line))), flush=True)
