"""Every regular expression of the program, what it is used for, and texts that make a careless one slow."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any, NamedTuple

import adapters
import relay

# The standard library's own reader of patterns; it has no public name.
_parser: Any = importlib.import_module("re._parser")
_compiler: Any = importlib.import_module("re._compiler")
_codes: Any = importlib.import_module("re._constants")

_LIBRARIES = ("re", "regex", "re2")
_NAMED = re.compile(rf"\b(?:{'|'.join(_LIBRARIES)})\.")
_ONCE = ("match", "fullmatch", "search")
_ALL = ("finditer", "findall", "sub", "subn", "split")
_FLAGS_AT = {"compile": 1, "split": 3, "sub": 4, "subn": 4}
"""Where the flags stand among the arguments; third in all other functions."""


class Attack(NamedTuple):
    """A text of any length: ``before``, ``again`` as often as it fits, ``behind``."""

    before: str
    again: str
    behind: str

    def text(self, length: int) -> str:
        return self.before + self.again * (length // len(self.again)) + self.behind


@dataclass(frozen=True)
class Used:
    """A pattern, and how it is applied; ``finditer`` stands for whatever finds all."""

    where: str
    pattern: re.Pattern[Any]
    ways: frozenset[str]

    def seconds(self, way: str, text: str, *, runs: int = 1) -> float:
        """The processor's time that one run takes, the least of some."""
        given = text.encode("latin-1", "replace") if isinstance(self.pattern.pattern, bytes) else text
        return min(_seconds(self.pattern, way, given) for _ in range(runs))


def _seconds(pattern: re.Pattern[Any], way: str, text: str | bytes) -> float:
    begun = time.thread_time()
    if way == "finditer":
        for _ in pattern.finditer(text):
            pass
    else:
        getattr(pattern, way)(text)
    return time.thread_time() - begun


# --- finding them ---


@cache
def modules() -> tuple[ModuleType, ...]:
    """All modules but the migrations, which read no foreign text and run when they are imported."""
    names = [
        found.name
        for package in (relay, adapters)
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
        if ".migrations" not in found.name
    ]
    return tuple(importlib.import_module(name) for name in names)


def compiled(module: ModuleType) -> Iterator[re.Pattern[Any]]:
    """The patterns that a module and its classes hold, also within tuples, lists and dictionaries."""
    held = list(vars(module).values())
    own = [value for value in held if isinstance(value, type) and value.__module__ == module.__name__]
    held += [value for kind in own for value in vars(kind).values()]
    for value in held:
        yield from _within(value)


def _within(value: object) -> Iterator[re.Pattern[Any]]:
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _within(inner)
    elif isinstance(value, tuple | list | set | frozenset):
        for inner in value:
            yield from _within(inner)


@dataclass(frozen=True)
class Sources:
    """What the source text says: patterns that could be read there, and the functions that make others as they run."""

    used: tuple[Used, ...]
    made: frozenset[str]


@cache
def sources() -> Sources:
    used: list[Used] = []
    made: set[str] = set()
    for module in modules():
        source = inspect.getsource(module)
        if not _NAMED.search(source):
            continue
        tree = ast.parse(source)
        ways = _ways(tree)
        for call, place, name in _calls(tree):
            where = f"{module.__name__}.{name or place}"
            pattern = _read(call, module)
            if pattern is None:
                made.add(where)
            elif isinstance(pattern, re.Pattern):
                function = _function(call)
                told = {function} if function != "compile" else ways[name] or {"match", "fullmatch", "search", "sub"}
                used.append(Used(where, pattern, frozenset(way if way in _ONCE else "finditer" for way in told)))
    return Sources(tuple(used), frozenset(made))


def _function(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else ""


def _calls(tree: ast.Module) -> Iterator[tuple[ast.Call, str, str]]:
    """Calls of a pattern library, the function in which they stand, and the name that the outcome is given."""

    def walk(node: ast.AST, place: str, name: str) -> Iterator[tuple[ast.Call, str, str]]:
        for child in ast.iter_child_nodes(node):
            inner = child.name if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) else place
            called = name
            if isinstance(child, ast.Assign) and isinstance(child.targets[0], ast.Name):
                called = child.targets[0].id
            if isinstance(child, ast.Call) and _is_of_a_library(child):
                yield child, inner, called
            yield from walk(child, inner, called)

    yield from walk(tree, "", "")


def _is_of_a_library(call: ast.Call) -> bool:
    return _library(call) in _LIBRARIES and _function(call) in ("compile", *_ONCE, *_ALL)


def _library(call: ast.Call) -> str:
    """``re`` in ``re.compile(…)``."""
    function = call.func
    return function.value.id if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name) else ""


