"""The book's pictures. Each function takes plain data and returns a matplotlib figure; no torch."""

from verydeep.chapters.figures.boxes import box_grid, crops_with_boxes, extremes, merging
from verydeep.chapters.figures.depth import curves_by_depth, error_by_depth, error_by_updates
from verydeep.chapters.figures.house import house
from verydeep.chapters.figures.images import (
    crop_grid,
    crop_posteriors,
    image_grid,
    posteriors_by_scale,
    prediction_grid,
    score_maps,
)
from verydeep.chapters.figures.insides import filters, patches
from verydeep.chapters.figures.learning import error_by_images, loss_curve
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
    effects,
    errors_by_class,
    errors_picture,
    forest,
    heat_map,
    kills,
    learning_curve,
)
from verydeep.chapters.figures.speed import model_against_measured
from verydeep.chapters.figures.style import Picture, finished, use_style

__all__ = [
    "METHOD_MARKERS",
    "Picture",
    "box_grid",
    "configurations_diagram",
    "cost_picture",
    "crop_grid",
    "crop_posteriors",
    "crops_with_boxes",
    "curves_by_depth",
    "effects",
    "error_by_depth",
    "error_by_images",
    "error_by_updates",
    "errors_by_class",
    "errors_picture",
    "extremes",
    "filters",
    "finished",
    "footprint",
    "forest",
    "heat_map",
    "house",
    "image_grid",
    "kills",
    "learning_curve",
    "loss_curve",
    "merging",
    "model_against_measured",
    "patches",
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
