"""The command that starts the server; TensorFlow and KServe are imported only then."""

import logging.config
import socket
import sys
import warnings
from pathlib import Path

import click

from serving.errors import ServerInputError
from serving.ports import bound_socket
from serving.settings import ServerSettings
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
    type=click.Path(path_type=Path),
    help="The push directory, MODEL/VERSION below it; default HOME/serving.",
)
@click.option(
    "--home",
    type=click.Path(path_type=Path),
    default=Path("output"),
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
def serve(
    models_dir: Path | None,
    home: Path,
    host: str,
    port: int,
    grpc_port: int,
    poll_seconds: float,
    batch_rows: int,
    batch_delay_ms: float,
    queue_rows: int,
    body_mib: int,
) -> None:
    """Serve pushed models over HTTP and gRPC, and pick up what is pushed."""
    try:
        settings = ServerSettings(
            models_dir=(models_dir or home / "serving").absolute(),
            host=host,
            port=port,
            grpc_port=grpc_port,
            poll_seconds=poll_seconds,
            batch_rows=batch_rows,
            batch_delay_seconds=batch_delay_ms / 1000,
            queue_rows=queue_rows,
            body_bytes=body_mib * 2**20,
        )
        with bound_socket(host, grpc_port, "grpc-port"):
            pass
        with bound_socket(host, port, "port") as bound:
            _serve(settings, bound)
    except ServerInputError as error:
        click.echo(f"aepipe: {error}", err=True)
        sys.exit(2)


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
