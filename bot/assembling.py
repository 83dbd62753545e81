"""What a browser has sent to the bucket in parts becomes an object, and is checked by what it really is."""

import hashlib

from bot.uploads import size_limit
from shared.files import FileType, check_file
from shared.files.polyglots import Ends
from shared.models import Upload
from shared.service import Services
from shared.steps.model import Ask
from shared.storage import ObjectMissing, StoredObject
from shared.telegram.client import FileGone


async def put_together(services: Services, upload: Upload, ask: Ask) -> tuple[StoredObject, FileType, Ends]:
    """Complete the multipart upload of a row; the object, its kind and its ends. Twice does no harm.

    Which parts there are, and what they make, is asked of the store, not of the browser.

    Raises:
        FileGone: there are neither parts nor an object.
        FileRefused: it is not what it was said to be.
        StorageUnavailable, StorageRefused: see there.
    """
    key, multipart = str(upload.object_key), services.storage.multipart
    parts = await multipart.parts(key, str(upload.multipart_id))
    if parts:
        await multipart.complete(key, str(upload.multipart_id), parts)
    ends, size_bytes, digest = Ends(), 0, hashlib.sha256()
    try:
        async with services.storage.open(key) as stored:
            async for chunk in stored:
                ends.add(chunk)
                size_bytes += len(chunk)
                digest.update(chunk)
    except ObjectMissing as error:
        raise FileGone(f"no parts of {key} are there") from error
    limit = size_limit(ask, services.settings)
    kind = check_file(ends.head, upload.name, upload.mime_type, size_bytes, ask.accept, limit)
    return StoredObject(key, services.storage.bucket, size_bytes, digest.hexdigest(), ""), kind, ends
