"""A picture made ready for upload: what it shows, and nothing that it tells besides.

Runs as a program of its own: decoders of foreign pictures may take any time and any memory (an AVIF
file of a kilobyte that says 64 × 64 may unfold to 16384 × 16384), and a mistake in one ends the process, not the relay.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import signal
import sys
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from io import BytesIO
from typing import Any

from PIL import ExifTags, Image, UnidentifiedImageError

EDGE = 2560
"""Pixels on the longer edge at most; larger pictures are scaled down."""
PIXELS = 40_000_000
"""The largest picture that is decoded."""
FRAMES = 300
MOVING = 80_000_000
"""Pixels of all frames together; an animation beyond that, or of more frames, is shown by its first."""
KEPT = 12_000_000
"""The same of what is made of it: an animation is scaled down to that."""
SCANS = 64
"""How often a JPEG file may go over the picture; ordinary ones do a dozen times."""
PROFILE = 131_072
"""Bytes of the largest colour profile that is kept."""

_FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "AVIF")
_MEMORY = 768 << 20
_ORPHANED = 60
_TRIES = 8
_LEAST, _LEAST_MOVING = 0.01, 0.5
"""By how much a picture is scaled down at most to fit; one that moved shows more by its first frame then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """A picture to upload."""

    data: bytes = field(repr=False)
    mime: str
    width: int
    height: int
    extension: str
    """What a file's name ends with, without the dot."""
    digest: str
    """SHA-256 of ``data``, in hex."""


@dataclass(frozen=True, slots=True)
class Unfit:
    """There is nothing to upload; the reason is a sentence for people, with nothing secret in it."""

    reason: str


@dataclass(frozen=True, slots=True)
class _Kind:
    name: str
    mime: str
    extension: str
    modes: tuple[str, ...]
    options: Mapping[str, Any] = field(default_factory=dict)


