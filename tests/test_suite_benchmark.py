"""``benchmarks/suite.py`` and what the chapter shows of its record."""

import pytest

import scripts
from verydeep import files
from verydeep.chapters import speed_tables

PRINTED = """
==================== slowest files, of 1928 seconds in all =====================
413s tests/test_faults_of_machines.py
283s tests/book/test_audit.py
============================= slowest 12 durations =============================
110.91s setup    tests/book/test_book.py::test_the_pages_of_every_run_are_built
{closing}
"""
PASSED = "=========== 2317 passed, 48 skipped, 5 warnings in 990.62s (0:16:30) ==========="
FAILED = "====== 3 failed, 2317 passed, 48 skipped in 990.62s ======"


def test_what_the_tests_print_is_read():
    suite = scripts.load("suite")
    read = suite.read(PRINTED.format(closing=PASSED))
    assert read["counts"] == {"passed": 2317, "skipped": 48, "warnings": 5}
    assert read["seconds"] == 990.62 and read["seconds of all tests"] == 1928
    assert read["slowest"] == {"tests/test_faults_of_machines.py": 413, "tests/book/test_audit.py": 283}
    assert suite.read(PRINTED.format(closing=FAILED))["counts"]["failed"] == 3
    with pytest.raises(ValueError, match="did not come to an end"):
        suite.read("make: *** [Makefile:52: test] Error 1")


def test_the_chapter_shows_the_record(checkout):
    (checkout / "benchmarks" / "suite.json").unlink(missing_ok=True)
    assert speed_tables.suite().empty and "python benchmarks/suite.py" in speed_tables.suite().attrs["caption"]
    read = scripts.load("suite").read(PRINTED.format(closing=PASSED))
    for seconds, reached in ((1044.0, "missed by 564 s"), (479.0, "yes")):
        record = {
            "rates": {"whole": {"seconds": seconds, "processor_seconds": 2000.0}},
            "tests": read,
            "environment": {"processor": "AMD EPYC", "cores": 2},
        }
        files.write_json(checkout / "benchmarks" / "suite.json", record)
        table = speed_tables.suite()
        assert table.loc["all, with the installation", "reached"] == reached
        assert table.loc["tests/book/test_audit.py", "took (s)"] == 283
        assert "2317 passed" in table.attrs["caption"]
