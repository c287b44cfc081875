"""What several tests share with those of store private."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from contextlib import closing
from pathlib import Path

from relay.model import Post, PostUri
from relay.store.content import to_json
from relay.testing import author, post, text

MARK = "Quispicanchi"


def files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def marked(number: int, words: int) -> Post:
    """A post in which everything that names its author, or was written, contains the mark."""
    who = author(MARK)
    return post(
        number,
        uri=PostUri(f"{who.uri}/{number}"),
        url=f"{who.url}/{number}",
        author=who,
        title=MARK,
        body=text(" ".join([MARK, *["plain"] * words, MARK])),
        aliases=(f"https://ayllu.example/{MARK}/{number}",),
    )


def traces(folder: Path, mark: str = MARK) -> dict[str, int]:
    """How often the mark is in the bytes of each file, whatever its case."""
    return found(folder, {mark.lower().encode()})


def found(folder: Path, marks: Collection[bytes]) -> dict[str, int]:
    said = {path.name: path.read_bytes().lower() for path in files(folder)}
    found = {name: sum(said[name].count(mark) for mark in marks) for name in said}
    return {name: count for name, count in found.items() if count}


def stored(folder: Path, mark: str = MARK) -> set[bytes]:
    """How the marked posts begin as they are packed, where nobody can read the mark."""
    with closing(sqlite3.connect(folder / "relay.sqlite3")) as connection:
        rows = connection.execute("SELECT data FROM posts WHERE author = ?", [author(mark).uri]).fetchall()
    return {data[:40].lower() for (data,) in rows}


def packed_with(folder: Path, words: str) -> set[bytes]:
    """How the stored posts begin, as they are packed, in which these words are."""
    with closing(sqlite3.connect(folder / "relay.sqlite3")) as connection:
        rows = connection.execute("SELECT data FROM posts").fetchall()
    return {data[:40].lower() for (data,) in rows if words.encode() in to_json(data)}
