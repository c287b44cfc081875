"""Pages are made once for as long as nothing about them changes."""

from __future__ import annotations

from dataclasses import replace

from relay.consent import Consent
from relay.testing import post, text
from relay.web.made import Made
from relay.web.reading import Reading

READING = Reading(posts=(post(1), post(2)), slug="abc")
ALLOWED = Consent(page=True)


def test_a_page_that_was_made_is_made_no_more() -> None:
    made = Made()
    assert made.get(READING, ALLOWED, "../") is None
    made.put(READING, ALLOWED, "../", "<p>")
    assert made.get(Reading(posts=(post(1), post(2)), slug="abc"), ALLOWED, "../") == "<p>"


def test_whatever_changes_has_it_made_anew() -> None:
    made = Made()
    made.put(READING, ALLOWED, "../", "<p>")
    edited = replace(READING, posts=(post(1), post(2, body=text("Better."))))
    assert made.get(edited, ALLOWED, "../") is None
    assert made.get(READING, Consent(page=True, listed=True), "../") is None
    assert made.get(READING, ALLOWED, "./") is None
    assert made.get(replace(READING, slug="other"), ALLOWED, "../") is None


def test_there_is_only_so_much_room() -> None:
    made = Made(most=10)
    for slug in "abc":
        made.put(replace(READING, slug=slug), ALLOWED, "../", "12345")
    made.put(replace(READING, slug="c"), ALLOWED, "../", "54321")
    assert [made.get(replace(READING, slug=slug), ALLOWED, "../") for slug in "abc"] == [None, "12345", "54321"]
    made.put(replace(READING, slug="long"), ALLOWED, "../", "x" * 11)
    assert made.get(replace(READING, slug="long"), ALLOWED, "../") is None
