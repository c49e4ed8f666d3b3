"""Whether a data set and its store are what they were when the store was built."""

from verydeep import files, paths, progress
from verydeep.data.base import Source
from verydeep.data.images import decode
from verydeep.data.store import Store, listing_of, manifest_sha256, open_store
from verydeep.errors import DataError


def verify(source: Source) -> str:
    """Read and decode every image again, and compare with the store and its manifest; return the manifest's hash.

    Where there is no store yet it is built. What more is true of images, boxes and further classes, is no part of a
    manifest; records have hashes of their own of it.

    Raises
    ------
    DataError
        At the first image that is missing, added, changed, damaged or of another class or split than when the store was
        built, in the data set or in the store, with its path.
    """
    _require_same_files(source)
    store = open_store(source)
    manifest = store.manifest
    hashes = zip(source.entries(), manifest["sha256"], strict=True)
    for row, (entry, expected) in enumerate(progress.bar(hashes, f"verifying {source.name}", len(manifest))):
        data, path = source.read(entry), source.folder / entry.name
        if files.sha256_bytes(data) != expected:
            raise DataError(
                f"{path}: content has changed since the store was built; restore it, or, to take it as it is, "
                f"{store.anew}"
            )
        image = decode(data, str(path))
        if store.content(row) != (image.tobytes() if store.shape else data):
            raise DataError(f"{store.folder / 'images.bin'}: holds another image than {path}; {store.anew}")
    if manifest_sha256(manifest) != store.manifest_sha256:
        raise DataError(f"{store.folder / 'manifest.parquet'}: differs from its own hash; delete {store.folder}")
    return store.manifest_sha256


def _require_same_files(source: Source) -> None:
    """Refuse files that were added, lost or sorted otherwise since: for these :func:`open_store` builds it anew."""
    source.require()
    folder = paths.artifacts() / "data" / source.name
    try:
        store = Store(folder)
        before = store.manifest[["split", "label", "name"]]
    except (OSError, ValueError, KeyError, TypeError):  # none yet, or none that can be read: built anew
        return
    now, _ = listing_of(source)
    added, lost = (sorted({*one["name"]} - {*other["name"]}) for one, other in ((now, before), (before, now)))
    for names, how in ((lost, "is no longer there"), (added, "was added")):
        if names:
            raise DataError(
                f"{source.folder / names[0]}: {how} since the store was built, {len(names):,} in all; restore the data "
                f"set, or, to take it as it is, {store.anew}"
            )
    both = before.merge(now, on="name", suffixes=("", "_now"))
    other = both[(both["label"] != both["label_now"]) | (both["split"] != both["split_now"])]
    if len(other):
        raise DataError(
            f"{source.folder / other['name'].iat[0]}: is of another class or split than when the store was built, "
            f"{len(other):,} in all; restore the lists of the data set, or, to take it as it is, {store.anew}"
        )
