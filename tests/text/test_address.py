"""Whether two web addresses lead to one page."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from relay.core.urls import host_of, page

BRIDGE = "//ayllu.example/2026/bridge"


@pytest.mark.parametrize(
    "address",
    [
        "https://ayllu.example/2026/bridge",
        "http://ayllu.example/2026/bridge",
        "HTTPS://WWW.Ayllu.Example/2026/bridge/",
        "https://ayllu.example:443/2026/bridge",
        "https://ayllu.example./2026/bridge//",
        "https://ayllu.example/2026/bridge#comments",
        "https://ayllu.example/2026/bridge?utm_source=rss&utm_medium=feed",
        "https://ayllu.example/2026/bridge/?UTM_campaign=x#top",
    ],
)
def test_what_changes_though_the_page_is_the_same_is_left_out(address: str) -> None:
    assert page(address) == BRIDGE


@pytest.mark.parametrize(
    "address",
    [
        "https://ayllu.example/2026/Bridge",
        "https://ayllu.example/2026/bridge?page=2",
        "https://ayllu.example:8443/2026/bridge",
        "https://news.ayllu.example/2026/bridge",
        "https://ayllu.example/2026/bridge?utmost=1",
    ],
)
def test_other_pages_are_others(address: str) -> None:
    assert page(address) not in {"", BRIDGE}


@pytest.mark.parametrize(
    "address", ["", "at://did:plc:a/b/c", "mailto:illa@ayllu.example", "https://", "illa", "//x/y"]
)
def test_what_is_no_web_address_leads_to_no_page(address: str) -> None:
    assert page(address) == host_of(address) == ""


@pytest.mark.parametrize("user", ["ayllu.example", "illa:secret", "a@b", ""])
def test_a_users_name_in_an_address_is_no_host(user: str) -> None:
    assert host_of(f"https://{user}@other.example/2026/bridge") == "other.example"
    assert page(f"https://{user}@other.example/2026/bridge") == "//other.example/2026/bridge"
    assert host_of(f"https://{user}@/2026/bridge") == ""


def test_hosts_are_compared_in_ascii_without_port() -> None:
    assert host_of("https://www.Bücher.example:8443/x") == "xn--bcher-kva.example"


def test_a_long_address_is_short_enough_for_an_index_and_still_its_own() -> None:
    one, other = (page(f"https://ayllu.example/{'a' * 5_000}{end}") for end in "bc")
    assert len(one.encode()) < 2_500
    assert one != other


@example("HTTP://.")
@example("http://www.www.a.example:80:443./x")
@example("https://ｗｗｗ．a.example")
@given(st.text() | st.from_regex(r"https?://[\w.-]{1,20}(:\d+)?/\S*\Z"))
def test_any_text_has_a_page_or_none_and_keeps_it(text: str) -> None:
    there = page(text)
    assert len(there) <= 600
    if there and "…" not in there:
        assert page(f"https:{there}") == there
