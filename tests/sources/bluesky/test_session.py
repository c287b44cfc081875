"""The account's session: made seldom, renewed when it ran out, at its own server, told to nobody."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from relay.http import Http, HttpSettings
from relay.ports import Gone, TryLater
from relay.sources.bluesky.session import Session, SessionFile, home
from relay.sources.kit import Denied, Missing, Ok, Unexpected
from tests.servers.bluesky.xrpc import HANDLE, HTML, PASSWORD, Stage, client, run

ASK = "com.atproto.server.getSession"


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with run() as stage:
        yield stage


@pytest.fixture
async def http() -> AsyncIterator[Http]:
    async with client() as http:
        yield http


def session(http: Http, stage: Stage, password: str = PASSWORD) -> Session:
    return Session(http, stage.entrance, HANDLE, SecretStr(password))


async def test_it_is_made_when_first_needed_and_kept(http: Http, stage: Stage) -> None:
    """At the entrance; questions go to the server that the account's document names."""
    account = session(http, stage)
    assert stage.asked == []
    for _ in range(3):
        assert isinstance(await account.ask(ASK), Ok)
    assert stage.asked == ["entrance/xrpc/com.atproto.server.createSession", *[f"home/xrpc/{ASK}"] * 3]
    assert account.home == stage.home.partition("//")[2]


async def test_one_that_ran_out_is_renewed_and_the_question_asked_again(http: Http, stage: Stage) -> None:
    account = session(http, stage)
    await account.ask(ASK)
    stage.expire()
    assert isinstance(await account.ask(ASK), Ok)
    assert (stage.count("createSession"), stage.count("refreshSession")) == (1, 1)


async def test_many_who_ask_at_once_make_one_session(http: Http, stage: Stage) -> None:
    account = session(http, stage)
    answers = await asyncio.gather(*(account.ask(ASK) for _ in range(10)))
    assert all(isinstance(answer, Ok) for answer in answers)
    stage.expire()
    answers = await asyncio.gather(*(account.ask(ASK) for _ in range(10)))
    assert all(isinstance(answer, Ok) for answer in answers)
    assert (stage.count("createSession"), stage.count("refreshSession")) == (1, 1)


async def test_nobody_signs_in_twice_in_five_minutes(http: Http, stage: Stage) -> None:
    """Though the session was ended at the other side: what waits is a value."""
    account = session(http, stage)
    await account.ask(ASK)
    stage.expire("access")
    stage.expire("renewal")
    for _ in range(5):
        answer = await account.ask(ASK)
        assert isinstance(answer, TryLater)
        assert answer.after
        assert answer.after <= timedelta(minutes=5)
    assert stage.count("createSession") == 1


async def test_a_wrong_password_is_tried_once_and_not_told(http: Http, stage: Stage) -> None:
    account = session(http, stage, "wrong-wrong")
    for _ in range(5):
        answer = await account.ask(ASK)
        assert isinstance(answer, TryLater)
        assert answer.after
        assert timedelta(minutes=14) < answer.after <= timedelta(minutes=15)
        assert HANDLE in answer.reason
        assert "wrong-wrong" not in answer.reason
    assert stage.count("createSession") == 1


async def test_a_second_factor_says_what_to_do(http: Http, stage: Stage) -> None:
    stage.say("createSession", {"error": "AuthFactorTokenRequired", "message": "x"}, status=401)
    answer = await session(http, stage).ask(ASK)
    assert isinstance(answer, TryLater)
    assert "app password" in answer.reason


async def test_the_limit_of_the_server_is_kept(http: Http, stage: Stage) -> None:
    stage.sign_ins = 0
    account = session(http, stage)
    for _ in range(3):
        answer = await account.ask(ASK)
        assert isinstance(answer, TryLater)
        assert answer.after
    assert stage.count("createSession") == 1


@pytest.mark.parametrize("body", [HTML, b"", b"{}", b'{"accessJwt": 5}', b"[]"])
async def test_an_odd_answer_opens_nothing(http: Http, stage: Stage, body: bytes) -> None:
    stage.say("createSession", body)
    account = session(http, stage)
    assert isinstance(await account.ask(ASK), TryLater)
    assert isinstance(await account.ask(ASK), TryLater)
    assert stage.count("createSession") == 1


async def test_trouble_while_renewing_keeps_what_there_is(http: Http, stage: Stage) -> None:
    account = session(http, stage)
    await account.ask(ASK)
    stage.expire()
    stage.say("refreshSession", HTML, status=502, times=1)
    assert isinstance(await account.ask(ASK), TryLater)
    assert isinstance(await account.ask(ASK), Ok)
    assert stage.count("createSession") == 1


async def test_a_refusal_that_is_not_about_the_session_ends_none(http: Http, stage: Stage) -> None:
    account = session(http, stage)
    await account.ask(ASK)
    stage.say(ASK, HTML, status=403)
    assert isinstance(await account.ask(ASK), Denied)
    stage.says.clear()
    assert isinstance(await account.ask("app.bsky.feed.nothing"), Unexpected)
    assert isinstance(await account.ask("app.bsky.actor.getProfile", [("actor", "x.example")]), Missing)
    assert (stage.count("createSession"), stage.count("refreshSession")) == (1, 0)


