"""The order of the tests, and which of them are slow: sweeps, many processes, browsers, notebooks, real programs."""

import collections
import functools
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tensorbridge_cli.catalog import registry
from tests.sweep import FULL

# a command whose output is not buffered has nothing to lose at its end: tests of closed outputs could not fail
os.environ.pop("PYTHONUNBUFFERED", None)

HERE = Path(__file__).parent
SLOW = (
    "catalog/test_conversions.py::test_every_entry_returns_an_object_to_compare",
    "catalog/test_messages.py",  # each message by its example
    "cli/test_check.py::test_the_whole_catalogue_and_no_breach_but_the_known_ones",  # the whole catalogue
    "cli/test_check.py::test_every_refusal_and_warning_of_the_catalogue_is_found_by_its_own_text",
    "cli/test_check.py::test_every_conversion_is_tried",
    "cli/test_check.py::test_what_was_written_where_is_said",
    "cli/test_check.py::test_what_you_expect_is_not_a_contract",
    "cli/test_check.py::test_what_was_broken_is_known_and_not_kept",
    "cli/test_check.py::test_one_that_is_not_met_shows_in_every_format",
    "cli/test_check.py::test_quiet_says_nothing_where_all_is_well",
    "cli/test_check.py::test_without_torch",
    "cli/test_code.py",
    "cli/test_completion.py::test_every_name_is_completed",
    "cli/test_demo.py",  # the tour at every width
    "cli/test_env.py",  # torch without NumPy, in each command
    "cli/test_environments.py",  # two environments, in each command
    "cli/test_inspect.py::test_what_torch_func_wraps_is_refused_in_a_sentence",  # as lab/test_in_process.py
    "cli/test_internal_errors.py::test_a_fault_in_the_command_line",  # a process each
    "cli/test_listing.py::test_it_is_folded_at_a_terminal_and_loses_nothing",  # every width
    "cli/test_matrix.py::test_a_reader_that_leaves_early_is_no_error",  # processes, in a shell
    "cli/test_matrix.py::test_full_is_every_dtype_in_every_layout_and_in_every_state_once",
    "cli/test_matrix.py::test_two_runs_find_the_same",
    "cli/test_numpy_alone.py",  # another environment, in each command
    "cli/test_options.py::test_what_bash_offers",
    "cli/test_plugins.py::test_a_broken_plugin_is_a_sentence_and_left_out",  # an environment
    "cli/test_plugins.py::test_a_module_that_cannot_be_imported_is_said_in_a_sentence",  # a time-out
    "cli/test_plugins.py::test_an_installed_plugin_is_loaded_by_every_command",  # is installed
    "cli/test_plugins.py::test_another_environment_need_not_have_them",  # an environment
    "cli/test_plugins.py::test_what_a_module_prints_is_in_no_output_and_its_mistakes_are_its_own",  # a process
    "cli/test_setup_code.py",  # a laboratory each
    "cli/test_show.py::test_no_sentence_of_ours_is_obeyed_by_a_terminal",  # every command's
    "cli/test_snapshot.py::test_another_isolation_finds_the_same",
    "cli/test_snapshot.py::test_two_runs_are_the_same",
    "cli/test_started.py",  # signals at every moment
    "cli/test_terminal.py",  # pipes that close, shells
    "cli/test_trace.py",
    "cli/test_want.py::test_the_answer_is_what_tsv_and_csv_print",
    "cli/test_want.py::test_the_best_code_comes_first",
    "cli/test_want.py::test_the_whole_list_is_in_the_report_and_survives_being_saved",
    "cli/test_want.py::test_what_copies_in_blocks_comes_before_what_goes_element_by_element",
    "explain/test_pages.py",  # each pitfall by experiment
    "explain/test_script.py",  # each script in an interpreter
    "explain/test_script_hostile.py",  # hostile text in each place of a script
    "explain/test_tour.py",
    "judgement/test_candidates.py::test_every_part_is_used",
    "judgement/test_candidates.py::test_every_way_of_every_conversion_has_candidates_that_are_python",
    "judgement/test_contract.py::test_every_rule_speaks_for_some_subject",  # each rule for each subject
    "judgement/test_contract.py::test_no_two_rules_promise_one_subject_different_things",  # each rule for each subject
    "judgement/test_contract.py::test_nothing_but_a_refusal_is_promised_of_what_the_pages_do_not_speak_of",
    "lab/test_client.py",  # processes that crash, hang and misbehave
    "lab/test_interpreter.py::test_a_crash_there_is_a_row",  # another environment
    "lab/test_interpreter.py::test_an_interpreter_that_is_broken_is_said_in_a_sentence",
    "lab/test_interpreter.py::test_an_old_python_is_said_in_a_sentence",
    "lab/test_interpreter.py::test_ctrl_c_leaves_nothing",
    "lab/test_interpreter.py::test_what_is_printed_first_is_skipped_and_ssh_quotes",
    "lab/test_isolation.py",
    "lab/test_run.py::test_every_dtype_of_torch",
    "lab/test_run.py::test_many_rows_are_compared_with_many",
    "lab/test_run.py::test_views_of_views_of_arrays",
    "lab/test_run.py::test_views_of_views_of_tensors",
    "oracle",  # every row again, by code that shares nothing
    "memory/test_mapping.py::test_many_mappings_are_described_as_by_the_whole_map",  # four hundred, 4 ms each
    "render/html",  # a browser
    "render/test_hostile.py",  # hostile text in each format
    "subjects/test_constructors.py",  # every dtype of each library
    "subjects/test_files.py::test_a_damaged_file_is_opened_or_refused_and_never_changed",
    "subjects/test_files.py::test_a_file_cut_short_anywhere_is_refused",
    "survey/test_order.py",
    "survey/test_run.py::test_bytes_beyond_the_source_and_within_its_values_are_shared_all_the_same",
    "survey/test_run.py::test_no_probe_breaks_and_no_page_is_said_to_lie_that_does_not",  # the whole catalogue
    "test_adding.py",  # pages followed word for word in a copy of the tree
    "test_api.py::test_in_a_notebook_it_shows_a_table",  # a kernel
    "test_atlas.py::test_a_changed_snapshot_changes_the_pages",
    "test_arrow.py",  # each source by each conversion
    "test_carriers.py",  # each buffer by each conversion
    "test_carriers_arrays.py",  # a process that imports JAX for each experiment
    "test_documentation.py",  # every example, and the site
    "test_files_untouched.py::test_untouched",  # every state
    "test_generated.py",  # processes that import pandas
    "test_imports.py::test_nothing_is_imported",  # a process each
    "test_instructions.py",  # a process that counts
    "test_imports.py::test_nothing_is_imported_for_completion",  # a process each
    "test_imports.py::test_the_watch_sees",  # a process each
    "test_liars.py",
    "test_notebook.py",  # a kernel
    "test_reading.py::test_no_other_command_waits_for_a_pipe_that_nobody_writes_to",  # five seconds each
    "test_registered_dtypes.py",  # ml_dtypes in each command
    "test_remedies.py",  # each remedy on each subject
    "test_user_memory_untouched.py",
    "tracing/test_libraries.py",  # each library is imported many times
    "tracing/test_aliases.py::test_without_columns_the_one_call_in_a_line_is_read",  # programs that Python starts
    "tracing/test_comments.py::test_what_is_not_accepted_fails",
    "tracing/test_comparisons.py::test_the_best_may_be_kept_in_another_file",  # programs of two files
    "tracing/test_early.py::test_the_report_is_the_same",
    "tracing/test_early.py::test_what_is_plain_is_what_the_command_line_reads",
    "tracing/test_elsewhere.py",  # another environment
    "tracing/test_findings.py::test_what_a_large_source_holds_is_known_by_its_parts",
    "tracing/test_history.py::test_a_remedy_changes_nothing_that_a_right_program_computes",
    "tracing/test_history.py::test_nothing_is_said_that_is_not_so",
    "tracing/test_hooks.py",  # programs with and without the tool, byte for byte
    "tracing/test_imports.py",
    "tracing/test_launch.py",
    "tracing/test_limits.py::test_what_is_passed_fails",
    "tracing/test_own_lines.py",
    "tracing/test_processes.py",
    "tracing/test_real_programs.py",
    "tracing/test_remedies.py",
    "tracing/test_session.py",
    "tracing/test_spellings.py::test_memory_that_moves_under_an_array",
    "tracing/test_subclasses.py",
    "tracing/test_warnings.py",
    "tracing/test_written.py",
)
"""Files, folders and tests that run in the gate, with ``-m slow``, and not while one works."""


