"""What a program writes is the same with and without the tool, to the last byte: its globals are finalised."""

import hashlib

import pytest

from tests.tracing.tools import START, bare, calls, record, script, under
from tests.warm import FINALISED

CONVERT = "a = np.ones(3)\nt = torch.from_numpy(a)\n"
PROGRAMS = {  # every other one runs in the gate
    "a file that is not closed": """
f = open('out.txt', 'w')
f.write('hello\\n')
""",
    "a file in a global's attribute": """
class Log:
    def __init__(self):
        self.file = open('log.txt', 'w')
log = Log()
log.file.write('x' * 99)
""",
    "the order at the end": """
import atexit, weakref, sys
out = open('order.txt', 'a')
def say(text):
    out.write(text + ';')
    out.flush()
class Thing:
    pass
thing = Thing()
weakref.finalize(thing, say, 'finalize')
atexit.register(say, 'first')
atexit.register(lambda: (torch.tensor(a), say('second')))
""",
    "archives": """
import gzip, tarfile, zipfile, io
z = zipfile.ZipFile('a.zip', 'w')
z.writestr(zipfile.ZipInfo('one'), 'text')
g = gzip.GzipFile('b.gz', 'wb', mtime=0)
g.write(b'text' * 99)
""",
    "a conversion in __del__": """
class Model:
    def __init__(self):
        self.np, self.torch, self.open = np, torch, open
    def __del__(self):
        t = self.torch.from_numpy(self.np.ones(2))
        self.open('del.txt', 'a').write(str(float(t.sum())))
model = Model()
""",
    "__del__ of a global": """
class Model:
    def __del__(self):
        with_open('del.txt', 'a').write('gone\\n')
with_open = open
model = Model()
""",
    "temporary files": """
import tempfile, os
os.mkdir('scratch')
d = tempfile.TemporaryDirectory(dir='scratch')
n = tempfile.NamedTemporaryFile(dir='scratch')
n.write(b'x')
""",
    "a log": """
import logging
logging.basicConfig(filename='app.log', filemode='w', format='%(message)s', level=20)
logging.captureWarnings(True)
logging.info('began')
""",
    "threads": """
from concurrent.futures import ThreadPoolExecutor
pool = ThreadPoolExecutor(2)
log = open('pool.txt', 'w')
def work(n):
    return float(torch.from_numpy(np.full(3, n)).sum())
for done in pool.map(work, range(4)):
    print(done, file=log)
""",
    "a frozen global": """
from threading import Thread
f = open('t.txt', 'w')
t = Thread(target=lambda: f.write('thread'))
t.start()
""",
    "a module that is let go": """
import sys, types
open('mod.py', 'w').write('import numpy as np, torch\\nlog = open("mod.txt", "w")\\n'
    'log.write("held")\\nt = torch.from_numpy(np.ones(3))\\n')
sys.path.insert(0, '.')
import mod
del sys.modules['mod'], mod
print(repr(open('mod.txt').read()))
""",
}


def _written(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in ("trace.json", "program.py") and path.suffix != ".pyc"
    }


@pytest.mark.parametrize("what", PROGRAMS)
def test_a_program_writes_what_it_writes_without(tmp_path, what):
    text = START + CONVERT + PROGRAMS[what] + "t = torch.tensor(a)\n"
    alone, traced = tmp_path / "alone", tmp_path / "traced"
    alone.mkdir()
    traced.mkdir()
    first = bare(alone, script(alone, text), **{FINALISED: "1"})
    second = under(traced, script(traced, text), **{FINALISED: "1"})
    assert (first.returncode, second.returncode) == (0, 0), second.stderr
    assert first.stdout == second.stdout
    assert _written(alone) == _written(traced)
    assert calls(record(traced))[3, "torch.from_numpy"] == 1
