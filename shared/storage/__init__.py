"""The object store: S3, R2, MinIO or s3proxy, all by one adapter."""

from shared.storage.bucket import ObjectReader, Storage, StoredObject
from shared.storage.errors import ObjectMissing, StorageError, StorageRefused, StorageUnavailable, TooLarge
from shared.storage.keys import object_key

__all__ = [
    "ObjectMissing",
    "ObjectReader",
    "Storage",
    "StorageError",
    "StorageRefused",
    "StorageUnavailable",
    "StoredObject",
    "TooLarge",
    "object_key",
]
