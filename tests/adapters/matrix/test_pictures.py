"""Pictures made ready: nothing told but what is shown, no bytes that break anything, small enough."""

from __future__ import annotations

import base64
import struct
import subprocess
import sys
import time
import zlib
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageDraw, ImageOps

from adapters.matrix import pictures
from adapters.matrix.pictures import EDGE, FRAMES, PIXELS, Ready, Unfit, encoded, heard, prepared
from tests.support.picture_files import KINDS, RGB, SECRET, TELLING, exif, file, moving, scene, texts, told_by

ROOMY = 10_000_000
MIMES = {"JPEG": "image/jpeg", "PNG": "image/png", "GIF": "image/png", "WEBP": "image/webp", "AVIF": "image/webp"}
"""Of what becomes of a picture that does not move."""


def ready(body: bytes, limit: int = ROOMY) -> Ready:
    made = prepared(body, limit=limit)
    assert isinstance(made, Ready), made
    return made


def unfit(body: bytes, limit: int = ROOMY) -> str:
    made = prepared(body, limit=limit)
    assert isinstance(made, Unfit)
    return made.reason


def shown(made: Ready) -> Image.Image:
    image = Image.open(BytesIO(made.data))
    image.load()
    assert (image.size, Image.MIME[image.format or ""]) == ((made.width, made.height), made.mime)
    return image


def alike(one: Image.Image, other: Image.Image, most: int = 24) -> bool:
    """The same picture, but for what a lossy encoder does to it."""
    far = ImageChops.difference(one.convert("RGB"), other.convert("RGB")).getextrema()
    return one.size == other.size and all(isinstance(band, tuple) and band[1] <= most for band in far)


# --- what is told ---


@pytest.mark.parametrize("name", TELLING)
def test_nothing_is_told_but_what_is_shown(name: str) -> None:
    body = TELLING[name]
    made = ready(body)
    assert told_by(made.data) == set()
    assert SECRET.encode() not in made.data
    image = shown(made)
    assert not image.getexif()
    assert not set(image.info) & {"exif", "xmp", "comment", "Comment", "Author", "XML:com.adobe.xmp", "icc_profile"}
    assert alike(image, Image.open(BytesIO(body)))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF"])
def test_the_colour_profile_stays(kind: str) -> None:
    assert shown(ready(file(scene(), kind, icc_profile=RGB))).info["icc_profile"] == RGB


def test_a_colour_profile_stays_in_what_moves_too() -> None:
    assert shown(ready(moving("WEBP", icc_profile=RGB))).info["icc_profile"] == RGB


@pytest.mark.parametrize("profile", [RGB[:16] + b"CMYK" + RGB[20:], RGB + bytes(pictures.PROFILE), b"short"])
def test_a_colour_profile_that_is_none_of_the_picture_goes(profile: bytes) -> None:
    assert "icc_profile" not in shown(ready(file(scene(), "JPEG", icc_profile=profile))).info


# --- what is shown ---


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_picture_stands_as_its_orientation_says(orientation: int) -> None:
    body = file(scene(), "PNG", exif=exif(orientation))
    made = shown(ready(body))
    assert made.tobytes() == ImageOps.exif_transpose(Image.open(BytesIO(body))).tobytes()
    turned = shown(ready(file(scene(), "JPEG", exif=exif(orientation))))
    assert alike(turned, made)


MODES = [("PNG", mode) for mode in ("1", "L", "LA", "P", "RGB", "RGBA")] + [
    ("GIF", "P"),
    ("GIF", "L"),
    ("WEBP", "RGBA"),
]


@pytest.mark.parametrize(("kind", "mode"), MODES)
def test_what_loses_nothing_is_the_same_to_the_pixel(kind: str, mode: str) -> None:
    image = scene(mode=mode)
    if mode in {"LA", "RGBA"}:
        image.putalpha(Image.linear_gradient("L").resize(image.size))
    made = shown(ready(file(image, kind)))
    if kind == "WEBP":
        assert alike(made, image, 40)
        assert made.mode == "RGBA"
    else:
        assert made.convert("RGBA").tobytes() == image.convert("RGBA").tobytes()


