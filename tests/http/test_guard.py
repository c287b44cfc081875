"""What is never reached, however it is written, whoever leads there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from ipaddress import ip_address, ip_network

import aiohttp
import pytest
from yarl import URL

from relay.http import Forbidden, Guard, HttpResponse, is_public
from tests.servers.feeds import Document, FeedServer
from tests.support.fetching import Names, answer, client, reason


@pytest.fixture
async def server() -> AsyncIterator[FeedServer]:
    async with FeedServer() as running:
        yield running


# --- what is never reached ---


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.215.14", True),
        ("1.1.1.1", True),
        ("2606:4700:4700::1111", True),
        ("2a01:4f8::1", True),
        ("127.0.0.1", False),
        ("127.8.9.10", False),
        ("0.0.0.0", False),
        ("0.1.2.3", False),
        ("10.0.0.1", False),
        ("172.16.0.1", False),
        ("172.31.255.255", False),
        ("172.32.0.1", True),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("100.100.100.200", False),
        ("168.63.129.16", False),
        ("192.0.0.192", False),
        ("192.0.0.9", False),
        ("192.0.2.1", False),
        ("192.88.99.1", False),
        ("198.18.0.1", False),
        ("198.51.100.1", False),
        ("203.0.113.1", False),
        ("224.0.0.1", False),
        ("239.255.255.250", False),
        ("240.0.0.1", False),
        ("255.255.255.255", False),
        ("::", False),
        ("::1", False),
        ("::7f00:1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:1.1.1.1", False),
        ("::ffff:0:127.0.0.1", False),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b::1.1.1.1", False),
        ("64:ff9b:1::1", False),
        ("100::1", False),
        ("2001::1", False),
        ("2001:20::1", False),
        ("2001:db8::1", False),
        ("2002:7f00:1::", False),
        ("2002:101:101::", False),
        ("3fff::1", False),
        ("5f00::1", False),
        ("fc00::1", False),
        ("fd00:ec2::254", False),
        ("fe80::1", False),
        ("fe80::1%eth0", False),
        ("fec0::1", False),
        ("ff02::1", False),
    ],
)
def test_only_plain_addresses_of_the_public_internet_are_public(address: str, public: bool) -> None:
    assert is_public(ip_address(address)) is public


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("file:///etc/passwd", "only http and https"),
        ("ftp://example.org/", "only http and https"),
        ("gopher://example.org:70/", "only http and https"),
        ("javascript:alert(1)", "only http and https"),
        ("data:text/plain,x", "only http and https"),
        ("//example.org/feed", "only http and https"),
        ("example.org/feed", "only http and https"),
        ("", "only http and https"),
        ("http://", "names no host"),
        ("http:///etc/passwd", "names no host"),
        ("http://user:secret@example.org/", "user name or password"),
        ("http://user@example.org/", "user name or password"),
        ("http://127.0.0.1/", "not on the public internet"),
        ("http://10.1.2.3/", "not on the public internet"),
        ("http://169.254.169.254/latest/meta-data/", "not on the public internet"),
        ("http://[::1]/", "not on the public internet"),
        ("http://[::ffff:127.0.0.1]/", "not on the public internet"),
        ("http://[::ffff:7f00:1]/", "not on the public internet"),
        ("http://[64:ff9b::7f00:1]/", "not on the public internet"),
        ("http://[2002:7f00:1::]/", "not on the public internet"),
        ("http://[fe80::1%25eth0]/", "not on the public internet"),
        ("http://１２７.０.０.１/", "not on the public internet"),
        ("http://127。0。0。1/", "not on the public internet"),
        ("http://2130706433/", "unusual way"),
        ("http://0x7f000001/", "unusual way"),
        ("http://0x7f.0.0.1/", "unusual way"),
        ("http://0177.0.0.1/", "unusual way"),
        ("http://127.1/", "unusual way"),
        ("http://127.0.0.1./", "unusual way"),
        ("http://1.2.3.4.5/", "unusual way"),
        ("http://foo.0x1/", "unusual way"),
        ("http://exa mple.org/", "not a host name"),
        ("http://%31%32%37.0.0.1/", "unusual way"),
        ("http://a..b/", "not a host name"),
        ("http://-a.example/", "not a host name"),
        (f"http://{'a' * 64}.example/", "not a host name"),
        (f"http://{'a.' * 150}example/", "not a host name"),
        ("http://xn--a.example/", "not a host name"),
        ("http://1.1.1.1:22/", "port 22"),
        ("http://1.1.1.1:0/", "port 0"),
        ("http://1.1.1.1:99999/", "not a web address"),
        ("http://[::1/", "not a web address"),
        ("http://a\\@b/", "not a web address"),
        ("http://\ud800/", "not a web address"),
        ("http://1.1.1.1/", ""),
        ("https://1.1.1.1:8443/", ""),
        ("https://[2606:4700:4700::1111]/", ""),
        ("https://example.org/feed.xml", ""),
        ("https://example.org./feed.xml", ""),
        ("https://bücher.example/", ""),
        ("https://a_b.example/", ""),
    ],
)
def test_an_address_is_refused_offline_with_a_sentence(url: str, told: str) -> None:
    refusal = client(trusted="").refusal(url)
    assert told in refusal
    assert bool(told) == bool(refusal)


def test_a_trusted_network_is_reached_on_any_port_and_its_neighbours_are_not() -> None:
    guard = Guard([ip_network("10.1.0.0/16"), ip_network("fd00::/8")])
    assert guard.refusal(URL("http://10.1.2.3:25/")) == ""
    assert guard.refusal(URL("http://[fd00::5]:8080/")) == ""
    assert "http.allow_private" in guard.refusal(URL("http://10.2.0.1/"))


@pytest.mark.parametrize("host", ["localhost", "ⓛocalhost", "127.0.0.1", "[::1]"])
async def test_this_machine_is_not_reached_under_any_of_its_names(host: str, server: FeedServer) -> None:
    async with client(trusted="") as http:
        reply = await http.get(f"http://{host}:{server.port}/feed.xml")
    assert isinstance(reply, Forbidden)
    assert "not on the public internet" in reply.reason
    assert server.requests == []


@pytest.mark.parametrize(
    "found", [["10.0.0.7"], ["169.254.169.254"], ["fe80::1"], ["::ffff:10.0.0.7"], ["192.168.0.1", "fd00::1"]]
)
async def test_a_name_that_leads_inside_is_refused_without_telling_where(found: list[str]) -> None:
    async with client(resolver=Names(intranet_example=[found])) as http:
        reply = await http.get("http://intranet.example/")
    assert isinstance(reply, Forbidden)
    assert reply.reason.startswith("intranet.example is not on the public internet")
    assert not any(address in reply.reason for address in found)


INSIDE = [
    "127.0.0.1",
    "127.1.2.3",
    "0.0.0.0",
    "10.0.0.7",
    "100.64.0.1",
    "169.254.169.254",
    "224.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::127.0.0.1",
    "64:ff9b:1::a00:7",
    "2002:7f00:1::",
    "2001:0:7f00:1::",
    "fe80::1",
    "fe80::1%1",
    "fd00:ec2::254",
    "ff02::1",
]


@pytest.mark.parametrize("inside", INSIDE)
async def test_a_name_is_never_believed_whatever_it_is_rebound_to(server: FeedServer, inside: str) -> None:
    """Asked for once and found good, the name leads inside the next time: by GET, by POST, and after a redirect."""
    public = "203.0.114.1"
    names = Names(rebind_example=[[public], [inside]], outside_example=[["127.0.0.2"]])
    async with FeedServer(hosts=["127.0.0.2"]) as outside, client(resolver=names, trusted="127.0.0.2/32") as http:
        assert http.refusal(f"http://rebind.example:{server.port}/") == ""
        await names.resolve("rebind.example", server.port)  # somebody checked it before
        there = f"http://rebind.example:{server.port}/feed.xml"
        replies = [await http.get(there), await http.post(there, {"a": "b"})]
        hop = f"http://outside.example:{outside.port}/redirect"
        replies += [await http.get(hop, params={"to": there, "status": "307"})]
        replies += [await http.post(f"{hop}?status=307&to={there}", {"a": "b"})]
    assert [type(reply) for reply in replies] == [
        Forbidden,
        Forbidden,
        Forbidden,
        HttpResponse,
    ]  # a form goes to one origin
    assert server.requests == []
    assert inside not in "".join(reply.reason for reply in replies if isinstance(reply, Forbidden))


@pytest.mark.parametrize("port", [0, 22, 25, 110, 500, 1023])
async def test_a_name_is_asked_on_no_port_where_something_else_than_pages_lives(port: int) -> None:
    async with client(resolver=Names(mail_example=[["203.0.114.1"]])) as http:
        for reply in (
            await http.get(f"http://mail.example:{port}/"),
            await http.post(f"http://mail.example:{port}/", {}),
        ):
            assert isinstance(reply, Forbidden)
            assert f"port {port}" in reply.reason


async def test_only_the_allowed_ones_among_the_addresses_of_a_name_are_tried(server: FeedServer) -> None:
    names = Names(mixed_example=[["10.0.0.7", "127.0.0.1", "192.168.0.1"]])
    async with client(resolver=names) as http:
        assert answer(await http.get(f"http://mixed.example:{server.port}/feed.xml")).status == 200


async def test_a_name_that_changes_its_mind_is_checked_at_each_connection(server: FeedServer) -> None:
    """DNS rebinding: one look-up a connection, and what it says is both what is checked and what is connected to."""
    names = Names(rebind_example=[["127.0.0.1"], ["10.0.0.7"]])
    replies = []
    for _ in range(2):
        async with client(resolver=names) as http:
            replies.append(await http.get(f"http://rebind.example:{server.port}/html"))
    assert [type(reply) for reply in replies] == [HttpResponse, Forbidden]
    assert (names.lookups, len(server.requests)) == (2, 1)


# --- redirects ---


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("http://169.254.169.254/latest/meta-data/", "not on the public internet"),
        ("http://10.0.0.1/", "not on the public internet"),
        ("http://2852039166/", "unusual way"),
        ("http://0251.0376.0251.0376/", "unusual way"),
        ("http://0xa9fea9fe/", "unusual way"),
        ("http://169.254.43518/", "unusual way"),
        ("http://[::ffff:a9fe:a9fe]/", "not on the public internet"),
        ("http://[64:ff9b::a9fe:a9fe]/", "not on the public internet"),
        ("http://[2002:a9fe:a9fe::]/", "not on the public internet"),
        ("http://10。0。0。1/", "not on the public internet"),
        ("http://①⓪.⓪.⓪.①/", "not on the public internet"),
        ("http://1.1.1.1:22/", "port 22"),
        ("http://1.1.1.1@10.0.0.1/", "user name or password"),
        ("file:///etc/passwd", "only http and https"),
        ("//[::1]/", "not on the public internet"),
        ("http://u:p@127.0.0.1/", "user name or password"),
        ("http://[::1", "not a web address"),
    ],
)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_checked_like_any_address(server: FeedServer, target: str, told: str, status: int) -> None:
    async with client() as http:
        reply = await http.get(f"{server.url}/redirect", params={"to": target, "status": str(status)})
    assert isinstance(reply, Forbidden)
    assert reply.reason.startswith(f"127.0.0.1 redirects to {target}: ")
    assert told in reply.reason


async def test_a_redirect_to_a_name_that_leads_inside_is_refused(server: FeedServer) -> None:
    names = Names(outside_example=[["127.0.0.1"]], inside_example=[["10.0.0.7"]])
    async with client(resolver=names) as http:
        target = "http://inside.example/"
        reply = await http.get(f"http://outside.example:{server.port}/redirect", params={"to": target})
    assert isinstance(reply, Forbidden)


async def test_a_redirect_to_nowhere_in_particular_is_the_answer_itself(server: FeedServer) -> None:
    async with client() as http:
        assert answer(await http.get(f"{server.url}/status/302")).status == 302


@pytest.mark.parametrize(
    ("statuses", "moved"),
    [([], False), ([301], True), ([308, 301], True), ([302], False), ([301, 302], False), ([307, 308], False)],
)
async def test_only_permanent_redirects_mean_that_it_moved(
    server: FeedServer,
    statuses: list[int],
    moved: bool,
) -> None:
    url = goal = f"{server.url}/feed.xml"
    for status in reversed(statuses):
        url = str(URL(f"{server.url}/redirect").with_query(to=url, status=str(status)))
    async with client() as http:
        reply = answer(await http.get(url))
    assert (reply.status, reply.url) == (200, goal)
    assert reply.moved == (goal if moved else "")


@pytest.mark.parametrize(("redirects", "followed"), [(5, True), (6, False)])
async def test_five_redirects_are_followed(
    server: FeedServer,
    redirects: int,
    followed: bool,
) -> None:
    url = f"{server.url}/feed.xml"
    for _ in range(redirects):
        url = str(URL(f"{server.url}/redirect").with_query(to=url))
    async with client() as http:
        assert isinstance(await http.get(url), HttpResponse) is followed


async def test_a_redirect_in_circles_ends(server: FeedServer) -> None:
    server.put("/round", Document(b"", status=302, headers={"Location": "/round"}))
    async with client() as http:
        assert reason(await http.get(f"{server.url}/round")) == "127.0.0.1 redirects in a circle"
    assert server.asked("/round") == 1


async def test_a_token_is_not_carried_to_another_origin(server: FeedServer) -> None:
    async with FeedServer() as other, client() as http:
        for target in (f"{server.url}/html", f"{other.url}/html"):
            await http.get(f"{server.url}/redirect", params={"to": target}, headers={"Authorization": "Bearer x"})
    assert ["Authorization" in headers for _, headers in server.requests] == [True, True, True]
    assert ["Authorization" in headers for _, headers in other.requests] == [False]


# --- websockets ---


async def test_a_websocket_s_name_leads_to_nothing_private_either(server: FeedServer) -> None:
    names = Names(rebind_example=[["127.0.0.1"], ["10.0.0.7"]])
    async with client(resolver=names) as http:
        async with http.sockets() as allowed:
            with pytest.raises(aiohttp.WSServerHandshakeError):  # it is reached, and is no websocket
                await allowed.ws_connect(f"ws://rebind.example:{server.port}/html")
        async with http.sockets() as barred:
            with pytest.raises(aiohttp.ClientError, match="not on the public internet"):
                await barred.ws_connect(f"ws://rebind.example:{server.port}/html")
    assert len(server.requests) == 1
