"""Pictures without what they tell beside themselves: where and when, by whom and with which device.

A picture is decoded and written anew, so that nothing comes along that nobody knows of: EXIF with its place,
XMP, IPTC, comments, thumbnails, whatever is appended. Its orientation is baked in, its colour profile stays.
It runs in the child process: decoding costs memory, and decoders are what malformed pictures are made for.
"""

from typing import Any, BinaryIO

from PIL import ExifTags, Image, ImageOps, ImageSequence, JpegImagePlugin, UnidentifiedImageError

from shared.files.kinds import FileRefused

MAX_PIXELS = 50_000_000
"""Of all its frames; decoding takes four bytes for each, and turning a picture as much again."""

FORMATS = {
    ".jpg": ("JPEG", "MPO"),
    ".jpeg": ("JPEG", "MPO"),
    ".png": ("PNG",),
    ".webp": ("WEBP",),
    ".gif": ("GIF",),
    ".tif": ("TIFF",),
    ".tiff": ("TIFF",),
}
"""The pictures that can be written anew, and what Pillow calls them."""

_KEPT = ("transparency", "background", "loop", "duration", "disposal", "blend", "gamma", "default_image")
"""What a picture or one of its frames looks like."""


def strip(file: BinaryIO, result: BinaryIO, extension: str) -> None:
    """Write the picture in ``file`` to ``result`` without its metadata.

    Raises:
        FileRefused: image_too_large, or image_broken.
    """
    Image.MAX_IMAGE_PIXELS = None  # our own limit is lower, and an error instead of a warning
    try:
        with Image.open(file, formats=FORMATS[extension]) as picture:
            frames = 1 if picture.format == "MPO" else getattr(picture, "n_frames", 1)
            if picture.width * picture.height * frames > MAX_PIXELS:
                raise FileRefused("image_too_large")
            _write(picture, frames, result)
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError, IndexError) as error:
        raise FileRefused("image_broken") from error


def _write(picture: Image.Image, frames: int, result: BinaryIO) -> None:
    kind = "JPEG" if picture.format == "MPO" else str(picture.format)
    options = _options(picture, kind)
    profile = picture.info.get("icc_profile")
    more: dict[str, Any] = {"icc_profile": profile} if profile else {}
    if frames == 1:
        _plain(picture).save(result, kind, **options, **more)
        return
    first, *rest = [_plain(frame) for frame in ImageSequence.Iterator(picture)]
    if kind == "WEBP":  # the others take each frame's own
        options["duration"] = [frame.info.get("duration", 0) for frame in (first, *rest)]
    first.save(result, kind, save_all=True, append_images=rest, **options, **more)


def _plain(frame: Image.Image) -> Image.Image:
    """The pixels as they are to be seen, and nothing that is only told of them."""
    is_upright = frame.getexif().get(ExifTags.Base.Orientation, 1) == 1
    if is_upright and isinstance(frame, JpegImagePlugin.JpegImageFile):
        frame.load()
        upright: Image.Image = frame  # what its writer takes is in ``info``; a copy would cost as much again
    else:
        upright = ImageOps.exif_transpose(frame)  # a copy, also where there is nothing to turn
    upright.info = {name: value for name, value in frame.info.items() if name in _KEPT}
    return upright


def _options(picture: Image.Image, kind: str) -> dict[str, Any]:
    """How to write it so that it loses as little as possible and grows no larger than it must."""
    match kind:
        case "JPEG":
            sampling = JpegImagePlugin.get_sampling(picture)
            tables = getattr(picture, "quantization", None)
            known = {"qtables": tables} if tables else {"quality": 95}
            return {**known, "subsampling": sampling} if sampling >= 0 else known
        case "WEBP":
            return {"quality": 90, "exif": b"", "xmp": b""}
        case "TIFF":
            return {"compression": picture.info.get("compression", "tiff_lzw")}
        case "PNG":
            return {"optimize": False, "exif": b""}
        case _:
            return {}
