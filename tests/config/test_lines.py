from __future__ import annotations

import tomllib
from collections.abc import Iterator

from hypothesis import given, settings
from hypothesis import strategies as st

from relay.config.lines import Key, spots
from tests.support.thorough import examples


def test_keys_are_found_on_their_lines() -> None:
    found = spots(
        'top = 1\n[a.b]\nc.d = """\n[no]\nno = 1"""\n"e f" = [ 1, # [\n  { g = 2 },\n]\n'
        "[[h]]\ni = 1\n[h.j]\n[[h]]\ni = 2\n"
    )
    lines = {".".join(map(str, key)): (spot.line, spot.column, spot.length) for key, spot in found.items()}
    assert lines == {
        "top": (1, 1, 3),
        "a": (2, 2, 1),
        "a.b": (2, 4, 1),
        "a.b.c": (3, 1, 1),
        "a.b.c.d": (3, 3, 1),
        "a.b.e f": (6, 1, 5),
        "a.b.e f.0": (6, 11, 1),
        "a.b.e f.1": (7, 3, 1),
        "a.b.e f.1.g": (7, 5, 1),
        "h": (9, 3, 1),
        "h.0": (9, 3, 1),
        "h.0.i": (10, 1, 1),
        "h.0.j": (11, 4, 1),
        "h.1": (12, 3, 1),
        "h.1.i": (13, 1, 1),
    }


SCALARS = st.sampled_from(
    [
        "1",
        "-1.5e3",
        "true",
        "1979-05-27 07:32:00",
        '"a # ] } , b = c"',
        "'x\"'",
        '"\\""',
        '""',
        "''",
        "0x1F",
        "inf",
        '"""\n[t]\nu = 1\n"""',
        '"""q""""',
        "'''\n[t]\nu = 1'''",
        '"""a\\""""',
        '"""two"" """""',
        "'''it''s'''",
    ]
)
KEYS = st.sampled_from(["a", "b-1", "1", "true", '"q r"', "'s.t'", '"="', '"#"', '"\\u00e9"', '""'])


def arrays(items: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    gaps = st.sampled_from([", ", ",\n  ", ", # ] no end\n"])
    return st.builds(lambda entries, gap: f"[{gap.join(entries)}]", st.lists(items, max_size=3), gaps)


def inline_tables(items: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pairs = st.dictionaries(KEYS, items, max_size=3)
    return pairs.map(lambda table: "{" + ", ".join(f"{key} = {value}" for key, value in table.items()) + "}")


VALUES = st.recursive(SCALARS, lambda items: arrays(items) | inline_tables(items), max_leaves=6)
PAIRS = st.dictionaries(KEYS, VALUES, max_size=3).map(
    lambda table: "".join(f"{key} = {value} # [x]\n" for key, value in table.items())
)
SECTIONS = st.sampled_from(
    ["[t]\n", "[u.v]\n", "[[w]]\n", "[[ w ]]\n", "[w.x]\n", "[[w.y]]\n", '["w" . z]\n', "\n", "# [c]\n"]
)
DOCUMENTS = st.builds(
    lambda head, sections: head + "".join(section + pairs for section, pairs in sections),
    PAIRS,
    st.lists(st.tuples(SECTIONS, PAIRS), max_size=5),
)


def keys_of(value: object, key: Key = ()) -> Iterator[Key]:
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, entry in entries:
        yield (*key, name)
        yield from keys_of(entry, (*key, name))


@given(DOCUMENTS)
@settings(max_examples=examples(200), deadline=None)
def test_every_key_of_any_document_is_found_where_it_is_written(text: str) -> None:
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return  # only well-formed documents are asked for
    found = spots(text)
    assert set(found) == set(keys_of(tables))
    for key, spot in found.items():
        if isinstance(key[-1], str):
            written = text.split("\n")[spot.line - 1][spot.column - 1 :][: spot.length]
            assert tomllib.loads(f"{written} = 0") == {key[-1]: 0}
