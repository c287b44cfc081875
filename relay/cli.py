"""The command line: `relay run | demo | check | preview | unroll | subscriptions | resume | forget`."""

from __future__ import annotations

import asyncio
import atexit
import gc
import os
import signal
import sys
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from relay import __version__

if TYPE_CHECKING:
    from relay.config import Config

STOP_WITHIN = 5.0
"""Seconds after which a relay that was told to stop has ended, whatever holds it."""

# The rooms load when a command needs them, so that `relay --help` answers at once.

EXAMPLES = """\b
Examples:
  relay demo                               watch a thread arrive, no set-up at all
  relay check -c relay.toml                would everything work?
  relay run -c relay.toml                  relay until stopped
  relay preview '#NoAlGolpe' -c relay.toml what would be sent, sends nothing
  relay unroll https://social.example/@who/123 -o thread.html
  relay subscriptions --audit              who changed what in the chats
"""

app = typer.Typer(
    name="relay",
    help="Carries threads and hashtags from the open social web into the chats where people are.",
    epilog=EXAMPLES,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", "-c", metavar="FILE", help="The TOML file [default: relay.toml where there is one]."),
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Log more.")]


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"relay {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    del version  # the callback has answered it


def read_config(path: Path | None) -> Config:
    """Read the configuration; tell every mistake and exit 2."""
    from relay.config import ConfigError, load

    if path is None and Path("relay.toml").exists():
        path = Path("relay.toml")
    try:
        config = load(path)
    except ConfigError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    for warning in config.warnings:
        typer.echo(f"warning: {warning}", err=True)
    return config


def fail(message: str, code: int = 1) -> NoReturn:
    from relay.log import hide

    typer.echo(f"relay: {hide(message)}", err=True)
    raise typer.Exit(code)


def start(
    work: Callable[[asyncio.Event], Coroutine[Any, Any, int]], *, config: Config | None = None, level: str = "warning"
) -> NoReturn:
    """Run until done; the first Ctrl-C or SIGTERM asks ``work`` to stop, a second Ctrl-C ends at once."""
    from relay.app import StartError
    from relay.descriptors import raise_limit
    from relay.log import configure
    from relay.plugins import PluginError
    from relay.records import StoreError

    raise_limit()
    configure(level, json=os.environ.get("RELAY_LOG") == "json", secrets=config.secrets() if config else ())

    atexit.register(gc.freeze)  # an interpreter that ends looks for garbage among all it has: half a second for nothing
    timers: list[threading.Timer] = []

    async def main() -> int:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()

        def on_signal() -> None:
            if stop.is_set():
                os._exit(130)
            stop.set()
            timers.append(_end_in_time())

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, on_signal)
        try:
            return await work(stop)
        finally:
            timers.append(_end_in_time())

    try:
        code = _loop_run(main())
    except (StoreError, PluginError, StartError) as error:
        fail(str(error))
    finally:
        for timer in timers:
            timer.cancel()
    raise typer.Exit(code)


def _end_in_time() -> threading.Timer:
    """End the process by force if it has not ended within five seconds: a plugin may hold a task or a thread."""
    timer = threading.Timer(STOP_WITHIN, _force)
    timer.daemon = True
    timer.start()
    return timer


def _force() -> None:
    sys.stderr.write("relay: something did not stop and was ended by force; the next start goes on where it was\n")
    sys.stderr.flush()
    os._exit(1)


def _loop_run(main: Coroutine[Any, Any, int]) -> int:
    try:
        import uvloop
    except ImportError:  # not made for this platform; the standard loop does the same, a little slower
        return asyncio.run(main)
    return uvloop.run(main)


@app.command()
def run(config: ConfigFile = None, verbose: Verbose = False) -> None:
    """Relay until stopped (Ctrl-C or SIGTERM stops in order, a second Ctrl-C at once)."""
    from relay.app import open_app

    settings = read_config(config)
    if not settings.subscriptions:
        typer.echo("warning: no [[subscriptions]]: there is nothing to relay yet", err=True)

    async def work(stop: asyncio.Event) -> int:
        async with open_app(settings) as relay:
            await relay.run(stop)
        return 0

    start(work, config=settings, level="debug" if verbose else "info")


