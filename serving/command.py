"""The command that starts the server; TensorFlow and KServe are imported only then."""

import logging.config
import socket
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from pipeline_config import UserInputError
from serving.settings import ServerSettings, bound_socket, connections_for, options
from serving.tensorflow_greeting import import_tensorflow

_LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "filters": {"clients": {"()": "serving.errors.WithoutClientMistakes"}},
    "handlers": {
        "stderr": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["clients"]}
    },
    "loggers": {
        "serving": {"level": "INFO", "handlers": ["stderr"], "propagate": False},
        "kserve": {"level": "WARNING", "handlers": ["stderr"], "propagate": False},
        "uvicorn": {"level": "WARNING", "handlers": ["stderr"], "propagate": False},
    },
}

_FREE_CHOICE = "connections"
"""Without this option the value follows from the limit of open files."""


def _setting_options(command: Callable[..., None]) -> Callable[..., None]:
    """Adds the option of each setting that is a number."""
    for name, option in reversed(options().items()):
        free = name == _FREE_CHOICE
        command = click.option(
            option.name,
            name,
            type=type(option.default),
            default=None if free else option.default,
            show_default=not free,
            help=option.help,
        )(command)
    return command


@click.command()
@click.option(
    "--models-dir",
    help="The push directory, MODEL/VERSION below it; default HOME/serving.",
)
@click.option(
    "--home",
    default="output",
    envvar="AEPIPE_HOME",
    show_default=True,
    help="Output folder of the pipelines.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at.")
@_setting_options
@click.option(
    "--cors-origin",
    "cors_origins",
    multiple=True,
    metavar="ORIGIN",
    help="Lets web pages of this origin ask over HTTP; may be repeated, * for all.",
)
def serve(
    models_dir: str | None,
    home: str,
    host: str,
    connections: int | None,
    cors_origins: tuple[str, ...],
    **numbers: Any,
) -> None:
    """Serve pushed models over HTTP and gRPC, and pick up what is pushed."""
    units = {name: option.unit for name, option in options().items()}
    settings = ServerSettings(
        models_dir=_models_dir(models_dir, home),
        host=host,
        connections=connections_for(connections),
        cors_origins=cors_origins,
        **{name: value * units[name] for name, value in numbers.items()},
    )
    with bound_socket(host, settings.grpc_port, "grpc-port"):
        pass
    with bound_socket(host, settings.port, "port") as bound:
        _serve(settings, bound)


def _models_dir(models_dir: str | None, home: str) -> Path:
    for option, value in (("--models-dir", models_dir), ("--home", home)):
        if value == "":
            # As a path it would be the working directory.
            raise UserInputError(f"{option} is empty: name a folder")
    return (Path(home, "serving") if models_dir is None else Path(models_dir)).absolute()


def _serve(settings: ServerSettings, bound: socket.socket) -> None:
    # KServe names a response class that FastAPI has deprecated.
    warnings.filterwarnings("ignore", message="ORJSONResponse is deprecated")
    # On import KServe parses the command line of the process.
    arguments, sys.argv = sys.argv, sys.argv[:1]
    logging.config.dictConfig(_LOGGING)
    import_tensorflow()
    from serving.server import serve as serve_until_stopped

    sys.argv = arguments
    serve_until_stopped(settings, bound)