SAMPLED = {
    "cli/test_demo.py::test_leaving": 2,
    "cli/test_env.py::test_a_torch_that_was_built_for_another_numpy_is_one_sentence": 4,
    "cli/test_started.py::test_ctrl_c": 2,
    "explain/test_pages.py::test_what_people_trip_over_is_what_the_experiment_shows": 8,
    "explain/test_script_hostile.py::test_no_text_of_a_report_is_code": 6,
    "judgement/test_contract.py::test_nothing_but_a_refusal_is_promised_of_what_the_pages_do_not_speak_of": 4,
    "subjects/test_files.py::test_a_damaged_file_is_opened_or_refused_and_never_changed": 3,
    "subjects/test_files.py::test_a_file_cut_short_anywhere_is_refused": 3,
    "survey/test_run.py::test_no_probe_breaks_and_no_page_is_said_to_lie_that_does_not": 3,
    "survey/test_run.py::test_bytes_beyond_the_source_and_within_its_values_are_shared_all_the_same": 3,
    "test_arrow.py::source": 3,
    "test_carriers.py::buffer": 3,
    "test_carriers.py::table": 3,
    "test_carriers_arrays.py::inspected": 2,
    "test_imports.py::test_nothing_is_imported": 2,
    "test_liars.py::test_a_row_of_a_batch_is_the_row_of_a_child_of_its_own": 3,
    "test_user_memory_untouched.py::test_an_expression": 4,
    "test_user_memory_untouched.py::test_an_object_of_this_process": 3,
    "tracing/test_imports.py::test_a_stub_of_torch_loses_nothing": 2,
    "tracing/test_imports.py::test_imports_of_every_kind": 3,
    "tracing/test_launch.py::test_what_a_program_is_given": 3,
    "tracing/test_warnings.py::test_every_stack_level_is_as_without": 2,
    "tracing/test_written.py::test_a_program_writes_what_it_writes_without": 2,
}
"""Sweeps whose cases differ in one object alone: the gate runs one in so many, ``TENSORBRIDGE_SWEEP=full`` all.

A name is that of a test, or of a fixture whose objects all tests that take it are made for.
"""


