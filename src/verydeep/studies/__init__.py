"""Studies: where the paper is being reproduced, at what size and with which recipe; one YAML file each."""

from verydeep.studies.fusions import Fusion, classes_of, find_fusion, planned_fusions, table6_fusions, table9_fusions
from verydeep.studies.measurements import Measurement
from verydeep.studies.parts import PAPER_SCALES, Recipe
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
    "classes_of",
    "find_fusion",
    "find_run",
    "lineage",
    "load",
    "names",
    "planned_fusions",
    "planned_runs",
    "table6_fusions",
    "table9_fusions",
]
