"""The call of a site in the text of its program."""

from benchmarks import instructions
from tensorbridge_cli.tracing.report.source import call_of, is_own, line_of, makes_its_source, written_here
from tests.tracing.tools import START, site_of


def test_a_line_of_a_longer_file_takes_no_more_work(tmp_path):
    def work(lines):
        path = tmp_path / f"{lines}.py"
        path.write_text(START + "def f(a):\n" + "    t = torch.tensor(a)\n" * lines)
        sites = [site_of(path, "torch.tensor", nth) for nth in range(lines)]
        asked = (call_of, written_here, line_of, is_own, makes_its_source)
        return instructions.counted(lambda: [ask(site) for site in sites for ask in asked]) / lines

    assert work(200) < 1.2 * work(50)
