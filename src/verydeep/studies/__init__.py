"""Studies: where the paper is being reproduced, at what size and with which recipe; one YAML file each."""

from verydeep.studies.fusions import Fusion, classes_of, find_fusion, planned_fusions, table6_fusions, table9_fusions
from verydeep.studies.measurements import Measurement
from verydeep.studies.parts import PAPER_SCALES, Recipe
from verydeep.studies.plan import Run, find_run, lineage, planned_runs
from verydeep.studies.recorded import OfSeveral, Recorded
from verydeep.studies.schema import Study, load, names
from verydeep.studies.transfer import Features, Transfer, find_transfer, named_transfer, planned_transfers
from verydeep.studies.tuning import OwnImages, Tuning, find_tuning

__all__ = [
    "PAPER_SCALES",
    "Features",
    "Fusion",
    "Measurement",
    "OfSeveral",
    "OwnImages",
    "Recipe",
    "Recorded",
    "Run",
    "Study",
    "Transfer",
    "Tuning",
    "classes_of",
    "find_fusion",
    "find_run",
    "find_transfer",
    "find_tuning",
    "lineage",
    "load",
    "named_transfer",
    "names",
    "planned_fusions",
    "planned_runs",
    "planned_transfers",
    "table6_fusions",
    "table9_fusions",
]