def test_transparency_stays() -> None:
    image = scene(mode="P")
    colour = image.getpixel((3, 3))
    for kind in ("PNG", "GIF"):
        body = file(image, kind, transparency=colour)
        made = shown(ready(body)).convert("RGBA")
        assert made.tobytes() == Image.open(BytesIO(body)).convert("RGBA").tobytes()
        pixel = made.getpixel((3, 3))
        assert isinstance(pixel, tuple)
        assert pixel[3] == 0


def test_sixteen_bits_of_grey_are_shown_in_eight() -> None:
    grey = Image.new("I;16", (4, 4), 0x8000)
    assert shown(ready(file(grey, "PNG"))).getpixel((1, 1)) == 128


def test_print_colours_become_those_of_a_screen() -> None:
    assert alike(shown(ready(file(scene(mode="CMYK"), "JPEG"))), scene(), 40)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_large_is_scaled_down_and_what_is_small_is_not(kind: str) -> None:
    made = ready(file(scene(3000, 200), kind))
    assert (made.width, made.height, made.mime) == (EDGE, round(200 * EDGE / 3000), MIMES[kind])
    assert alike(shown(made).resize((300, 20)), scene(300, 20), 60)
    same = ready(file(scene(EDGE, 2), kind))
    assert (same.width, same.height) == (EDGE, 2)


def test_a_strip_stays_a_pixel_high() -> None:
    made = ready(file(scene(9000, 1), "PNG"))
    assert (made.width, made.height) == (EDGE, 1)


@pytest.mark.parametrize("kind", ["GIF", "WEBP"])
def test_an_animation_moves_on(kind: str) -> None:
    body = moving(kind, 4, duration=[100, 200, 300, 400], loop=2)
    made, before = shown(ready(body)), Image.open(BytesIO(body))
    assert (made.format, made.n_frames) == (kind, 4)  # type: ignore[attr-defined]  # of these formats
    assert made.info["loop"] == before.info["loop"]
    for number in range(4):
        for image in (made, before):
            image.seek(number)
            image.load()
        assert made.info["duration"] == before.info["duration"] == 100 * (number + 1)
        assert alike(made, before)


@pytest.mark.parametrize("kind", ["GIF", "WEBP"])
def test_what_vanishes_in_an_animation_does_not_stay(kind: str) -> None:
    frames = [Image.new("RGBA", (40, 40), (0, 0, 0, 0)) for _ in range(3)]
    places = [(9 * number, 9 * number, 9 * number + 12, 9 * number + 12) for number in range(3)]
    for frame, place in zip(frames, places, strict=True):
        ImageDraw.Draw(frame).ellipse((*place[:2], place[2] - 1, place[3] - 1), (200, 30, 30, 255))
    made = shown(ready(file(frames[0], kind, save_all=True, append_images=frames[1:], duration=50, disposal=2)))
    for number, place in enumerate(places):
        made.seek(number)
        assert made.convert("RGBA").getchannel("A").getbbox() == place


def test_a_large_animation_is_scaled_down_as_a_whole() -> None:
    made = ready(moving("WEBP", 20, (1200, 1000)))
    assert 0.9 * pictures.KEPT < made.width * made.height * 20 < 1.1 * pictures.KEPT


@pytest.mark.parametrize(
    ("kind", "frames", "size"),
    [("GIF", FRAMES + 1, (8, 8)), ("WEBP", 9, (3000, 3000))],
    ids=["too many frames", "too many pixels"],
)
def test_an_animation_that_is_too_much_becomes_its_first_frame(kind: str, frames: int, size: tuple[int, int]) -> None:
    body = moving(kind, frames, size)
    made = shown(ready(body))
    assert getattr(made, "n_frames", 1) == 1
    assert alike(made.resize((8, 8)), Image.open(BytesIO(body)).resize((8, 8)))


# --- the limit ---


def noise(mode: str = "RGB", size: int = 400) -> Image.Image:
    bands = [Image.effect_noise((size, size), 90) for _ in range(3)]
    return Image.merge("RGB", bands).convert(mode)


