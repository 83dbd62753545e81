"""The object store: S3, R2, MinIO or s3proxy, all by one adapter."""

from shared.storage.bucket import Looked, ObjectReader, Storage, StoredObject
from shared.storage.errors import ObjectMissing, StorageError, StorageRefused, StorageUnavailable, TooLarge
from shared.storage.keys import name_of, object_key

__all__ = [
    "Looked",
    "ObjectMissing",
    "ObjectReader",
    "Storage",
    "StorageError",
    "StorageRefused",
    "StorageUnavailable",
    "StoredObject",
    "TooLarge",
    "name_of",
    "object_key",
]
