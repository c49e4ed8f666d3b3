"""What of the machine this process may use."""

import os
import sys


def cores() -> int:
    """How many cores this process may use; a job of a cluster has fewer than the machine."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
