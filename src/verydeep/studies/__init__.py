"""Studies: where the paper is being reproduced, at what size and with which recipe; one YAML file each."""

from verydeep.studies.fusions import Fusion, find_fusion, table6_fusions
from verydeep.studies.keys import PAPER_SCALES, Recipe
from verydeep.studies.measurements import Measurement
from verydeep.studies.plan import Run, find_run, lineage, planned_runs
from verydeep.studies.recorded import Recorded
from verydeep.studies.schema import Study, load, names

__all__ = [
    "PAPER_SCALES",
    "Fusion",
    "Measurement",
    "Recipe",
    "Recorded",
    "Run",
    "Study",
    "find_fusion",
    "find_run",
    "lineage",
    "load",
    "names",
    "planned_runs",
    "table6_fusions",
]
