"""Linear support vector machines on descriptors, one against the rest, and how their C is chosen (Appendix B)."""

import numpy as np
from sklearn.svm import LinearSVC

from verydeep.data.ahead import prepared
from verydeep.data.examples import aside, images_of
from verydeep.runs import transfers

#: When the optimisation of a machine ends; scikit-learn's own is a hundredth of it and changes no number in print.
TOLERANCE = 1e-2
#: Bytes that the machines which are trained at once may take; each takes three times what its descriptors do, for it
#: keeps a copy in a form of its own, twice as large.
MEMORY = 8 * 2**30


def scores(train: np.ndarray, labels: np.ndarray, test: np.ndarray, cost: float) -> np.ndarray:
    """Scores of ``test`` for every class by machines trained on ``train``, with C = ``cost``: float (images, classes).

    Parameters
    ----------
    labels
        (images trained on, classes): 1, -1, or 0 for one that is left out of its class's machine.
    """
    train, test = (np.ascontiguousarray(descriptors, np.float64) for descriptors in (train, test))

    def of_class(k: int) -> np.ndarray:
        counted = labels[:, k] != 0
        answers = labels[counted, k]
        if len(np.unique(answers)) < 2:  # nothing to tell apart
            return np.full(len(test), float(answers[0]) if len(answers) else -1.0)
        # the primal problem: without random order, so the same on any number of threads
        machine = LinearSVC(C=cost, dual=False, tol=TOLERANCE, max_iter=10_000)
        return machine.fit(train if counted.all() else train[counted], answers).decision_function(test)

    at_once = max(1, MEMORY // (3 * max(1, train.nbytes)))
    return np.stack(list(prepared(of_class, range(labels.shape[1]), at_once)), 1)


def best_cost(train: np.ndarray, labels: np.ndarray, names: np.ndarray, costs: list[float], share: float, metric: str,
              precision: str) -> float:  # fmt: skip
    """The C of ``costs`` that is best on a share of the training images kept aside; the smallest of equals.

    ``names`` say which are kept aside (:func:`verydeep.data.examples.aside`); ``metric`` and ``precision`` are those of
    :func:`verydeep.runs.transfers.value`.
    """
    if len(costs) == 1:
        return costs[0]
    kept = aside(labels, names, share, images_of(names))
    reached = {}
    for cost in sorted(costs):
        said = scores(train[~kept], labels[~kept], train[kept], cost)
        table = transfers.table("aside", 0, names[kept], labels[kept], said, metric)
        reached[cost] = transfers.value(table, metric, precision)["value"]
    return max(reached, key=reached.get)