FIRST = (
    "tracing",
    "test_documentation.py",
    "cli/test_environments.py",
    "test_user_memory_untouched.py",
    "test_remedies.py",
    "lab/test_client.py",
    "catalog/test_messages.py",
    "cli/test_check.py",
)
"""What takes longest begins first: a file that begins last keeps one process waiting for it."""


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Skip files in which no test is selected: each process of xdist would import them, and make their tests."""
    if collection_path.suffix != ".py" or not collection_path.is_relative_to(HERE):
        return None
    file = collection_path.relative_to(HERE)
    asked = config.option.markexpr
    if asked == "not slow":
        return is_slow(file, "") or None
    if asked == "slow":
        return not (is_slow(file, "") or file.as_posix() in {name.partition("::")[0] for name in SLOW}) or None
    return None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Function]) -> None:
    """Mark the slow tests, leave a sample of the sweeps, and put ``FIRST`` first."""
    for item in items:
        if is_slow(item.path.relative_to(HERE), item.originalname):
            item.add_marker(pytest.mark.slow)
    if not FULL and not any("::" in argument for argument in config.args):  # who names a test means each of its cases
        left_out = list(beyond_the_sample(items))
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
    items.sort(key=lambda item: not item.path.relative_to(HERE).as_posix().startswith(FIRST))


def beyond_the_sample(items: list[pytest.Function]) -> Iterator[pytest.Function]:
    """Yield the cases of ``SAMPLED`` tests and fixtures that the gate leaves out."""
    seen: collections.Counter[str] = collections.Counter()
    for item in items:
        file = item.path.relative_to(HERE).as_posix()
        test = f"{file}::{item.originalname}"
        objects = item.callspec.indices if hasattr(item, "callspec") else {}
        numbers = {test: seen[test]} | {f"{file}::{name}": number for name, number in objects.items()}
        if any(number % SAMPLED.get(name, 1) for name, number in numbers.items()):
            yield item
        seen[test] += 1


@functools.cache  # a test has up to hundreds of parameters
def is_slow(file: Path, test: str) -> bool:
    """Return whether ``SLOW`` names the test, its file or a folder that it lies in."""
    return not {f"{file.as_posix()}::{test}", *(place.as_posix() for place in (file, *file.parents))}.isdisjoint(SLOW)


def belongs_to_all() -> dict[str, object]:
    """What the tests of one process have in common: one that leaves it changed makes others fail, in some orders."""
    handlers = {f"handler of {number.name}": signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    # by pytest for each test, by torch for its cache, by polars for its allocator, by JAX for what it loads
    set_meanwhile = ("PYTEST_CURRENT", "TORCHINDUCTOR", "_RJEM_MALLOC_CONF", "TF_CPP_MIN_LOG_LEVEL", "TPU_SKIP")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(set_meanwhile)}
    registered = [entry.name for entry in registry.conversions()]
    return {"folder": os.getcwd(), "sys.path": list(sys.path), "registered": registered, **handlers, **environment}


@pytest.fixture(scope="module")
def lab() -> Iterator[Any]:
    """A laboratory that forks; a file that needs another has a fixture of its own."""
    from tests.tools import started

    with started() as lab:
        yield lab


@pytest.fixture(autouse=True, scope="module")
def nothing_is_left_behind() -> Iterator[None]:
    """Compare what belongs to all before and after each file."""
    before = belongs_to_all()
    yield
    if torch := sys.modules.get("torch"):
        torch.set_warn_always(False)  # an experiment in this process turns it on, and the server of a process keeps it
    after = belongs_to_all()
    assert {name: after.get(name) for name in before | after if before.get(name) != after.get(name)} == {}