def _read(call: ast.Call, module: ModuleType) -> object:
    """The pattern, where the module's own names are enough to make it."""
    position = _FLAGS_AT.get(_function(call), 2)
    given = next((word.value for word in call.keywords if word.arg == "flags"), None)
    flags = given or (call.args[position] if len(call.args) > position else None)
    library = importlib.import_module(_library(call))
    try:
        pattern = _value(call.args[0], module)
        return library.compile(pattern, *([_value(flags, module)] if flags else []))
    except (NameError, AttributeError, TypeError):
        return None


def _value(node: ast.expr, module: ModuleType) -> Any:
    code = compile(ast.Expression(node), module.__name__, "eval")
    return eval(code, dict(vars(module)))  # noqa: S307 - an expression of our own source


def _ways(tree: ast.Module) -> dict[str, set[str]]:
    """By which methods each name of a module is applied."""
    ways: defaultdict[str, set[str]] = defaultdict(set)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in (*_ONCE, *_ALL) and isinstance(node.value, ast.Name):
            ways[node.value.id].add(node.attr)
    return ways


# --- attacking them ---

_LETTERS = [chr(code) for code in range(1, 127)] + list("éß…＠＃漢ñ中")
_TELLING = "a-A0 \n./:<&#@\"'_é([*,;=\\?!`~|^$%+{>\t"
_BEHIND = ("", "\0")
_MOST_LETTERS = 8


def attacks(pattern: re.Pattern[Any]) -> tuple[Attack, ...]:
    """Texts made of a pattern's own parts: each part that may come again, many times, behind what leads to it."""
    written = pattern.pattern if isinstance(pattern.pattern, str) else pattern.pattern.decode("latin-1")
    flags = pattern.flags | (0 if isinstance(pattern.pattern, str) else re.ASCII)
    tree = _parser.parse(written, flags)
    whole, repeats = _sample(tree, tree.state.flags)
    starts = [("", before + again) for before, again in repeats] + [("", before) for before, _ in repeats]
    pairs = [("", whole), ("", whole[:-1]), *repeats, *starts, *(("", one) for one in whole)]
    return tuple(Attack(before, again, end) for before, again in dict.fromkeys(pairs) if again for end in _BEHIND)


_Repeats = list[tuple[str, str]]


def _sample(nodes: Iterable[tuple[Any, Any]], flags: int) -> tuple[str, _Repeats]:
    """A short text that fits, and what may be repeated in it with what stands before that."""
    text, repeats = "", _Repeats()
    for kind, value in nodes:
        fitting, inner = _node(kind, value, flags)
        repeats += [(text + before, again) for before, again in inner]
        text += fitting
    return text, repeats


def _node(kind: Any, value: Any, flags: int) -> tuple[str, _Repeats]:
    if kind is _codes.LITERAL:
        return chr(value), []
    if kind in (_codes.NOT_LITERAL, _codes.IN, _codes.ANY):
        return _letters(kind, value, flags)[0], []
    if kind in (_codes.MAX_REPEAT, _codes.MIN_REPEAT, _codes.POSSESSIVE_REPEAT):
        return _repeated(value, flags)
    if kind is _codes.BRANCH:
        branches = [_sample(branch, flags) for branch in value[1]]
        inner = [one for _, repeats in branches for one in repeats]
        return branches[0][0], [*inner, *(("", text) for text, _ in branches)]
    if kind in (_codes.ASSERT, _codes.ASSERT_NOT):
        return "", _sample(value[1], flags)[1]
    group = value[3] if kind is _codes.SUBPATTERN else value if kind is _codes.ATOMIC_GROUP else ()
    return _sample(group, flags)


def _repeated(value: tuple[int, int, Sequence[tuple[Any, Any]]], flags: int) -> tuple[str, _Repeats]:
    least, most, inner = value
    text, repeats = _sample(inner, flags)
    if most > 8:
        single = len(inner) == 1 and inner[0][0] in (_codes.NOT_LITERAL, _codes.IN, _codes.ANY)
        letters = _letters(*inner[0], flags) if single else [text]
        mixed = ["".join(letters[:2]), "".join(letters)]
        repeats = [*repeats, *(("", one) for one in letters + mixed)]
    return text * max(least, 1), repeats


def _letters(kind: Any, value: Any, flags: int) -> list[str]:
    """Letters of a class, those first that other parts of patterns are likely to take as well."""
    one = _parser.SubPattern(_parser.State())
    one.state.flags = flags
    one.append((kind, value))
    fitting = [letter for letter in _LETTERS if _compiler.compile(one, flags).fullmatch(letter)]
    return sorted(set(fitting) & set(_TELLING), key=_TELLING.index)[:_MOST_LETTERS] or fitting[:1] or ["a"]
