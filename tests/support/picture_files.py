"""Picture files that tell more than they show, and what a file tells, read without the library that is tested."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from io import BytesIO
from typing import Any

from PIL import ExifTags, Image, ImageCms
from PIL.PngImagePlugin import PngInfo

SECRET = "Qeswachaka 14.3811 S"
RGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><illa>{SECRET}</illa></x:xmpmeta>'.encode()
KINDS = ("JPEG", "PNG", "GIF", "WEBP", "AVIF")


def scene(width: int = 64, height: int = 48, mode: str = "RGB") -> Image.Image:
    """No two corners alike."""
    bands = [Image.linear_gradient("L"), Image.linear_gradient("L").rotate(90), Image.radial_gradient("L")]
    return Image.merge("RGB", bands).resize((width, height)).convert(mode)


def file(image: Image.Image, kind: str, **options: Any) -> bytes:
    out = BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def moving(kind: str, count: int = 3, size: tuple[int, int] = (40, 30), **options: Any) -> bytes:
    frames = [Image.new("RGB", size, (60 * number % 256, 200 - 50 * number % 200, 80)) for number in range(count)]
    return file(frames[0], kind, save_all=True, append_images=frames[1:], **{"duration": 120, "loop": 0, **options})


def told_by(data: bytes) -> set[str]:
    """The names of a file's parts, without those that the picture itself consists of."""
    if data.startswith(b"\xff\xd8"):
        return set(_segments(data)) - {"DB", "C0", "C2", "C4", "E0"}
    if data.startswith(b"\x89PNG"):
        return set(_chunks(data, 8, ">I4s", 12)) - {"IHDR", "PLTE", "IDAT", "IEND", "tRNS"}
    if data.startswith(b"RIFF"):
        return set(_chunks(data, 12, "<4sI", 8)) - {"VP8 ", "VP8L", "VP8X", "ALPH", "ANIM", "ANMF"}
    assert data.startswith(b"GIF89a")
    return {name for name, mark in (("comment", b"!\xfe"), ("text", b"!\x01"), ("XMP", b"XMP Data")) if mark in data}


def _segments(data: bytes) -> Iterator[str]:
    at = 2
    while data[at + 1] != 0xDA:
        yield f"{data[at + 1]:02X}"
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    assert data.endswith(b"\xff\xd9")
    assert data.count(b"\xff\xd8") == 1, "no second picture, no thumbnail"


def _chunks(data: bytes, at: int, head: str, around: int) -> Iterator[str]:
    while at < len(data):
        one, other = struct.unpack_from(head, data, at)
        name, size = (other, one) if isinstance(other, bytes) else (one, other)
        yield name.decode()
        at += around + size + (size % 2 if around == 8 else 0)


def exif(orientation: int = 1) -> Image.Exif:
    tags = Image.Exif()
    tags[ExifTags.Base.Make] = SECRET
    tags[ExifTags.Base.Orientation] = orientation
    tags.get_ifd(ExifTags.IFD.GPSInfo).update({1: "S", 2: (13.0, 57.0, 30.0), 3: "W", 4: (71.0, 29.0, 5.0)})
    return tags


def texts() -> PngInfo:
    info = PngInfo()
    info.add_text("Comment", SECRET)
    info.add_text("Author", SECRET, zip=True)
    info.add_itxt("XML:com.adobe.xmp", XMP.decode())
    info.add_itxt("Description", SECRET, zip=True)
    return info


TELLING = {
    "JPEG": file(scene(), "JPEG", exif=exif(), xmp=XMP, comment=SECRET, dpi=(72, 72)),
    "PNG": file(scene(), "PNG", exif=exif(), pnginfo=texts(), dpi=(72, 72)),
    "GIF": file(scene(), "GIF", comment=SECRET),
    "WEBP": file(scene(), "WEBP", exif=exif(), xmp=XMP),
    "AVIF": file(scene(), "AVIF", exif=exif(), xmp=XMP),
    "moving GIF": moving("GIF", comment=SECRET),
    "moving WebP": moving("WEBP", exif=exif(), xmp=XMP),
    "two JPEG in one": file(scene(), "MPO", save_all=True, append_images=[scene(32, 32)], exif=exif()),
    "JPEG with a tail": file(scene(), "JPEG") + SECRET.encode() + file(scene(8, 8), "JPEG", comment=SECRET),
}