_JPEG = _Kind("JPEG", "image/jpeg", "jpg", ("L", "RGB"), {"quality": 88})
_PNG = _Kind("PNG", "image/png", "png", ("1", "L", "LA", "P", "RGB", "RGBA"))
_WEBP = _Kind("WEBP", "image/webp", "webp", ("RGB", "RGBA"), {"quality": 88, "method": 4})
_GIF = _Kind("GIF", "image/gif", "gif", ("RGB", "RGBA"))
_STILL = {"JPEG": _JPEG, "MPO": _JPEG, "PNG": _PNG, "GIF": _PNG, "WEBP": _WEBP, "AVIF": _WEBP}
"""What becomes of each kind. AVIF changes because homeservers make no thumbnails of it, GIF to keep all its colours."""
_MOVING = {"GIF": _GIF, "WEBP": _WEBP, "AVIF": _WEBP}
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What an orientation (Exif 2.32, tag 274) asks for."""

Size = tuple[int, int]


class _UnfitError(Exception):
    pass


# --- one picture ---


def prepared(body: bytes, *, limit: int) -> Ready | Unfit:
    """The picture in ``body``, encoded anew in at most ``limit`` bytes, without any metadata but its colour profile.

    What kind it is the bytes say. JPEG, PNG, WebP and animations stay what they are, AVIF becomes WebP, a GIF that does
    not move PNG. Whatever the bytes are, nothing is raised.
    """
    try:
        return _moving(_opened(body), limit) or _still(_opened(body), limit)
    except _UnfitError as unfit:
        return Unfit(str(unfit))
    except UnidentifiedImageError:
        return Unfit("it is no picture of a kind that can be shown")
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return Unfit("the picture is too large")
    except MemoryError:
        return Unfit("the picture takes too much memory to decode")
    except Exception:  # noqa: BLE001 - hostile bytes may make a decoder raise whatever there is
        return Unfit("the picture is damaged")


def _opened(body: bytes) -> Image.Image:
    """Nothing is decoded yet."""
    image = Image.open(BytesIO(body), formats=_FORMATS)
    width, height = image.size
    if width < 1 or height < 1:
        raise _UnfitError("the picture is empty")
    if width * height > PIXELS:
        raise _UnfitError(f"the picture is too large: {width} × {height} pixels")
    if image.format in {"JPEG", "MPO"} and body.count(b"\xff\xda") > SCANS:
        raise _UnfitError("the picture takes too long to decode")
    return image


def _still(image: Image.Image, limit: int) -> Ready | Unfit:
    kind = _STILL[image.format or ""]
    size = _fitting(image.size, EDGE / max(image.size))
    image.draft(None, size)  # JPEG alone can leave out what would be scaled away
    image.load()
    shown = _turned(_scaled(_plain(image, kind), size), _turn(image))
    return _made([shown], kind, {"icc_profile": _profile(image, shown.mode)}, limit) or Unfit(
        f"the picture does not fit into {limit} bytes"
    )


def _plain(image: Image.Image, kind: _Kind) -> Image.Image:
    """In a mode that ``kind`` can hold."""
    if image.mode.startswith("I"):  # 16 bits of grey
        image = image.point(lambda value: value * (1 / 256)).convert("L")
    if image.mode in kind.modes and (image.mode in {"LA", "RGBA"} or not image.has_transparency_data):
        return image
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def _fitting(size: Size, factor: float) -> Size:
    factor = min(factor, 1)
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


def _scaled(picture: Image.Image, size: Size) -> Image.Image:
    """A new picture that consists of pixels alone."""
    if picture.size == size:
        made = picture.copy()
    else:
        smooth = {"1": "L", "P": "RGB"}.get(picture.mode)
        made = (picture.convert(smooth) if smooth else picture).resize(size, Image.Resampling.LANCZOS)
    made.info = {}
    return made


def _turn(image: Image.Image) -> Image.Transpose | None:
    with contextlib.suppress(Exception):  # metadata may be broken where the picture is not
        return _TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    return None


def _turned(picture: Image.Image, turn: Image.Transpose | None) -> Image.Image:
    return picture if turn is None else picture.transpose(turn)


def _profile(image: Image.Image, mode: str) -> bytes | None:
    """The colour profile, where it is one of these colours (ICC.1:2022 7.2.8)."""
    profile = image.info.get("icc_profile")
    space = b"GRAY" if mode in {"1", "L", "LA"} else b"RGB "
    fits = isinstance(profile, bytes) and len(profile) <= PROFILE and profile[16:20] == space
    return profile if fits else None


# --- animations ---


def _moving(image: Image.Image, limit: int) -> Ready | None:
    """None where it does not move, or cannot be kept moving."""
    kind, first = _MOVING.get(image.format or ""), image.size
    count = int(getattr(image, "n_frames", 1))
    if kind is None or not 1 < count <= FRAMES or count * math.prod(first) > MOVING:
        return None
    size = _fitting(first, min(EDGE / max(first), math.sqrt(KEPT / (count * math.prod(first)))))
    options: dict[str, Any] = {"save_all": True, "icc_profile": _profile(image, "RGB")}
    if "loop" in image.info:
        options["loop"] = image.info["loop"]
    frames, durations = [], []
    for number in range(count):
        image.seek(number)
        if image.size != first:  # a frame of a GIF may reach beyond the picture, which then grows
            return None
        image.load()
        frames.append(_turned(_scaled(_plain(image, kind), size), _turn(image)))
        durations.append(min(int(image.info.get("duration", 0)), 60_000))
    if kind is _GIF and any(frame.mode == "RGBA" for frame in frames):
        options["disposal"] = 2  # else what became transparent would stay
    return _made(frames, kind, options | {"duration": durations}, limit)


# --- encoding ---


def _made(frames: Sequence[Image.Image], kind: _Kind, options: Mapping[str, Any], limit: int) -> Ready | None:
    """Smaller and smaller, until it fits; None where it does not."""
    factor, least = 1.0, _LEAST if len(frames) == 1 else _LEAST_MOVING
    for _ in range(_TRIES):
        size = _fitting(frames[0].size, factor)
        data = _encoded([_scaled(frame, size) for frame in frames], kind, options)
        if len(data) <= limit:
            return Ready(
                data=data,
                mime=kind.mime,
                width=size[0],
                height=size[1],
                extension=kind.extension,
                digest=hashlib.sha256(data).hexdigest(),
            )
        factor *= min(0.85, 0.95 * math.sqrt(max(limit, 1) / len(data)))
        if factor < least:
            break
    return None


def _encoded(frames: Sequence[Image.Image], kind: _Kind, options: Mapping[str, Any]) -> bytes:
    out = BytesIO()
    frames[0].save(out, kind.name, append_images=frames[1:], **kind.options, **options)
    return out.getvalue()


# --- the process: a picture on standard input, the answer on standard output ---


def encoded(answer: Ready | Unfit) -> bytes:
    """The answer as bytes: a line of JSON, then what is to be uploaded; reading it runs nothing."""
    if isinstance(answer, Unfit):
        return json.dumps({"reason": answer.reason}).encode() + b"\n"
    head = {name: value for name, value in asdict(answer).items() if name != "data"}
    return json.dumps(head).encode() + b"\n" + answer.data


def heard(text: bytes) -> Ready | Unfit:
    """What :func:`encoded` said; Unfit too where the process ended over it."""
    head, end, data = text.partition(b"\n")
    if not end:
        return Unfit("the picture takes too much time or memory to decode")
    fields = json.loads(head)
    return Unfit(**fields) if "reason" in fields else Ready(data=data, **fields)


def main() -> None:
    _limit_memory()
    if sys.platform != "win32":
        signal.alarm(_ORPHANED)  # where nobody is left who ends it
    warnings.simplefilter("ignore")  # of broken metadata, which is left out anyway
    sys.stdout.buffer.write(encoded(prepared(sys.stdin.buffer.read(), limit=int(sys.argv[1]))))


def _limit_memory() -> None:
    if sys.platform != "win32":
        import resource

        with contextlib.suppress(ValueError, OSError):  # not every system lets itself be limited
            resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))


if __name__ == "__main__":
    main()
