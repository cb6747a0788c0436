"""The command that starts the server; TensorFlow and KServe are imported only then."""

import logging.config
import socket
import sys
import warnings
from pathlib import Path

import click

from serving.open_files import connections_for
from serving.ports import bound_socket
from serving.settings import ServerInputError, ServerSettings
from serving.tensorflow_greeting import import_tensorflow

_LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "filters": {"clients": {"()": "serving.request_log.WithoutClientMistakes"}},
    "handlers": {
        "stderr": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["clients"]}
    },
    "loggers": {
        "serving": {"level": "INFO", "handlers": ["stderr"], "propagate": False},
        "kserve": {"level": "WARNING", "handlers": ["stderr"], "propagate": False},
        "uvicorn": {"level": "WARNING", "handlers": ["stderr"], "propagate": False},
    },
}


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
@click.option("--port", default=8501, show_default=True, help="HTTP; 0 takes a free one.")
@click.option("--grpc-port", default=8500, show_default=True, help="gRPC; 0 takes a free one.")
@click.option(
    "--poll-seconds",
    default=1.0,
    show_default=True,
    help="Time between two looks at the push directory.",
)
@click.option(
    "--batch-rows", default=128, show_default=True, help="Most examples computed in one go."
)
@click.option(
    "--batch-delay-ms",
    default=0.0,
    show_default=True,
    help="How long a batch that is not full waits for more requests.",
)
@click.option(
    "--queue-rows",
    default=8192,
    show_default=True,
    help="Examples that may wait for a model; beyond that the answer is 503.",
)
@click.option(
    "--body-mib", default=64, show_default=True, help="Largest body of a request; beyond, 413."
)
@click.option(
    "--body-seconds",
    default=30.0,
    show_default=True,
    help="Time for the next 16 KiB of an HTTP body, or for its rest; beyond, 408.",
)
@click.option(
    "--header-kib",
    default=32,
    show_default=True,
    help="Largest head of an HTTP request; beyond, 431.",
)
@click.option(
    "--header-seconds",
    default=10.0,
    show_default=True,
    help="Time for the head of an HTTP request; beyond, 408.",
)
@click.option(
    "--idle-seconds",
    default=65.0,
    show_default=True,
    help="Time that an HTTP connection stays open without a request.",
)
@click.option(
    "--connections",
    type=int,
    help="HTTP connections at a time; beyond, the one that waits the longest is closed. Default: "
    "as many as the open files allow, up to 10,000.",
)
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
    port: int,
    grpc_port: int,
    poll_seconds: float,
    batch_rows: int,
    batch_delay_ms: float,
    queue_rows: int,
    body_mib: int,
    body_seconds: float,
    header_kib: int,
    header_seconds: float,
    idle_seconds: float,
    connections: int | None,
    cors_origins: tuple[str, ...],
) -> None:
    """Serve pushed models over HTTP and gRPC, and pick up what is pushed."""
    try:
        settings = ServerSettings(
            models_dir=_models_dir(models_dir, home),
            host=host,
            port=port,
            grpc_port=grpc_port,
            poll_seconds=poll_seconds,
            batch_rows=batch_rows,
            batch_delay_seconds=batch_delay_ms / 1000,
            queue_rows=queue_rows,
            body_bytes=body_mib * 2**20,
            body_seconds=body_seconds,
            header_bytes=header_kib * 2**10,
            header_seconds=header_seconds,
            idle_seconds=idle_seconds,
            connections=connections_for(connections),
            cors_origins=cors_origins,
        )
        with bound_socket(host, grpc_port, "grpc-port"):
            pass
        with bound_socket(host, port, "port") as bound:
            _serve(settings, bound)
    except ServerInputError as error:
        click.echo(f"aepipe: {error}", err=True)
        sys.exit(2)


def _models_dir(models_dir: str | None, home: str) -> Path:
    for option, value in (("--models-dir", models_dir), ("--home", home)):
        if value == "":
            # As a path it would be the working directory.
            raise ServerInputError(f"{option} is empty: name a folder")
    return (Path(home, "serving") if models_dir is None else Path(models_dir)).absolute()


def _serve(settings: ServerSettings, bound: socket.socket) -> None:
    # KServe names a response class that FastAPI has come to call unneeded.
    warnings.filterwarnings("ignore", message="ORJSONResponse is deprecated")
    # On import KServe reads the command line of the process as its own.
    arguments, sys.argv = sys.argv, sys.argv[:1]
    logging.config.dictConfig(_LOGGING)
    import_tensorflow()
    from serving.server import serve as serve_until_stopped

    sys.argv = arguments
    serve_until_stopped(settings, bound)
