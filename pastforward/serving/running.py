"""L6. Serve: the server in this process, until it is stopped."""

import socket
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from pastforward.data.files import optional_package
from pastforward.errors import UsageError
from pastforward.serving.requests import Limits
from pastforward.serving.served import Served

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from uvicorn import Server


def serve(
    served: Served, host: str, port: int, limits: Limits, told: Callable[[str], None]
) -> None:
    """Answer requests until Ctrl-C. `told` gets the address, once it can be reached.

    Port 0 takes any that is free. Raises `UsageError` where the address can't be had.
    """
    optional_package("uvicorn", "serve", "serve")
    from pastforward.serving.app import LOOPBACK, application

    with bound(host, port) as place:
        app = application(served, limits, host)
        told(f"Serving: http://{host}:{place.getsockname()[1]}/ (Ctrl-C stops it)")
        if host not in LOOPBACK:
            told("Whoever reaches this address may use it: there is no password.")
        with suppress(KeyboardInterrupt):
            server_of(app).run(sockets=[place])
        told("Stopped.")


def server_of(app: "Starlette") -> "Server":
    """The server of an application."""
    from uvicorn import Config, Server

    config = Config(
        app, log_level="warning", access_log=False, lifespan="on", ws="none", backlog=256,
        timeout_keep_alive=15, timeout_graceful_shutdown=2,
    )  # fmt: skip
    return Server(config)


def bound(host: str, port: int) -> socket.socket:
    """A socket of that address; raises `UsageError` where it can't be had."""
    place = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        place.bind((host, port))
    except (OSError, OverflowError) as error:
        place.close()
        reason = str(getattr(error, "strerror", None) or error).rstrip(".")
        raise UsageError(
            f"{host}:{port} can't be served on ({reason}); give another --port, such as 0 for any "
            "that is free, or another --host."
        ) from error
    return place
