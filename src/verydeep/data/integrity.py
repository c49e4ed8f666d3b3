"""Whether a data set and its store are what they were when the store was built."""

from verydeep import files, paths, progress
from verydeep.data.base import Source
from verydeep.data.images import decode
from verydeep.data.store import Store, listing_of, manifest_sha256, open_store
from verydeep.errors import DataError


def verify(source: Source) -> str:
    """Read and decode every image again, and compare with the store and its manifest; return the manifest's hash.

    Where there is no store yet it is built.

    Raises
    ------
    DataError
        At the first image that is missing, added, changed or damaged, in the data set or in the store, with its path.
    """
    _require_same_files(source)
    store = open_store(source)
    manifest = store.manifest
    hashes = zip(source.entries(), manifest["sha256"], strict=True)
    for row, (entry, expected) in enumerate(progress.bar(hashes, f"verifying {source.name}", len(manifest))):
        data, path = source.read(entry), source.folder / entry.name
        if files.sha256_bytes(data) != expected:
            raise DataError(f"{path}: content has changed since the store was built")
        image = decode(data, str(path))
        if store.content(row) != (image.tobytes() if store.shape else data):
            raise DataError(
                f"{store.folder / 'images.bin'}: holds another image than {path}; delete {store.folder}, and it is "
                f"built anew"
            )
    if manifest_sha256(manifest) != store.manifest_sha256:
        raise DataError(f"{store.folder / 'manifest.parquet'}: differs from its own hash; delete {store.folder}")
    return store.manifest_sha256


def _require_same_files(source: Source) -> None:
    """Refuse files that were added or lost since the store was built, which :func:`open_store` builds anew for them."""
    source.require()
    folder = paths.artifacts() / "data" / source.name
    try:
        before = Store(folder).manifest
    except (OSError, ValueError, KeyError, TypeError):  # none yet, or none that can be read: built anew
        return
    now, _ = listing_of(source)
    added, lost = (sorted({*one["name"]} - {*other["name"]}) for one, other in ((now, before), (before, now)))
    for names, how in ((lost, "is no longer there"), (added, "was added")):
        if names:
            raise DataError(
                f"{source.folder / names[0]}: {how} since the store was built, {len(names):,} in all; restore the data "
                f"set, or delete {folder} to take it as it is"
            )
