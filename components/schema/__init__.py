"""Schemas: what each pipeline's examples must look like, curated here or a user's own."""

from pathlib import Path

from pipeline_config import PipelineConfig, UserInputError

SCHEMA_DIRECTORY = Path(__file__).parent


def curated_names() -> list[str]:
    """Returns the files of the curated schemas."""
    return sorted(file.name for file in SCHEMA_DIRECTORY.glob("*.pbtxt"))


def read_schema(config: PipelineConfig) -> str:
    """Returns the text of a pipeline's schema: of the user's own file, or of the curated one.

    Raises:
        UserInputError: The user's file cannot be read.
    """
    if not config.data.schema:
        return (SCHEMA_DIRECTORY / config.schema).read_text()
    path = config.data.schema
    try:
        return Path(path).read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise UserInputError(
            f"data.schema={path}: there is no such file: write it with "
            f"`aepipe data schema {config.name} --data-dir DIR --out {path}`"
        ) from error
    except OSError as error:
        raise UserInputError(f"data.schema={path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise UserInputError(f"data.schema={path}: not a text in UTF-8: {error}") from error


def where_to_change(config: PipelineConfig) -> str:
    """Returns where a person changes a pipeline's schema, to follow "in" in a sentence."""
    name = config.name
    return config.data.schema or (
        f"a schema of your own (`aepipe data schema {name} --data-dir DIR --out {name}.pbtxt` "
        f"writes it, --set data.schema={name}.pbtxt takes it)"
    )
