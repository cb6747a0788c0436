"""Airflow: a DAG for each pipeline, whose tasks call `pipeline.run`."""
