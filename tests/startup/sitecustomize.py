"""What every Python that a test starts does first: it looks for garbage less often, and not when it ends.

Torch's modules are a million objects. To look through them while they are imported, and once more at the end, is a
third of the processor time of a program that does little else, and the tests start hundreds.
"""

import atexit
import gc

gc.set_threshold(100_000, 20, 100)
atexit.register(gc.freeze)
