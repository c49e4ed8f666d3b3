"""The fingerprint of a data set in a record: which images there were, and which of them were held out."""

from dataclasses import asdict

from verydeep import files
from verydeep.data.boxes import Boxes
from verydeep.data.store import Store, held_out


def fingerprint(store: Store, per_class: int | None, boxes: Boxes | None = None) -> dict:
    """Source, counts, hash of the manifest; with ``per_class``, which images are held out of each class.

    ``per_class`` is ``None`` in a study that trains nothing. ``boxes`` are those that were trained on or tested with.
    """
    images = {"source": store.source, "counts": store.counts(), "manifest_sha256": store.manifest_sha256}
    images |= {"boxes": boxes.fingerprint(store)} if boxes else {}
    if per_class is None:
        return images
    rows = held_out(store.manifest, per_class)
    names = "\n".join(sorted(store.manifest["name"].iloc[rows]))
    return images | {
        "held_out": {
            "rule": "smallest sha256 of the name, in each class",
            "per_class": per_class,
            "count": len(rows),
            "sha256": files.sha256_bytes(names.encode()),
        },
        "statistics": asdict(store.statistics),
    }
