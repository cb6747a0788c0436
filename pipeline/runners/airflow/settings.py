"""What the environment says of scheduled runs; read at each parse of the DAG file, so without TFX.

`AEPIPE_SET` holds settings as the shell would take them after `--set`, such as
`AEPIPE_SET="trainer.epochs=5 'schedule.cron=15 3 * * *'"`; `AEPIPE_BEAM_PROFILE` and
`AEPIPE_BEAM_ARGS` are `--beam-profile` and `--beam-arg`. `AEPIPE_HOME`, `AEPIPE_DATA` and
`AEPIPE_CONFIG` mean what they mean to `aepipe run`, but a relative home or configuration counts
from the repository: a worker's own folder is nobody's choice.
"""

import shlex
from collections.abc import Mapping
from pathlib import Path

from pipeline.config_file import use_config_file
from pipeline.fingerprint import REPOSITORY
from pipeline.settings import configured
from pipeline_config import PIPELINES, PipelineConfig, UserInputError

SETTINGS_VARIABLE = "AEPIPE_SET"
BEAM_PROFILE_VARIABLE = "AEPIPE_BEAM_PROFILE"
BEAM_ARGS_VARIABLE = "AEPIPE_BEAM_ARGS"
HOME_VARIABLE = "AEPIPE_HOME"


def scheduled_configs(environ: Mapping[str, str]) -> list[PipelineConfig]:
    """Returns all pipelines with the environment's settings.

    Raises:
        UserInputError: `AEPIPE_SET` or the file of `AEPIPE_CONFIG` cannot be read, or a setting is
            unknown or wrong.
    """
    use_config_file(environ, REPOSITORY)
    return configured(list(PIPELINES), _words(environ, SETTINGS_VARIABLE))


def scheduled_config(name: str, environ: Mapping[str, str]) -> PipelineConfig:
    """Returns one of them.

    Raises:
        UserInputError: As in `scheduled_configs`, or the file holds that pipeline no more.
    """
    by_name = {config.name: config for config in scheduled_configs(environ)}
    return by_name.get(name) or PIPELINES.named(name)


def scheduled_home(environ: Mapping[str, str]) -> Path:
    """Returns the output folder; absolute."""
    return REPOSITORY / Path(environ.get(HOME_VARIABLE) or "output").expanduser()


def scheduled_beam(environ: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
    """Returns the Beam profile and the options beside it."""
    profile = environ.get(BEAM_PROFILE_VARIABLE) or "local"
    return profile, tuple(_words(environ, BEAM_ARGS_VARIABLE))


def _words(environ: Mapping[str, str], variable: str) -> list[str]:
    try:
        return shlex.split(environ.get(variable, ""))
    except ValueError as error:
        raise UserInputError(f"{variable}: {error}; quote it as for a shell") from error
