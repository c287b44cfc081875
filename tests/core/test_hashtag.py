"""Hashtags that are one, and those that are not."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from relay.core.hashtag import fold, same
from tests.support.thorough import examples

NETWORKS = st.sampled_from(["mastodon", "bluesky", "another"])


@pytest.mark.parametrize(
    ("tag", "mastodon", "elsewhere"),
    [
        ("#Ayni", "ayni", "ayni"),
        ("＃Ayni", "ayni", "ayni"),
        (" ##Ayni ", "ayni", "ayni"),
        ("ＡＹＮＩ２", "ayni2", "ayni2"),
        ("Café", "cafe", "café"),
        ("Cafe\u0301", "cafe", "café"),
        ("Straße", "strasse", "strasse"),
        ("STRAẞE", "strasse", "strasse"),
        ("Æsir", "aesir", "æsir"),
        ("Ǿre", "ore", "ǿre"),
        ("Łódź", "lodz", "łódź"),
        ("İstanbul", "istanbul", "i\u0307stanbul"),
        ("ısı", "isi", "ısı"),
        ("Việt", "viet", "việt"),
        ("ΑΘΉΝΑ", "αθήνα", "αθήνα"),
        ("йод", "йод", "йод"),
        ("หนังสือ", "หนังสือ", "หนังสือ"),
        ("ภาษาไทย", "ภาษาไทย", "ภาษาไทย"),
        ("हिन्दी", "हिन्दी", "हिन्दी"),
        ("日本語", "日本語", "日本語"),
        ("ｶﾀｶﾅ", "カタカナ", "カタカナ"),
        ("한국어", "한국어", "한국어"),
        ("می\u200cخواهم", "می\u200cخواهم", "می\u200cخواهم"),
        ("snake_case", "snake_case", "snake_case"),
        ("ポケモン・ゴー", "ポケモン・ゴー", "ポケモン・ゴー"),
        ("rock'n'roll", "rocknroll", "rock'n'roll"),
        ("C++", "c", "c++"),
        ("$ABC", "abc", "$abc"),
        ("❤️", "", "❤"),
        ("2026", "", ""),
        ("#２０２６", "", ""),
        ("2026年", "2026年", "2026年"),
        ("1_2", "1_2", ""),
        ("#", "", ""),
        ("", "", ""),
        ("...", "", ""),
        ("\u202e\x00", "", ""),
        ("\ud83d", "", ""),
    ],
)
def test_each_network_folds_by_its_own_rules(tag: str, mastodon: str, elsewhere: str) -> None:
    assert fold(tag, "mastodon") == mastodon
    assert fold(tag, "bluesky") == fold(tag, "another") == elsewhere


@pytest.mark.parametrize(
    ("a", "b", "network", "answer"),
    [
        ("#Café", "cafe", "mastodon", True),
        ("#Café", "cafe", "bluesky", False),
        ("#Café", "CAFÉ", "bluesky", True),
        ("Ayni", "Minka", "mastodon", False),
        ("2026", "2026", "mastodon", False),
        ("", "", "bluesky", False),
    ],
)
def test_two_hashtags_are_one_where_they_fold_alike_and_are_hashtags(
    a: str, b: str, network: str, *, answer: bool
) -> None:
    assert same(a, b, network) is answer


@given(st.text(), NETWORKS)
@example("ͅΐ", "mastodon")
@example("#\ufe0f#a", "bluesky")
@settings(max_examples=examples(200), deadline=None)
def test_folding_twice_changes_nothing(tag: str, network: str) -> None:
    folded = fold(tag, network)
    assert fold(folded, network) == folded
    assert fold("#" + tag, network) == folded


@given(st.text(st.characters(codec="ascii") | st.sampled_from("éÉßæÆøØñÑжЖαΑ")), NETWORKS)
@settings(max_examples=examples(200), deadline=None)
def test_case_makes_no_difference(tag: str, network: str) -> None:
    assert fold(tag, network) == fold(tag.upper(), network) == fold(tag.lower(), network) == fold(tag.title(), network)
