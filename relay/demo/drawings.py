"""The pictures of the demo, drawn in a few lines of SVG: a gorge in two lights, and a face for each person."""

from __future__ import annotations

from dataclasses import dataclass
from zlib import crc32

WIDTH, HEIGHT = 1200, 675
_LEFT, _RIGHT, _DECK, _SAG = 330, 870, 352, 74
"""The bridge: where it leaves the cliffs, how high, and how far its middle hangs below its ends."""


@dataclass(frozen=True, slots=True)
class Light:
    """The colours of one hour of the day, and where its sun or moon stands."""

    sky: tuple[str, str, str]
    ridges: tuple[str, str, str]
    snow: str
    rock: str
    river: str
    rope: str
    disc: tuple[int, int, int, str]


_MORNING = Light(
    sky=("#f2784b", "#f9b16e", "#fdebc8"),
    ridges=("#b9869c", "#8c6488", "#5f4b73"),
    snow="#fff6ea",
    rock="#3a2f45",
    river="#4f9fc4",
    rope="#e2b866",
    disc=(880, 178, 58, "#fff3c4"),
)
_NIGHT = Light(
    sky=("#0d1330", "#20295a", "#4a4a86"),
    ridges=("#39427a", "#2a3163", "#1d234b"),
    snow="#c9d3f2",
    rock="#0e1022",
    river="#3a5c93",
    rope="#c79b54",
    disc=(300, 138, 44, "#f4efd8"),
)

_PEAKS = (
    "M0 330 L120 250 L210 292 L352 150 L470 282 L560 236 L690 110 L836 276 L930 214 L1050 286 L1200 196 V675 H0Z",
    "M0 392 L150 316 L300 372 L420 306 L600 396 L742 300 L880 376 L1010 312 L1200 384 V675 H0Z",
    "M0 452 L180 402 L360 446 L520 410 L700 456 L860 408 L1040 450 L1200 420 V675 H0Z",
)
_SNOW = (
    "M352 150 L300 202 L330 194 L348 216 L372 190 L408 213Z"
    "M690 110 L630 174 L664 164 L688 192 L716 162 L758 187Z"
    "M1200 196 L1122 238 L1150 236 L1172 252 L1200 238Z"
)
_CLIFFS = (
    "M0 372 L214 356 L312 350 V300 H340 V350 L318 420 L352 486 L326 560 L372 675 H0Z"
    "M1200 366 L1000 354 L888 350 V300 H860 V350 L884 428 L850 492 L880 566 L838 675 H1200Z"
)
_RIVER = (
    "M520 675 C556 600 640 598 598 548 C566 510 626 498 604 456 L622 456"
    "C650 500 606 516 640 552 C694 606 622 622 668 675Z"
)
_RUNNER = (
    '<g transform="translate({x} {y})" stroke-linecap="round" stroke-width="6" fill="none" stroke="#2b1b17">'
    '<path d="M0 -24 L-15 -12 L-27 -16 M0 -24 L13 -12 L10 0"/>'
    '<path d="M-1 -58 L18 -44 L29 -52" stroke-width="5"/>'
    '<path d="M-13 -60 L11 -62 L17 -26 L-19 -22Z" fill="#c8322b" stroke="#c8322b" stroke-width="4"/>'
    '<path d="M-16 -36 L15 -39" stroke="#f4c542" stroke-width="4"/>'
    '<circle cx="3" cy="-73" r="9" fill="#8a5a3c" stroke="none"/>'
    '<path d="M-8 -77 Q3 -94 14 -78Z" fill="#f4c542" stroke="none"/></g>'
)


def drawing(name: str) -> str:
    """The gorge by morning or by night, or else somebody's face."""
    if name == "morning":
        return _landscape(_MORNING, _runner(690))
    return _landscape(_NIGHT, _lanterns()) if name == "night" else _avatar(name)


def _avatar(username: str) -> str:
    """A mountain and a disc in colours that belong to this name."""
    hue = crc32(username.encode()) % 360
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 120 120" width="240" height="240">'
        f'<rect width="120" height="120" fill="hsl({hue} 58% 78%)"/>'
        f'<circle cx="78" cy="42" r="17" fill="hsl({(hue + 40) % 360} 90% 93%)"/>'
        f'<path d="M0 104 L42 46 L64 76 L80 60 L120 104 V120 H0Z" fill="hsl({(hue + 200) % 360} 36% 34%)"/>'
        '<path d="M42 46 L29 64 L38 61 L44 68 L54 62Z" fill="#fff"/></svg>'
    )


def _landscape(light: Light, figures: str) -> str:
    x, y, radius, colour = light.disc
    stops = "".join(f'<stop offset="{at}" stop-color="{c}"/>' for at, c in zip((0, 0.45, 1), light.sky, strict=True))
    far, *nearer = map(_shape, _PEAKS, light.ridges)
    layers = [
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="url(#sky)"/>',
        f'<circle cx="{x}" cy="{y}" r="{radius}" fill="{colour}"/>',
        far,
        _shape(_SNOW, light.snow),
        *nearer,
        _shape(_RIVER, light.river),
        _shape(_CLIFFS, light.rock),
        _bridge(light.rope),
        figures,
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}">'
        f'<defs><linearGradient id="sky" x2="0" y2="1">{stops}</linearGradient></defs>{"".join(layers)}</svg>'
    )


def _shape(path: str, fill: str) -> str:
    return f'<path d="{path}" fill="{fill}"/>'


def _deck(x: float) -> float:
    """How high the floor hangs at ``x``: a parabola, which is what a loaded rope is."""
    along = 2 * (x - _LEFT) / (_RIGHT - _LEFT) - 1
    return _DECK + _SAG * (1 - along * along)


def _bridge(rope: str) -> str:
    middle = (_LEFT + _RIGHT) / 2
    cables = "".join(
        f'<path d="M{_LEFT} {y} Q{middle} {y + 2 * _SAG} {_RIGHT} {y}" stroke-width="{width}"/>'
        for y, width in ((_DECK, 9), (_DECK - 44, 5))
    )
    sides = "".join(f"M{x} {_deck(x) - 44:.0f} L{x + 14} {_deck(x + 14):.0f} " for x in range(_LEFT, _RIGHT - 14, 18))
    return f'<g fill="none" stroke="{rope}">{cables}<path d="{sides}" stroke-width="2"/></g>'


def _runner(x: float) -> str:
    return _RUNNER.format(x=x, y=round(_deck(x)) - 4)


def _lanterns() -> str:
    lights = range(_LEFT + 30, _RIGHT, 60)
    return "".join(f'<circle cx="{x}" cy="{_deck(x) - 52:.0f}" r="6" fill="#ffd479"/>' for x in lights)
