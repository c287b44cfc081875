"""Formulas, raised and lowered text as they are written in a line: 10⁶ and H₂O, never 106."""

from __future__ import annotations

from collections.abc import Callable

from selectolax.lexbor import LexborNode

from relay.text.nodes import children, first, words_of
from relay.text.page import Look
from relay.text.pictures import Given
from relay.text.reader import Enter, Reader

_UP = dict(
    zip(
        "0123456789+-−=()abcdefghijklmnoprstuvwxyzABDEGHIJKLMNOPRTUVW",
        "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻᴬᴮᴰᴱᴳᴴᴵᴶᴷᴸᴹᴺᴼᴾᴿᵀᵁⱽᵂ",
        strict=True,
    )
)
_DOWN = dict(zip("0123456789+-−=()aehijklmnoprstuvx", "₀₁₂₃₄₅₆₇₈₉₊₋₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ", strict=True))
_SIGNS = {"tm": "™", "sm": "℠", "r": "®", "c": "©"}
_ORDINALS = frozenset(
    (
        *("st", "nd", "rd", "th", "er", "ers", "re", "ère", "ere", "e", "es", "ème", "eme", "me", "nde", "de", "ste"),
        *("ro", "ra", "do", "da", "to", "ta", "mo", "ma", "vo", "va", "no", "na", "te"),
    )
)
_TITLES = frozenset(("lle", "lles", "mme", "me", "gr", "ra", "dr", "dra", "te", "ts", "nt", "bre", "al", "der"))
"""What ends an abbreviated word: M^lle, S^te, n^os."""
_PLAIN = frozenset("*†‡§¶®™℠©ºª°′″")
_LONGEST = 24


def raised(text: str, before: str) -> str:
    """A superscript behind the character ``before``."""
    if not text or all(char in _PLAIN for char in text):
        return text
    if text in ("TM", "SM", "R", "C", "tm") and before.isalpha():
        return _SIGNS[text.lower()]
    if (before.isdigit() or before.isupper()) and text.lower() in _ORDINALS:
        return text
    if before.isalpha() and text in _TITLES:
        return text
    if text in ("o", "a", "os", "as") and before.isalnum():
        return text.replace("o", "º").replace("a", "ª")
    return _moved(text, _UP, "^", before)


def lowered(text: str, before: str) -> str:
    """A subscript behind the character ``before``."""
    return _moved(text, _DOWN, "_", before) if text else ""


def _moved(text: str, letters: dict[str, str], sign: str, before: str) -> str:
    if all(char in letters for char in text):
        return "".join(letters[char] for char in text)
    if not before or before.isspace() or len(text) > _LONGEST:
        return text if not before or before.isspace() else f" {text}"
    if text.startswith(("(", "[")) and text.endswith((")", "]")):
        return text if text.startswith("[") else sign + text
    return f"{sign}({text})"


# --- the elements ---


def _index(moved: Callable[[str, str], str], sign: str) -> Enter:
    def enter(reader: Reader, node: LexborNode, _given: Given, look: Look) -> Look | None:
        if (words := words_of(node)) is not None:
            reader.page.text(moved(words, reader.page.last), look)
            return None
        inside = list(first(node))
        words = "".join(inner.text_content or "" for inner in inside if inner.tag == "-text").lstrip()
        around = ("", "")
        if any(inner.tag == "a" for inner in inside):
            around = ("", "") if words[:1] in ("", "[", "(") else ("[", "]")
        elif any(inner.tag in ("sub", "sup") for inner in inside):
            around = (sign + "(", ")")
        reader.page.text(around[0], look)
        reader.closings.append(around[1])
        return look

    return enter


def _formula(reader: Reader, node: LexborNode, given: Given, look: Look) -> Look | None:
    """As its author wrote it, where that stands beside it."""
    written = given.get("alttext") or ""
    for inner in children(node.first_child) if node.first_child else ():
        if inner.tag == "annotation" and "tex" in (inner.attributes.get("encoding") or ""):
            written = written or inner.text()
    if not written.strip():
        return look
    reader.page.text(written, look)
    return None


def _fraction(reader: Reader, node: LexborNode, _given: Given, look: Look) -> Look | None:
    parts = [words_of(child) for child in children(node) if child.tag != "-text"]
    if len(parts) != 2 or None in parts:
        return look
    reader.page.text("/".join(part if part.isalnum() else f"({part})" for part in parts if part), look)
    return None


def _scripts(moved: Callable[[str, str], str]) -> Enter:
    def enter(reader: Reader, node: LexborNode, _given: Given, look: Look) -> Look | None:
        parts = [words_of(child) for child in children(node) if child.tag != "-text"]
        if len(parts) != 2 or not parts[0] or not parts[1]:
            return look
        reader.page.text(parts[0] + moved(parts[1], parts[0][-1]), look)
        return None

    return enter


FORMULAS: dict[str, Enter] = {
    "math": _formula,
    "mfrac": _fraction,
    "msub": _scripts(lowered),
    "msup": _scripts(raised),
    "sub": _index(lowered, "_"),
    "sup": _index(raised, "^"),
}
"""By the name of the element."""
