"""What of the machine a process uses."""

import os
import subprocess
import sys

import pytest

#: Takes 64 MiB in blocks of 8 and frees them; prints how much of it the process still has.
FREED = """
import psutil
from verydeep import machine

if {keeping}:
    machine.keep_memory()
held = psutil.Process().memory_info
before = held().rss
blocks = [b"x" * 2**23 for _ in range(8)]
del blocks
print((held().rss - before) / 2**20)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="a property of glibc")
def test_freed_memory_is_kept_unless_the_user_chose_otherwise():
    def left(keeping: bool, **chosen: str) -> float:
        command = [sys.executable, "-c", FREED.format(keeping=keeping)]
        found = subprocess.run(command, env=os.environ | chosen, capture_output=True, text=True, check=True)
        return float(found.stdout)

    assert left(False) < 32 < left(True)
    assert left(True, MALLOC_MMAP_THRESHOLD_="131072") < 32