@app.command()
def demo(
    once: Annotated[
        bool, typer.Option("--once", help="End when the play is over; exit 1 if anything is missing.")
    ] = False,
    port: Annotated[int, typer.Option("--port", "-p", help="Where the pages are served; 0 takes any free port.")] = 0,
    speed: Annotated[float, typer.Option("--speed", min=0.1, max=20, help="How many times faster to play.")] = 1.0,
) -> None:
    """Watch a thread arrive: an invented author, a real relay, nothing beyond this machine."""
    from relay.demo import demonstrate

    start(lambda stop: demonstrate(stop, once=once, port=port, speed=speed))


@app.command()
def check(config: ConfigFile = None) -> None:
    """Ask everything that the configuration names whether it would work; exit 1 if anything would not."""
    from relay.inspect import check as inspect

    settings = read_config(config)
    start(lambda _stop: inspect(settings), config=settings)


@app.command()
def preview(
    topic: Annotated[str, typer.Argument(help="A hashtag, an account, a feed's address.")],
    count: Annotated[int, typer.Option("-n", min=1, max=40, help="How many posts.")] = 5,
    to: Annotated[str, typer.Option("--to", metavar="DESTINATION", help="As it would be sent there.")] = "console",
    config: ConfigFile = None,
) -> None:
    """Show the last posts on a topic as they would be sent; sends nothing."""
    from relay.inspect import preview as inspect

    settings = read_config(config)
    start(lambda _stop: inspect(settings, topic, count, to), config=settings)


@app.command()
def unroll(
    url: Annotated[str, typer.Argument(help="The address of any post of the thread.")],
    output: Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where to write it.")] = None,
    form: Annotated[
        str, typer.Option("--format", "-f", help="html, md, txt or json [default: by the file's name]")
    ] = "",
    config: ConfigFile = None,
) -> None:
    """Write the whole thread in which a post stands as one text."""
    from relay.inspect import unroll as inspect

    settings = read_config(config)
    start(lambda _stop: inspect(settings, url, output, form), config=settings)


@app.command()
def subscriptions(
    audit: Annotated[bool, typer.Option("--audit", help="The latest changes made in chats instead.")] = False,
    count: Annotated[int, typer.Option("-n", min=1, max=1000, help="How many changes.")] = 50,
    config: ConfigFile = None,
) -> None:
    """List every subscription, whoever keeps it, with its filters and why it is paused."""
    from relay import inspect

    settings = read_config(config)
    start(lambda _stop: inspect.audit(settings, count) if audit else inspect.subscriptions(settings), config=settings)


@app.command()
def resume(
    destination: Annotated[str, typer.Argument(help="As in the configuration, e.g. console")],
    config: ConfigFile = None,
) -> None:
    """Serve a paused destination again (`relay check` lists them)."""
    from relay.inspect import resume as inspect

    settings = read_config(config)
    start(lambda _stop: inspect(settings, destination), config=settings)


@app.command()
def forget(
    ref: Annotated[
        str, typer.Argument(metavar="AUTHOR|URL", help="@who@host, an author's uri or profile, or a post's address")
    ] = "",
    undo: Annotated[bool, typer.Option("--undo", help="They may be kept and relayed again.")] = False,
    now: Annotated[bool, typer.Option("--now", help="Erase at once, not after 72 hours.")] = False,
    post: Annotated[bool, typer.Option("--post", help="It is a post, even if an author goes by that address.")] = False,
    listed: Annotated[bool, typer.Option("--list", help="List who and what is taken out.")] = False,
    config: ConfigFile = None,
) -> None:
    """Take out an author, or the thread of a post: hidden at once, erased after 72 hours, and not kept again."""
    from relay import inspect

    if not listed and not ref:
        raise typer.BadParameter("name an author or a post, or give --list")
    settings = read_config(config)
    if listed:
        start(lambda _stop: inspect.forgotten(settings), config=settings)
    elif undo:
        start(lambda _stop: inspect.unforget(settings, ref), config=settings)
    else:
        start(lambda _stop: inspect.forget(settings, ref, now=now, post=post), config=settings)


def main() -> None:
    """The entry point; a reader that hangs up (`relay … | head`) is no error."""
    try:
        app()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    finally:
        _end_in_time()  # a thread of a plugin's would be waited for


if __name__ == "__main__":
    main()
