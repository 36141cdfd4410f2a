"""A program gets all that it would be given without the tool, and does not begin where something is refused."""

import os
import subprocess
import sys
import threading

import pytest

from tensorbridge_cli.errors import RequestError
from tensorbridge_cli.tracing import launch
from tensorbridge_cli.tracing.launch import Program
from tests.cli.tools import COMMAND, environment, run, said
from tests.tracing.tools import START, calls, record, script, under_cold

BEGINS = "print('begun', flush=True)\n"


def shell(folder, command, **env):
    """Run ``command`` in bash, where ``$P`` is Python and ``$T`` the tool, which leaves a record."""
    trace = [*COMMAND, "trace", "--no-remedies", "-o", str(folder / "trace.json")]
    names = {"P": sys.executable, "T": " ".join(trace), **env}
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=environment(**names),
        capture_output=True,
        timeout=120,
        input=b"typed\n",
    )
    return done.stdout, done.stderr, done.returncode


@pytest.mark.parametrize(
    "command",
    [
        "$X -c 'import sys; print(open(sys.argv[1]).read())' <(echo hi)",
        "$X -c 'import os; print(os.read(7, 9))' 7<<<hi",
        "$X -c 'import os; print(os.read(3, 9), os.read(4, 9))' 3<<<hi 4<<<ho",
        "$X -c 'import os; os.write(9, b\"to nine\")' 9>&1",
        "$X -c 'import sys; print(sys.stdin); open(0)' <&-",
        "$X -c 'import sys; print(sys.stdin.read())' </dev/null",
        "$X -c 'import os; print(os.umask(0), os.getcwd(), os.isatty(0), os.getsid(0) != os.getpid())'",
        "umask 0137; $X -c 'import os; print(oct(os.umask(0)))'",
        "$X -c 'import os; print(sorted(os.listdir(\"/proc/self/fd\")))'",
        "PYTHONPATH= $X -c 'import os; print(os.environ[\"PYTHONPATH\"])'",
        "A=$'\\xff' $X -c 'import os; print(os.environb[b\"A\"], list(os.environ)[-3:])' && env | tail -1 | wc -l",
        "ulimit -n 64; $X -c 'import resource; print(resource.getrlimit(resource.RLIMIT_NOFILE))'",
        "trap '' TERM; $X -c 'import signal; print(signal.getsignal(15), signal.getsignal(13), signal.getsignal(2))'",
        "$X -c 'import sys; print(sys.argv[1:])' $'\\xff' '' -- -o",
        "echo 'import sys; print(sys.argv, __name__, sys.path[0])' | $X - a $'\\xfe'",
        "$X <(echo 'import sys; print(__file__, sys.argv, sys.path[0])')",
        "mkdir gone; cd gone; rmdir ../gone; $X -c 'import sys; print(sys.path[0])'",
        "echo 'print(__file__)' > $'caf\\xe9.py'; $X $'caf\\xe9.py'",
    ],
)
def test_what_a_program_is_given(tmp_path, command):
    alone = shell(tmp_path, command.replace("$X", "$P"))
    assert shell(tmp_path, command.replace("$X", "$T")) == alone
    assert record(tmp_path)["exit_code"] == alone[2]


def test_what_is_not_utf_8_is_escaped_in_the_record(tmp_path):
    text = START + "torch.tensor(np.ones(2))\n"
    (tmp_path / "lib").mkdir()
    with open(os.path.join(os.fsencode(tmp_path), b"caf\xe9.py"), "w") as file:
        file.write(text)
    assert shell(tmp_path, "$T $'caf\\xe9.py' $'\\xff'")[1:] == (b"", 0)
    found = record(tmp_path)
    assert (calls(found), found["command"]) == ({(2, "torch.tensor"): 1}, ["caf\\udce9.py", "\\udcff"])


def test_a_program_on_standard_input_converts(tmp_path):
    assert shell(tmp_path, f"printf '{START}torch.tensor(np.ones(2))' | $T -")[1:] == (b"", 0)
    assert calls(record(tmp_path)) == {(2, "torch.tensor"): 1}


# refused before the program's first line ---------------------------------------------------------


def _pipe(path):
    os.mkfifo(path)


CONFIGURATIONS = {
    "broken": lambda path: path.write_text("[tool.tensorbridge\n"),
    "broken elsewhere": lambda path: path.write_text("[tool.black]\nline-length = = 3\n"),
    "broken behind a byte order mark": lambda path: path.write_bytes(b"\xef\xbb\xbf[tool.tensorbridge\n"),
    "Latin-1": lambda path: path.write_bytes(b"# caf\xe9\n[tool.black]\n"),
    "UTF-16": lambda path: path.write_text("[tool.black]\n", encoding="utf-16"),
    "a NUL": lambda path: path.write_bytes(b"[tool.black]\nx = '\0'\n"),
    "a named pipe": _pipe,
    "a folder": lambda path: path.mkdir(),
    "unknown option": lambda path: path.write_text("[tool.tensorbridge]\nnothing = 3\n"),
    "wrong kind": lambda path: path.write_text("[tool.tensorbridge.trace]\ndepth = 'x'\n"),
    "no table": lambda path: path.write_text("tool = 3\n[x]\ntensorbridge = 1\n"),
    "nested": lambda path: path.write_text("x = " + "[" * 5000),
}


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_a_configuration_that_cannot_be_read(tmp_path, name):
    CONFIGURATIONS[name](tmp_path / "pyproject.toml")
    program = script(tmp_path, BEGINS)
    assert said(run("trace", program, cwd=tmp_path), 2)
    assert run("trace", "--no-config", program, cwd=tmp_path).stdout == "begun\n"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_configuration_that_may_not_be_read(tmp_path):
    (tmp_path / "pyproject.toml").touch(0)
    assert "Permission" in said(run("trace", script(tmp_path, BEGINS), cwd=tmp_path), 2)


