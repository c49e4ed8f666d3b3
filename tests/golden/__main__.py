"""``PYTHONPATH=tests python -m golden``: write anew what the recorded studies say, when it is meant to have changed.

Of the runs that ``runs.json`` names; with ``--all``, of every run of `quarter` that there is now too. Of `narrow` it
names the kinds that `quarter` lacks: several seeds, an ablation at two depths, a transfer, a tuning.
"""

import json
import sys
import tempfile
from pathlib import Path

import golden
from conftest import REPOSITORY

there = {path.relative_to(REPOSITORY / "runs").as_posix() for path in (REPOSITORY / "runs").glob("quarter/*")}
names = sorted({*golden.recorded(), *(there if "--all" in sys.argv else ())})
with tempfile.TemporaryDirectory() as folder:
    found = golden.collect(golden.checkout(Path(folder) / "checkout", names))
(golden.FOLDER / "runs.json").write_text(json.dumps(names, indent=0) + "\n")
(golden.FOLDER / "keys.json").write_text(json.dumps(golden.keys(names), indent=0) + "\n")
for kind, texts in found.items():
    shown = golden.hashed(texts) if kind in golden.HASHED else texts
    (golden.FOLDER / f"{kind}.json").write_text(json.dumps(shown, indent=0, sort_keys=True, ensure_ascii=False) + "\n")
