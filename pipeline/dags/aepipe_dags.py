"""The file that Airflow's scheduler parses for DAGs: point its `dags_folder` to this folder."""

import os

from pipeline.runners.airflow.dags import build_dags

globals().update(build_dags(os.environ))
