"""What may go wrong around a run, what should happen then, and the tests that make it go wrong.

    python -m tests.campaign.troubles [--keep results/reliability.json]

Runs these tests (minutes) and says of each trouble what was seen: "as expected", "not tried here"
where a test of it was skipped, or the tests that failed. Exit code 1 if any did.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from scnlib.paths import REPOSITORY
from tests.campaign import keeping

RUNNER, GRAPH = "study/run/test_notebook_runner.py::test_", "study/run/test_graph.py::test_"
KERNELS, DISK = "study/run/test_kernels.py::test_", "scnlib/test_disk.py::test_"
CHECKPOINT, PREDICT = "scnlib/test_checkpoint.py::test_", "scnlib/test_predict.py::test_"
NAMED = "one line names the file and why; what was there stays, and no part is left"
AS_EVER = "all works as ever"

TROUBLES: dict[str, tuple[str, list[str]]] = {
    "disk full": (
        f"{NAMED}; with room again, the same command goes on",
        [
            f"{DISK}a_full_or_read_only_disk_names_the_file_and_keeps_what_was_there",
            f"{CHECKPOINT}a_full_disk_keeps_the_checkpoint_before_and_leaves_no_part",
            f"{RUNNER}an_executed_notebook_that_is_cut_off_hides_no_cause",
            f"{PREDICT}a_full_disk_leaves_no_part_of_a_file",
        ],
    ),
    "read-only folder": (
        NAMED,
        [
            f"{DISK}a_full_or_read_only_disk_names_the_file_and_keeps_what_was_there",
            "study/run/test_plan.py::test_a_place_that_cannot_be_written_to_is_one_line",
        ],
    ),
    "no permission": (
        NAMED,
        [
            f"{DISK}a_folder_without_permission_is_named_and_left_as_it_is",
            f"{DISK}a_file_without_permission_is_named",
        ],
    ),
    "path with spaces, braces, quotes and non-ASCII letters": (
        AS_EVER,
        [f"{RUNNER}a_folder_may_have_any_name", f"{GRAPH}folders_may_have_any_name"],
    ),
    "two runs at once on one results folder": (
        "the second ends in one line within seconds, and the first goes on",
        [
            f"{KERNELS}a_second_run_is_refused_until_a_time_limit_ended_the_first",
            f"{GRAPH}a_second_live_run_ends_and_a_left_lock_file_does_no_harm",
            f"{CHECKPOINT}two_processes_do_not_train_the_same_run",
        ],
    ),
    "clock set back": (AS_EVER, [f"{GRAPH}a_clock_that_is_set_back_does_no_harm"]),
    "kernel killed": (
        "one line and exit code 1; the cell that it died in says so",
        [f"{KERNELS}a_killed_kernel_is_told_in_the_cell_that_it_died_in"],
    ),
    "error in a cell": (
        "one line and exit code 1; the other notebooks run, and the next call goes on",
        [
            f"{RUNNER}an_error_in_a_cell_is_one_line_and_keeps_the_notebook",
            f"{KERNELS}a_cell_that_ends_the_notebook_before_its_time_is_no_success",
            f"{GRAPH}a_failed_run_does_not_stop_the_others_and_the_next_start_goes_on",
        ],
    ),
    "time-out": (
        "all processes end, exit code 130, and the same command goes on; a kernel that does not "
        "start in three minutes is one line",
        [
            f"{KERNELS}a_second_run_is_refused_until_a_time_limit_ended_the_first",
            f"{KERNELS}a_kernel_that_does_not_start_is_told_in_time",
        ],
    ),
    "misspelt parameter": (
        "one line names notebook and parameter, before a kernel starts",
        [
            f"{RUNNER}a_wrong_parameter_is_refused_before_a_kernel_starts",
            f"{RUNNER}a_notebook_without_a_parameters_cell_is_refused",
        ],
    ),
    "missing kernel": (
        "one of another name is not asked for; without any, one line",
        [
            f"{KERNELS}a_kernel_of_another_name_or_of_the_users_own_is_not_asked_for",
            f"{KERNELS}a_kernel_that_does_not_start_is_told_in_time",
        ],
    ),
    "the user's own matplotlib and IPython settings": (
        "kernels do not see them",
        [f"{RUNNER}kernels_do_not_see_the_users_own_settings"],
    ),
    "no flock": (
        f"{AS_EVER}, and a line says that nothing keeps two runs apart",
        [
            f"{RUNNER}without_locks_it_runs_and_says_so",
            f"{CHECKPOINT}a_file_system_without_locks_is_no_hindrance",
        ],
    ),
    "no passwd entry": (
        AS_EVER,
        [f"{GRAPH}a_user_id_without_an_account_gets_a_name_and_a_home"],
    ),
}


def run(tests: Iterable[str]) -> dict[str, set[str]]:
    """How these tests ended, by name without parameters: "passed", "failed", "skipped"."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "--show-capture=no",
            f"--junitxml={report}",
        ]
        names = [f"tests/{test}" for test in tests]
        subprocess.run([*command, *names], cwd=REPOSITORY, stdout=sys.stderr)
        cases = list(ElementTree.parse(report).iter("testcase"))
    ends: dict[str, set[str]] = {}
    for case in cases:
        place = case.get("classname", "").removeprefix("tests.").replace(".", "/")
        kinds = {part.tag for part in case} & {"failure", "error", "skipped"}
        outcome = "passed" if not kinds else "skipped" if kinds == {"skipped"} else "failed"
        test = f"{place}.py::{case.get('name', '').split('[')[0]}"
        ends.setdefault(test, set()).add(outcome)
    return ends


def seen(tests: Iterable[str], ends: dict[str, set[str]]) -> str:
    """What was seen of a trouble. A test that was not found has failed."""
    failed = [test for test in tests if "failed" in ends.get(test, {"failed"})]
    if failed:
        return f"failed: {', '.join(failed)}"
    skipped = any("skipped" in ends[test] for test in tests)
    return "not tried here" if skipped else "as expected"


def campaign() -> dict[str, Any]:
    """Run the tests of all troubles; `differing` counts the troubles of which one failed."""
    ends = run(sorted({test for _, tests in TROUBLES.values() for test in tests}))
    found = {
        trouble: {"expected": expected, "seen": seen(tests, ends), "tests": tests}
        for trouble, (expected, tests) in TROUBLES.items()
    }
    outcomes = [row["seen"] for row in found.values()]
    return {
        "tried": sum(outcome != "not tried here" for outcome in outcomes),
        "differing": sum(outcome.startswith("failed") for outcome in outcomes),
        "troubles": found,
    }


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser("python -m tests.campaign.troubles", description=__doc__)
    parser.add_argument("--keep", type=Path, metavar="FILE")
    options = parser.parse_args(arguments)
    part = keeping.signed(campaign())
    if options.keep:
        keeping.put(options.keep, {"troubles": part})
    print(json.dumps(part, indent=1))
    return int(part["differing"] > 0)


if __name__ == "__main__":
    sys.exit(main())