def test_a_configuration_of_other_tools_is_none(tmp_path):
    (tmp_path / "pyproject.toml").write_text("[tool.black]\nline-length = 3\n")
    assert run("trace", script(tmp_path, BEGINS), cwd=tmp_path).stdout == "begun\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--depth", "x"],
        ["--sort", "x"],
        ["--format", "x"],
        ["--color", "x"],
        ["--include", "none"],
        ["--omit", "none"],
        ["--ignore", "none"],
        ["--select", "none"],
        ["--fail-on", "finding=x"],
        ["-o", "none/trace.json"],
        ["-o", "."],
        ["-o", "/proc/trace.json"],
        ["-o", "trace.unknown"],
        ["--unknown"],
    ],
)
@pytest.mark.parametrize("switch", [[], ["--no-remedies"]])
def test_an_option_that_is_wrong(tmp_path, arguments, switch):
    done = run("trace", *switch, *arguments, script(tmp_path, BEGINS), cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["python", "train.py", "--lr", "1"],
            "omit 'python', Python is started for you: tensorbridge trace train.py --lr 1",
        ),
        (["python3", "-m", "pack"], "tensorbridge trace -m pack"),
        (["python3.11", "-c", "print(1)"], "tensorbridge trace -c 'print(1)'"),
        ([sys.executable, "train.py"], "tensorbridge trace train.py"),
        (["python", "-u", "train.py"], "python -u -m tensorbridge_cli trace train.py"),
        (["python"], "tensorbridge trace PROGRAM"),
        (["bash", "train.sh"], "'bash' is a command, not a file here"),
        (["none.py"], "file 'none.py' does not exist"),
    ],
)
def test_a_command_is_no_program(tmp_path, arguments, sentence):
    assert sentence in said(run("trace", *arguments, cwd=tmp_path), 2)


def test_a_script_that_is_called_python_runs(tmp_path):
    assert run("trace", script(tmp_path, BEGINS, "python"), cwd=tmp_path).stdout == "begun\n"
    with pytest.raises(RequestError):
        Program((os.path.join(tmp_path, "python3"),)).check()


def test_text_that_a_line_of_code_executes_is_another_text(tmp_path):
    code = "import numpy as np\na = np.array([1])\nexec('x = 1\\nt = np.copy(a)')"
    assert under_cold(tmp_path, "-c", code).returncode == 0
    sites = {site["conversion"]: site for site in record(tmp_path)["sites"]}
    assert {name: (site["own"], site["source_line"]) for name, site in sites.items()} == {
        "np.array": (True, "a = np.array([1])"),
        "np.copy": (True, None),
    }


def test_a_line_of_code_may_end_its_lines_as_python_lets_it(tmp_path):
    code = "import numpy as np\ra = np.array([1])\r\nt = np.copy(a)\r"
    assert under_cold(tmp_path, "-c", code).returncode == 0
    assert {(site["conversion"], site["line"], site["source_line"]) for site in record(tmp_path)["sites"]} == {
        ("np.array", 2, "a = np.array([1])"),
        ("np.copy", 3, "t = np.copy(a)"),
    }


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="has no named pipes")
def test_a_program_that_comes_through_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "program")
    writer = threading.Thread(target=(tmp_path / "program").write_text, args=("import numpy as np\nnp.array([1])\n",))
    writer.start()  # torch itself reads the text of who imports it, and waits for the pipe: without the tool, too
    assert under_cold(tmp_path, "program").returncode == 0
    writer.join()
    (site,) = record(tmp_path)["sites"]
    assert (site["line"], site["source_line"]) == (2, None)


@pytest.mark.parametrize(
    ("typed", "options"),
    [
        ("tensorbridge trace -u", ""),
        ("-u -m tensorbridge_cli trace -O", "-u"),
        ("-um tensorbridge_cli", "-u"),
        ("-X dev -Werror -W ignore -OO trace.py", "-X dev -Werror -W ignore -OO"),
        ("-uX faulthandler --check-hash-based-pycs never -c pass", "-uX faulthandler --check-hash-based-pycs never"),
        ("- -u", ""),
    ],
)
def test_the_program_has_the_options_that_were_typed(monkeypatch, typed, options):
    monkeypatch.setattr(sys, "orig_argv", ["python3", *typed.split()])
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    assert launch._typed_options() == options.split()
