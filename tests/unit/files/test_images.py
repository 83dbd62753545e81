"""A picture loses everything that is told beside it, and looks as before."""

import io

import pytest
from PIL import Image, ImageCms, PngImagePlugin

from shared.files import FileRefused
from shared.files.examination import STRIPPABLE
from shared.files.images import FORMATS, MAX_PIXELS, strip

SECRET = "52.5163N 13.3777E"
EXTENSIONS = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "GIF": ".gif", "TIFF": ".tif"}
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def drawn(mode: str = "RGB") -> Image.Image:
    """White, and red in the left upper corner."""
    image = Image.new("RGB", (60, 40), "white")
    image.paste("red", (0, 0, 20, 15))
    return image.convert(mode)


def told_of(orientation: int = 1) -> Image.Exif:
    exif = Image.Exif()
    exif[0x010E] = SECRET
    exif[0x0112] = orientation
    exif.get_ifd(0x8825)[29] = SECRET
    return exif


def with_secrets(kind: str, orientation: int = 1) -> bytes:
    buffer = io.BytesIO()
    image, exif, note = drawn(), told_of(orientation), SECRET.encode()
    match kind:
        case "JPEG":
            image.save(buffer, kind, exif=exif, comment=note, xmp=note, icc_profile=PROFILE)
        case "PNG":
            info = PngImagePlugin.PngInfo()
            info.add_text("Comment", SECRET)
            info.add_itxt("XML:com.adobe.xmp", SECRET)
            image.save(buffer, kind, exif=exif, pnginfo=info, icc_profile=PROFILE)
        case "WEBP":
            image.save(buffer, kind, exif=exif, xmp=note, icc_profile=PROFILE, lossless=True)
        case "GIF":
            image.convert("P").save(buffer, kind, comment=note)
        case "TIFF":
            image.save(buffer, kind, exif=exif, description=SECRET, artist=SECRET, icc_profile=PROFILE)
    return buffer.getvalue() + note


def stripped(content: bytes, extension: str) -> bytes:
    result = io.BytesIO()
    strip(io.BytesIO(content), result, extension)
    return result.getvalue()


def is_red(image: Image.Image, x: int, y: int) -> bool:
    pixel = image.convert("RGB").getpixel((x, y))
    assert isinstance(pixel, tuple)
    return pixel[0] > 200 and pixel[1] < 60


@pytest.mark.parametrize("kind", EXTENSIONS)
def test_nothing_is_told_of_a_picture_any_more(kind: str) -> None:
    content = with_secrets(kind)
    assert SECRET.encode() in content
    clean = stripped(content, EXTENSIONS[kind])
    assert SECRET.encode() not in clean
    assert b"Exif\0" not in clean
    with Image.open(io.BytesIO(clean)) as image:
        assert image.format == kind
        assert 0x8825 not in image.getexif()
        assert image.size == (60, 40)
        assert is_red(image, 5, 5)
        assert not is_red(image, 55, 35)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_its_orientation_is_baked_in_and_its_colour_profile_stays(kind: str) -> None:
    with Image.open(io.BytesIO(stripped(with_secrets(kind, orientation=6), EXTENSIONS[kind]))) as image:
        assert image.size == (40, 60)
        assert is_red(image, 35, 5)
        assert not is_red(image, 5, 5)
        assert image.info["icc_profile"] == PROFILE


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_what_moves_goes_on_moving(kind: str) -> None:
    first, *rest = [Image.new("RGB", (20, 20), colour) for colour in ("red", "green", "blue")]
    buffer = io.BytesIO()
    first.save(buffer, kind, save_all=True, append_images=rest, duration=[100, 200, 300], loop=0)
    with Image.open(io.BytesIO(stripped(buffer.getvalue(), EXTENSIONS[kind]))) as image:
        assert getattr(image, "n_frames", 1) == 3
        pauses = []
        for frame in range(3):
            image.seek(frame)
            image.load()
            pauses.append(image.info.get("duration"))
        assert pauses == ([None] * 3 if kind == "TIFF" else [100, 200, 300])


@pytest.mark.parametrize("mode", ["L", "RGBA", "CMYK", "1", "LA", "P", "I;16"])
def test_a_picture_of_any_mode_is_written_anew(mode: str) -> None:
    kind = "TIFF" if mode == "CMYK" else "PNG"
    buffer = io.BytesIO()
    image = Image.new("I;16", (60, 40)) if mode == "I;16" else drawn(mode)
    image.save(buffer, kind)
    with Image.open(io.BytesIO(stripped(buffer.getvalue(), EXTENSIONS[kind]))) as again:
        assert (again.mode, again.size) == (mode, (60, 40))


def test_a_jpeg_of_several_pictures_becomes_its_first() -> None:
    buffer = io.BytesIO()
    drawn().save(buffer, "MPO", save_all=True, append_images=[drawn()])
    with Image.open(io.BytesIO(stripped(buffer.getvalue(), ".jpg"))) as image:
        assert (image.format, getattr(image, "n_frames", 1)) == ("JPEG", 1)


def test_a_picture_with_too_many_pixels_is_refused_before_it_is_decoded() -> None:
    buffer = io.BytesIO()
    Image.new("1", (MAX_PIXELS // 1000, 1001)).save(buffer, "PNG")
    with pytest.raises(FileRefused) as refused:
        stripped(buffer.getvalue(), ".png")
    assert refused.value.reason == "image_too_large"


@pytest.mark.parametrize(
    "content",
    [b"", b"\x89PNG\r\n\x1a\n" + bytes(50), with_secrets("PNG")[:150], with_secrets("JPEG"), b"hello"],
    ids=range(5),
)
def test_what_is_no_such_picture_is_refused(content: bytes) -> None:
    with pytest.raises(FileRefused) as refused:
        stripped(content, ".png")
    assert refused.value.reason == "image_broken"


def test_every_picture_that_is_taken_for_it_can_be_written_anew() -> None:
    assert set(STRIPPABLE) == set(FORMATS)