async def test_no_token_goes_to_another_place_than_the_accounts(http: Http, stage: Stage) -> None:
    """A document that names a place in a private network is believed no more than any other address."""
    tokens = {"accessJwt": "a", "refreshJwt": "b"}
    place = {"id": "#atproto_pds", "serviceEndpoint": "http://10.0.0.1"}
    stage.say("createSession", tokens | {"didDoc": {"service": [place]}})
    assert not isinstance(await session(http, stage).ask(ASK), Ok)


@pytest.mark.parametrize(
    ("document", "base"),
    [
        (b'{"service": [{"id": "#atproto_pds", "serviceEndpoint": "https://pds.example/"}]}', "https://pds.example"),
        (
            b'{"service": [{"id": "did:plc:x#atproto_pds", "serviceEndpoint": "https://p.example"}]}',
            "https://p.example",
        ),
        (b'{"service": [5, {}, {"id": "#other", "serviceEndpoint": "https://x.example"}]}', ""),
        (b'{"service": [{"id": "#atproto_pds", "serviceEndpoint": "ftp://x"}]}', ""),
        (b'{"service": [{"id": "#atproto_pds", "serviceEndpoint": {"a": 1}}]}', ""),
        (b"{}", ""),
        (b"", ""),
    ],
)
def test_the_home_of_an_account_is_in_its_document(document: bytes, base: str) -> None:
    assert home(document) == base


# --- signing in ---


async def test_a_server_that_is_not_there_is_a_value(http: Http) -> None:
    account = Session(http, "http://127.0.0.1:9", HANDLE, SecretStr(PASSWORD))
    assert isinstance(await account.ask(ASK), TryLater)


async def test_the_password_follows_no_redirect(http: Http, stage: Stage) -> None:
    stage.say("createSession", b"", status=307, headers={"Location": stage.home})
    assert isinstance(await session(http, stage).ask(ASK), Unexpected)
    assert stage.count("home") == 0


# --- deeds ---

PUT = "com.atproto.repo.putRecord"
BODY = b'{"repo": "did:plc:chaski234567", "collection": "x.y", "rkey": "self", "record": {}}'


async def test_a_deed_is_done_at_home_and_again_where_the_session_had_run_out(http: Http, stage: Stage) -> None:
    account = session(http, stage)
    assert isinstance(await account.tell(PUT, BODY), Ok)
    stage.expire()
    assert isinstance(await account.tell(PUT, BODY), Ok)
    assert [asked for asked in stage.asked if PUT in asked] == [f"home/xrpc/{PUT}"] * 3
    assert (len(stage.put), stage.count("createSession"), stage.count("refreshSession")) == (2, 1, 1)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_deed_follows_no_redirect(http: Http, stage: Stage, status: int) -> None:
    where = {"Location": f"{stage.entrance}/xrpc/{PUT}"}
    stage.say(f"home/xrpc/{PUT}", b"", status=status, headers=where)
    assert isinstance(await session(http, stage).tell(PUT, BODY), Unexpected)
    assert stage.count(f"entrance/xrpc/{PUT}") == 0


async def test_nothing_is_written_into_a_private_network_that_a_document_names(stage: Stage) -> None:
    tokens = {"accessJwt": "a", "refreshJwt": "b"}
    place = {"id": "#atproto_pds", "serviceEndpoint": stage.home}
    stage.say("createSession", tokens | {"didDoc": {"service": [place]}})
    async with Http(HttpSettings(), user_agent="test") as http:
        assert isinstance(await session(http, stage).tell(PUT, BODY), Gone)
    assert stage.count(PUT) == 0


# --- over a restart ---


def kept(http: Http, stage: Stage, folder: Path) -> Session:
    file = SessionFile(folder / "bluesky.session")
    return Session(http, stage.entrance, HANDLE, SecretStr(PASSWORD), file=file)


async def test_it_outlives_a_restart_in_a_file_that_only_its_owner_may_read(
    http: Http, stage: Stage, tmp_path: Path
) -> None:
    assert isinstance(await kept(http, stage, tmp_path).ask(ASK), Ok)
    assert isinstance(await kept(http, stage, tmp_path).ask(ASK), Ok)
    assert stage.count("createSession") == 1
    _is_for_its_owner_alone(tmp_path)


def _is_for_its_owner_alone(folder: Path) -> None:
    (file,) = folder.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert PASSWORD not in file.read_text()


async def test_what_was_kept_is_renewed_when_it_ran_out_and_the_renewed_is_kept(
    http: Http, stage: Stage, tmp_path: Path
) -> None:
    await kept(http, stage, tmp_path).ask(ASK)
    stage.expire()
    for _ in range(2):
        assert isinstance(await kept(http, stage, tmp_path).ask(ASK), Ok)
    assert (stage.count("createSession"), stage.count("refreshSession")) == (1, 1)


@pytest.mark.parametrize(
    "content", ["", "{", '{"handle": "somebody.else", "access": "a", "renewal": "b", "base": "c"}']
)
async def test_what_is_no_session_of_this_account_is_none(
    http: Http, stage: Stage, tmp_path: Path, content: str
) -> None:
    (tmp_path / "bluesky.session").write_text(content)
    assert isinstance(await kept(http, stage, tmp_path).ask(ASK), Ok)
    assert stage.count("createSession") == 1


async def test_a_session_that_cannot_be_kept_works_all_the_same(http: Http, stage: Stage, tmp_path: Path) -> None:
    assert isinstance(await kept(http, stage, tmp_path / "nowhere").ask(ASK), Ok)
