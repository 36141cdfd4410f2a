"""How much memory may still be taken, by the machine and by control groups of both versions."""

import sys

import pytest

from tensorbridge_cli.memory.available import available

GB = 1 << 30
V2 = "31 23 0:28 {root} /sys/fs/cgroup rw,relatime - cgroup2 cgroup2 rw,nsdelegate"
V1 = "35 31 0:32 {root} /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
V1 += "36 31 0:33 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu"


@pytest.fixture
def machine(tmp_path):
    """Make a machine with 8 GB available, and the files of its control groups."""

    def make(groups, mounts, files):
        (tmp_path / "proc/self").mkdir(parents=True)
        (tmp_path / "proc/meminfo").write_text(f"MemTotal: 99 kB\nMemAvailable: {8 * GB // 1024} kB\n")
        (tmp_path / "proc/self/cgroup").write_text(groups)
        (tmp_path / "proc/self/mountinfo").write_text(f"22 1 8:1 / / rw - ext4 /dev/sda rw\n{mounts}\n")
        for name, text in files.items():
            path = tmp_path / "sys/fs/cgroup" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(str(text))
        return tmp_path

    return make


def v2(folder, limit, usage, cache=0):
    return {
        f"{folder}memory.max": limit,
        f"{folder}memory.current": usage,
        f"{folder}memory.stat": f"anon 5\ninactive_file {cache}\n",
    }


def v1(folder, limit, usage, cache=0):
    return {
        f"{folder}memory.limit_in_bytes": limit,
        f"{folder}memory.usage_in_bytes": usage,
        f"{folder}memory.stat": f"inactive_file 1\ntotal_inactive_file {cache}\n",
    }


@pytest.mark.parametrize(
    ("groups", "mounts", "files", "expected"),
    [
        ("0::/\n", V2.format(root="/"), {}, 8 * GB),
        ("0::/\n", V2.format(root="/"), v2("", "max", 5), 8 * GB),
        ("0::/a/b\n", V2.format(root="/"), v2("a/b/", 2 * GB, GB), GB),
        ("0::/a/b\n", V2.format(root="/"), v2("a/b/", 2 * GB, GB, GB // 2), GB + GB // 2),
        ("0::/a/b\n", V2.format(root="/"), {**v2("a/b/", "max", GB), **v2("a/", 3 * GB, GB)}, 2 * GB),
        ("0::/a/b\n", V2.format(root="/"), v2("a/b/", GB, 2 * GB), 0),
        ("0::/docker/x\n", V2.format(root="/docker/x"), v2("", 2 * GB, GB), GB),
        ("4:memory:/a\n0::/\n", V1.format(root="/"), v1("memory/a/", 3 * GB, GB), 2 * GB),
        ("4:memory:/a\n0::/\n", V1.format(root="/"), v1("memory/a/", 3 * GB, 2 * GB, GB), 2 * GB),
        ("4:cpu,memory:/a/b\n", V1.format(root="/"), v1("memory/a/", 3 * GB, GB), 2 * GB),
        ("4:memory:/docker/x\n", V1.format(root="/docker/x"), v1("memory/", 3 * GB, GB), 2 * GB),
        ("4:memory:/a\n", V1.format(root="/"), v1("memory/a/", 9223372036854771712, GB), 8 * GB),
        ("4:cpu:/a\n", V1.format(root="/"), v1("memory/a/", GB, 0), 8 * GB),
    ],
)
def test_the_least_counts(machine, groups, mounts, files, expected):
    assert available(machine(groups, mounts, files)) == expected


def test_here():
    assert 0 < available() < 1 << 50


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere psutil is asked in any case")
def test_without_proc_psutil_is_asked(tmp_path):
    import psutil

    assert abs(available(tmp_path) - psutil.virtual_memory().available) < GB