@pytest.mark.parametrize("kind", KINDS)
def test_it_becomes_smaller_until_it_fits(kind: str) -> None:
    body = file(noise(), kind)
    made = ready(body, 20_000)
    assert 2_000 < len(made.data) <= 20_000
    assert 50 < made.width == made.height < 400


def test_an_animation_that_does_not_fit_becomes_its_first_frame() -> None:
    frames = [noise(size=200) for _ in range(8)]
    body = file(frames[0], "WEBP", save_all=True, append_images=frames[1:], duration=50)
    made = ready(body, 5_000)
    assert len(made.data) <= 5_000
    assert getattr(shown(made), "n_frames", 1) == 1


@pytest.mark.parametrize("limit", [-1, 0, 1, 30])
def test_what_fits_nowhere_is_unfit(limit: int) -> None:
    assert unfit(file(scene(), "JPEG"), limit) == f"the picture does not fit into {limit} bytes"


def test_the_same_picture_has_the_same_digest_wherever_it_comes_from() -> None:
    one, other = (
        ready(file(scene(), "PNG")),
        ready(file(scene(), "PNG", exif=exif(), pnginfo=texts(), compress_level=1)),
    )
    assert one == other
    assert one.digest != ready(file(scene(65), "PNG")).digest


# --- hostile bytes ---

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><script>1</script></svg>'
BMP, TIFF, ICO = (file(scene(), kind) for kind in ("BMP", "TIFF", "ICO"))


@pytest.mark.parametrize("body", [b"", SVG, b"<html>", BMP, TIFF, ICO, b"%!PS-Adobe-3.0", b"\x00" * 100, b"GIF8"])
def test_other_kinds_are_no_pictures(body: bytes) -> None:
    assert unfit(body) == "it is no picture of a kind that can be shown"


@pytest.mark.parametrize("name", [*KINDS, "moving GIF", "moving WebP"])
def test_what_ends_in_the_middle_is_unfit(name: str) -> None:
    body = TELLING[name]
    for part in (0.95, 0.6, 0.3):
        assert unfit(body[: round(len(body) * part)])


