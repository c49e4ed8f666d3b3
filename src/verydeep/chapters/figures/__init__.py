"""The book's pictures. Each function takes plain data and returns a matplotlib figure; no torch."""

from verydeep.chapters.figures.boxes import box_grid, crops_with_boxes, extremes, merging
from verydeep.chapters.figures.depth import curves_by_depth, error_by_depth
from verydeep.chapters.figures.house import house
from verydeep.chapters.figures.images import crop_grid, image_grid, posteriors_by_scale, prediction_grid, score_maps
from verydeep.chapters.figures.networks import (
    configurations_diagram,
    footprint,
    peers_picture,
    receptive_fields,
    shares,
    signals,
    stacks_in_one_dimension,
)
from verydeep.chapters.figures.numbers import (
    METHOD_MARKERS,
    cost_picture,
    errors_by_class,
    errors_picture,
    forest,
    heat_map,
    kills,
    learning_curve,
)
from verydeep.chapters.figures.style import finished, use_style

__all__ = [
    "METHOD_MARKERS",
    "box_grid",
    "configurations_diagram",
    "cost_picture",
    "crop_grid",
    "crops_with_boxes",
    "curves_by_depth",
    "error_by_depth",
    "errors_by_class",
    "errors_picture",
    "extremes",
    "finished",
    "footprint",
    "forest",
    "heat_map",
    "house",
    "image_grid",
    "kills",
    "learning_curve",
    "merging",
    "peers_picture",
    "posteriors_by_scale",
    "prediction_grid",
    "receptive_fields",
    "score_maps",
    "shares",
    "signals",
    "stacks_in_one_dimension",
    "use_style",
]
