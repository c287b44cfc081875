"""Dates in feeds: whatever publishers write is read as the moment they mean, or as none; never as another day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from babel import Locale
from hypothesis import given
from hypothesis import strategies as st

from relay.sources.date_names import _MONTHS, month, plain_letters
from relay.sources.feed_dates import _TOKEN, LONGEST, moment
from tests.support.feed_samples import only, posts, rss

NONE = ""


def told(text: str, language: str = "") -> str:
    read = moment(text, language)
    return f"{read:%Y-%m-%d %H:%M:%S}".removesuffix(":00") if read else NONE


STANDARD = {
    "Sun, 08 Mar 2026 09:30:00 GMT": "2026-03-08 09:30",
    "Sun, 8 Mar 2026 09:30 +0100": "2026-03-08 08:30",
    "8 Mar 26 09:30:15 EST": "2026-03-08 14:30:15",
    "Sunday, 08-Mar-26 09:30:00 GMT": "2026-03-08 09:30",
    "Sun Mar  8 09:30:00 2026": "2026-03-08 09:30",
    "Mon, 08 Mar 2026 09:30:00 GMT": "2026-03-08 09:30",  # it is a Sunday
    "2026-03-08T09:30:00Z": "2026-03-08 09:30",
    "2026-03-08T09:30:00.987654321-03:30": "2026-03-08 13:00",
    "2026-03-08T09:30Z": "2026-03-08 09:30",
    "2026-03-08t09:30:00z": "2026-03-08 09:30",
    "2026-03-08": "2026-03-08 00:00",
    "2026-03-08+02:00": "2026-03-07 22:00",
    "2026-03-08-05:00": "2026-03-08 05:00",
    "20260308T093000Z": "2026-03-08 09:30",
    "20260308": "2026-03-08 00:00",
    "20260308093015": "2026-03-08 09:30:15",
    "2026-W10-7": "2026-03-08 00:00",
    "2026W107T09:30Z": "2026-03-08 09:30",
    "2026-067T09:30:00Z": "2026-03-08 09:30",
    "2026-03-08T24:00:00Z": "2026-03-09 00:00",
    "2016-12-31T23:59:60Z": "2017-01-01 00:00",
    "1772962200": "2026-03-08 09:30",
    "1772962200.5": "2026-03-08 09:30",
    "1772962200000": "2026-03-08 09:30",
    "1772962200000000": "2026-03-08 09:30",
}
ZONES = {
    "CEST": 2,
    "MESZ": 2,
    "CET": 1,
    "BST": 1,
    "MSK": 3,
    "BRT": -3,
    "AEST": 10,
    "NZDT": 13,
    "JST": 9,
    "IST": 5.5,
    "NPT": 5.75,
    "PDT": -7,
    "EST5EDT": -4,
    "PT": -7,
    "America/Lima": -5,
    "Europe/Berlin": 2,
    "Etc/UTC": 0,
    "UT": 0,
    "z": 0,
    "+02": 2,
    "+2": 2,
    "-0330": -3.5,
    "-700": -7,
    "--0700": -7,
    "\N{MINUS SIGN}07:00": -7,
    "+02:00:00": 2,
    ":-0700": -7,
    "00": 0,
    "GMT+0200": 2,
    "GMT-07:00": -7,
    "UTC+2": 2,
    "MST-07:00": -7,
    "MST -0700": -7,
    "-0700 MST": -7,
    "+0200 (CEST)": 2,
    "+0000 GMT": 0,
    "GMT+0200 (Central European Summer Time)": 2,
    "-07:00Z": -7,
    "+02:00[Europe/Berlin]": 2,
    "XQZT": 0,
    "": 0,
}
PLACES = [  # where the zone stands, and what stands around the time
    "Wed, 01 Jul 2026 15:04:05 {}",
    "Wed, 01 Jul 2026 15:04:05{}",
    "2026-07-01T15:04:05 {}",
    "2026-07-01 15:04:05.000 {}",
    "Wed Jul 1 15:04:05 {} 2026",
    "July 1, 2026 3:04:05 PM {}",
]
ORDERS = {
    "Mar 8, 2026": "2026-03-08 00:00",
    "8 March, 2026": "2026-03-08 00:00",
    "2026 March 08": "2026-03-08 00:00",
    "Sunday, March 8, 2026 - 9:05pm": "2026-03-08 21:05",
    "Sun, Mar 08 2026 08:28:28 PM": "2026-03-08 20:28:28",
    "March 8, 2026 at 12:05 a.m.": "2026-03-08 00:05",
    "March 8, 2026, 12:05 p. m.": "2026-03-08 12:05",
    "March 8th 2026 9pm EST": "2026-03-09 02:00",
    "9:05 PM on March 8, 2026": "2026-03-08 21:05",
    "Sun, 8 Mar 2026 21:05 PM": "2026-03-08 21:05",
    "08 Sunday, Mar 2026 21:05": "2026-03-08 21:05",
    "Sun, 1st Mar 2026 21:05:00 GMT": "2026-03-01 21:05",
    "Mar 8 '26": "2026-03-08 00:00",
    "Sun, 08 Mar 126 09:30:00 GMT": "2026-03-08 09:30",
    "2026/03/08 09:30": "2026-03-08 09:30",
    "Sun, 2026/03/08 09:30:00 EDT": "2026-03-08 13:30",
    "2026.03.08 09:30": "2026-03-08 09:30",
    "2026-3-8 9:5:7": "2026-03-08 09:05:07",
    "09:30 08.03.2026 -0700": "2026-03-08 16:30",
    "08.03.2026": "2026-03-08 00:00",
    "08.03.2026 09.30": "2026-03-08 09:30",
    "28/03/2026 09:30": "2026-03-28 09:30",
    "03-28-2026": "2026-03-28 00:00",
    "04/04/2026": "2026-04-04 00:00",
    "Sun, 03/08/2026 - 09:30": "2026-03-08 09:30",
    "Sun, 08 03 2026 09:30:00 -0700": "2026-03-08 16:30",
    "31/12/99": "1999-12-31 00:00",
    "Sun,&nbsp;08 Mar&#160;2026 09:30:00 GMT": "2026-03-08 09:30",
    "Sun,\N{NO-BREAK SPACE}08\N{NARROW NO-BREAK SPACE}Mar\u20032026\t09:30\n": "2026-03-08 09:30",
    "\u200e08\u200f Mar 2026": "2026-03-08 00:00",
}
TONGUES = {
    "Fr, 11 Okt 2024 11:14:11 -0400": "2024-10-11 15:14:11",
    "Sonntag, 8. März 2026 - 15:04 Uhr MEZ": "2026-03-08 14:04",
    "8. Jänner 2026 um 15.04 Uhr": "2026-01-08 15:04",
    "mar, 10 mar 2026 15:04:05 +0100": "2026-03-10 14:04:05",
    "mar. 10/11/2026": NONE,
    "mar. 13/10/2026": "2026-10-13 00:00",
    "mardi 10 novembre 2026 à 15h04": "2026-11-10 15:04",
    "1er août 2026": "2026-08-01 00:00",
    "8 de marzo de 2026 a las 3:04 p. m.": "2026-03-08 15:04",
    "dom., 8 de mar. de 2026": "2026-03-08 00:00",
    "Seg, 09 Fev 2026 15:04:05 -0300": "2026-02-09 18:04:05",
    "9 de março de 2026 às 15h04": "2026-03-09 15:04",
    "lunedì 9 marzo 2026, ore 15.04": "2026-03-09 15:04",
    "ma, 09 mrt 2026 15:04:05 +0100": "2026-03-09 14:04:05",
    "Пн, 09 мар 2026 15:04:05 +0300": "2026-03-09 12:04:05",
    "9 мая 2026 г., 15:04": "2026-05-09 15:04",
    "9 Mart 2026 Pazartesi 15:04": "2026-03-09 15:04",
    "Pzt, 09 Ağu 2026 15:04:05 +0300": "2026-08-09 12:04:05",
    "9. března 2026 15:04": "2026-03-09 15:04",
    "9 września 2026 15:04": "2026-09-09 15:04",
    "9. maaliskuuta 2026 klo 15.04": "2026-03-09 15:04",
    "9. desember 2026 kl. 15:04": "2026-12-09 15:04",
    "2026. március 9., hétfő 15:04": "2026-03-09 15:04",
    "2026 m. kovo 9 d. 15:04": "2026-03-09 15:04",
    "2026. gada 9. martā": "2026-03-09 00:00",
    "9 d’abril de 2026": "2026-04-09 00:00",
    "Δευ, 09 Μαρ 2026 15:04:05 +0200": "2026-03-09 13:04:05",
    "9 Μαΐου 2026, 3:04 μ.μ.": "2026-05-09 15:04",
    "2026年3月9日(月) 15時04分": "2026-03-09 15:04",
    "2026年3月9日 下午3:04": "2026-03-09 15:04",
    "2026년 3월 9일 오후 3:04": "2026-03-09 15:04",
    "2026. 3. 9. 오전 12:04:05": "2026-03-09 00:04:05",
    "ngày 9 tháng 3 năm 2026 15:04": "2026-03-09 15:04",
    "٩ مارس ٢٠٢٦": "2026-03-09 00:00",
    "9 मार्च 2026": "2026-03-09 00:00",
}
NO_DATES = [
    *("", " ", "yesterday", "3 hours ago", "15:04", "10", "Sunday", "T", "0", "-1", "nan", "1e99", "." * LONGEST),
    *(
        "2026",
        "2026-03",
        "March 2026",
        "Sun, 08 Mar 09:30:00 GMT",
        "March 8",
        "12345678",
    ),  # a part is missing
    *("03/04/2026", "03-04-2026 15:04", "3/4/2026 3:04 PM", "01/02/06 15:04", "02.01.06", "6/1/2 15:04"),  # in doubt
    *("9 lip 2026", "2 listopada 2026", "2 xyz 2026", "2 xyz 3 2026", "jui 8 2026"),
    *("Sat, 30 Feb 2026 10:00:00 GMT", "2026-02-30T10:00:00Z", "2026-13-01", "2026-00-10", "32 Mar 2026"),
    *("Sun, 08 Mar 2026 25:00:00 GMT", "Sun, 08 Mar 2026 09:61:00 GMT", "2026-03-08T24:00:01Z"),
    *("Sun, 08 Mar 2026 09:30:00 +9900", "2026-W54-1", "2026-367", "March 2-4, 2026", "1.2.3.2026"),
    *("Thu, 01 Jan 1970 00:00:00 GMT", "1970-01-01", "1970-01-01T01:00:00+01:00", "1970-01-01 00:00 EST", "000000000"),
    *("Mon, 01 Jan 0001 00:00:00 GMT", "1969-12-31T23:59:59Z", "9999-12-31T23:59:59-14:00", "9" * 17, "0001-01-01"),
    *("Sun, 08 Mar 2026 09:30:00 GMT" + " " * LONGEST, "8 Mar 2026 " * 20, "&" * 100, "२" * 100),
]


@pytest.mark.parametrize(("text", "expected"), (STANDARD | ORDERS | TONGUES).items())
def test_a_date_is_the_moment_that_is_meant(text: str, expected: str) -> None:
    assert told(text) == expected


@pytest.mark.parametrize("text", NO_DATES)
def test_what_is_in_doubt_or_no_date_is_none(text: str) -> None:
    assert told(text) == NONE


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("zone", "hours"), ZONES.items())
def test_a_zone_is_that_many_hours_from_utc(place: str, zone: str, hours: float) -> None:
    text = place.format("" if "05{}" in place and zone == "00" else zone)  # digits behind digits are other seconds
    expected = datetime(2026, 7, 1, 15, 4, 5, tzinfo=UTC) - timedelta(hours=hours)
    assert moment(text) == expected


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("03/04/2026", "de", "2026-04-03 00:00"),
        ("03/04/2026", "fr-CA", "2026-04-03 00:00"),
        ("03/04/2026", "en-GB", "2026-04-03 00:00"),
        ("03/04/2026", "en_US", "2026-03-04 00:00"),
        ("03/04/2026", "en", NONE),
        ("03/04/2026", "ko", NONE),
        ("02.03.26", "de-AT", "2026-03-02 00:00"),
        ("26.03.02", "ko-KR", "2026-03-02 00:00"),
        ("Fri, 03/04/2026", "en-US", "2026-04-03 00:00"),
        ("9 lip 2026", "pl", "2026-07-09 00:00"),
        ("9. lip 2026.", "hr", "2026-06-09 00:00"),
        ("2 listopada 2026", "hr-HR", "2026-10-02 00:00"),
    ],
)
def test_the_language_of_the_feed_decides_what_would_be_in_doubt(text: str, language: str, expected: str) -> None:
    assert told(text, language) == expected


@pytest.mark.parametrize("language", _MONTHS)
def test_a_month_has_the_names_that_its_language_gives_it(language: str) -> None:
    """As the Unicode CLDR has them, the short ones, too."""
    locale = Locale.parse({"no": "nb"}.get(language, language))
    for case in ("format", "stand-alone"):
        for width in ("wide", "abbreviated"):
            for number, name in locale.months[case][width].items():
                words = _TOKEN.findall(plain_letters(name))
                assert number in {month(word, language) for word in words}, name


@given(st.datetimes(datetime(1970, 1, 2), datetime(8999, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 - Hypothesis wants them naive
def test_what_the_standards_write_is_read_to_the_second(when: datetime) -> None:
    when = when.replace(microsecond=0)
    for text in (format_datetime(when), when.isoformat(), f"{when:%d.%m.%Y %H:%M:%S}", f"{when:%Y/%m/%d, %I:%M:%S %p}"):
        assert moment(text) == when


@given(
    st.text(st.sampled_from("0123456789 :+-./,TZapmhMarMonEST年上午&;#'()[]\u00a0"), max_size=LONGEST + 9) | st.text()
)
def test_no_text_raises(text: str) -> None:
    read = moment(text, text[:5])
    assert read is None or (1970 <= read.year <= 9000 and read.utcoffset() == timedelta())


def test_an_entry_has_the_date_that_its_feed_writes() -> None:
    entry = "<title>x</title><guid>1</guid><pubDate>{}</pubDate>"
    assert only(entry.format("Thu, 26 Feb 2026 08:57:00 CEST")).published == datetime(2026, 2, 26, 6, 57, tzinfo=UTC)
    assert only(entry.format("Feb 4, 2026")).published == datetime(2026, 2, 4, tzinfo=UTC)
    channel = "<title>x</title><language>es-PE</language>"
    (post,) = posts(rss(entry.format("03/02/2026 3:04 p.m."), channel=channel))
    assert post.published == datetime(2026, 2, 3, 15, 4, tzinfo=UTC)