def sized(width: int, height: int) -> bytes:
    """A PNG file that says so and holds a few bytes."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(99))) + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(PIXELS + 1, 1), (6400, 6400), (10_000, 9_000), (65_000, 65_000), (2**31 - 1, 9)])
def test_a_picture_that_says_it_is_too_large_is_not_decoded(size: tuple[int, int]) -> None:
    began = time.process_time()
    assert unfit(sized(*size)).startswith("the picture is too large")
    assert time.process_time() - began < 0.5


@pytest.mark.parametrize("size", [(0, 9), (9, 0), (0, 0)])
def test_a_picture_of_no_size_is_unfit(size: tuple[int, int]) -> None:
    assert unfit(sized(*size))


def test_a_jpeg_that_goes_over_the_picture_for_ever_is_not_decoded() -> None:
    body = file(scene(), "JPEG", progressive=True)
    last = body.rfind(b"\xff\xda")
    ready(body)
    assert unfit(body[:-2] + body[last:-2] * pictures.SCANS + b"\xff\xd9") == "the picture takes too long to decode"


def test_a_frame_that_reaches_beyond_the_picture_is_left_out() -> None:
    """The picture would grow, to more than was allowed."""
    body = bytearray(moving("GIF", 2))
    second = body.rindex(b"\x2c\x00\x00\x00\x00") + 5
    body[second : second + 4] = struct.pack("<HH", 200, 200)
    made = ready(bytes(body))
    assert (made.width, made.height, getattr(shown(made), "n_frames", 1)) == (40, 30, 1)
    body[second : second + 4] = struct.pack("<HH", 60_000, 60_000)
    began = time.process_time()
    prepared(bytes(body), limit=ROOMY)
    assert time.process_time() - began < 0.5


SEEDS = {kind: file(scene(24, 16), kind, **({} if kind in {"GIF", "AVIF"} else {"exif": exif()})) for kind in KINDS}
SEEDS |= {
    "moving GIF": moving("GIF", 3, (9, 9)),
    "moving WebP": moving("WEBP", 3, (9, 9)),
    "MPO": TELLING["two JPEG in one"],
}
CHANGES = st.lists(
    st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 3), st.binary(min_size=1, max_size=6)), max_size=8
)


def changed(body: bytes, changes: list[tuple[float, int, bytes]]) -> bytes:
    data = bytearray(body)
    for where, how, new in changes:
        at = int(where * len(data))
        if how == 0:
            data[at : at + len(new)] = new
        elif how == 1:
            data[at:at] = new
        elif how == 2:
            del data[at : at + len(new)]
        else:
            data[at : at + 4] = b"\xff" * 4
    return bytes(data)


@given(kind=st.sampled_from(sorted(SEEDS)), changes=CHANGES, end=st.floats(0.5, 1), limit=st.sampled_from([ROOMY, 400]))
def test_no_bytes_raise_anything(kind: str, changes: list[tuple[float, int, bytes]], end: float, limit: int) -> None:
    """A valid file, changed here and there: ready without metadata and within the limit, or unfit."""
    body = changed(SEEDS[kind], changes)
    made = prepared(body[: round(len(body) * end)], limit=limit)
    assert heard(encoded(made)) == made
    if isinstance(made, Ready):
        assert len(made.data) <= limit
        assert told_by(made.data) <= {"E2", "iCCP", "ICCP"}
        assert max(shown(made).size) <= EDGE


@given(st.binary(max_size=200))
def test_noise_is_unfit(body: bytes) -> None:
    assert isinstance(prepared(body, limit=ROOMY), Unfit)


# --- the program ---

LIAR = zlib.decompress(
    base64.b85decode(
        b"c-muNU{FXasVqn=%S>Yc0uY^>nP!-qnV9D5Xy^zOdYzkElE?r7iWw<6MNl?FL1uCZ0~+8f$SlbPvlxL`E;A=T8N_h`@fjhajKT~I"
        b"+;@O%jm*rvG`LzRASaax%1bOWFm%q($p_n&m03_!0HnP$3zGAJv`A)gK`PWf2PhUO$gIc&2{3bTZ~!Tu#4<zYMtiUt;pF_BqP*ms"
        b"3ZTin3~UWRA@R(DT$rDL4r5_tYGwht>Pc=&Vu=s~7q|WQ`v3p`E@3f|axgk2E+J?z<D`Nki|`2r28O8f=K|MiK9Qa{x4b^(YV5lB"
        b"KP#e-^}g%L*ZpK}dPXE!Yuftvzjfaxb3K@5yykP!r@hPgYq&1(^e*3Ba_2d-@SQ$wbBp+%)DJVQo=P-NS#|PHc#R@&>*vPR;YUxz"
        b"oIe*)&h+_tb8q3rBhrS4BtA@VYGYdX;Ma{14WG-7y=(5xyRtXZ^j7NZ=2wAxoPJmsfA%)mBG&uyK)5JhhQ8CM8^2ax{_eT&PgdoI"
        b"iPpSH<ud1{OSd*{oiRV9XZnXx(??AoHGS0dQPW3FA2of{^ik7CO&@%w)6{SP5vqk%"
    )
)
"""An AVIF file that says 64 × 64; the video in it says 16384 × 16384."""


def run(body: bytes) -> Ready | Unfit:
    command = [sys.executable, "-P", pictures.__file__, str(ROOMY)]
    return heard(subprocess.run(command, input=body, capture_output=True, check=True, timeout=60).stdout)


def test_the_program_answers_as_the_function_does() -> None:
    for body in TELLING.values():
        assert run(body) == ready(body)
    assert run(SVG) == prepared(SVG, limit=ROOMY)


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited, and measured, as Linux does")
def test_what_takes_too_much_memory_ends_with_the_program() -> None:
    code = (
        "import resource, subprocess, sys\n"
        f"subprocess.run([sys.executable, '-P', {pictures.__file__!r}, '9999'], check=True)\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    told = subprocess.run([sys.executable, "-c", code], input=LIAR, capture_output=True, check=True, timeout=60).stdout
    answer, _, peak = told.strip().rpartition(b"\n")
    assert isinstance(heard(answer + b"\n"), Unfit)
    assert int(peak) < 800_000


def test_a_program_that_said_nothing_ended_over_the_picture() -> None:
    assert heard(b"") == Unfit("the picture takes too much time or memory to decode")
