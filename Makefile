# aepipe: `make run` runs the four pipelines, `make test` proves them. Both set up what they need.
.DEFAULT_GOAL := help
.PHONY: help setup setup-dev run test test-slow flink flink-stop airflow airflow-stop lint format lock clean

ARGS ?=
PY := .venv/bin/python

help: ## what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

setup: ## make .venv/ with .venv/bin/aepipe in it
	@sh scripts/setup.sh base

setup-dev:
	@sh scripts/setup.sh dev

run: setup ## run the four pipelines (ARGS="--set trainer.epochs=2" passes options on)
	@.venv/bin/aepipe run all $(ARGS)

lint: setup-dev ## ruff, mypy, import-linter
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy pipeline_config.py pipeline components trainer data serving
	.venv/bin/lint-imports

test: lint ## lint, types, unit tests and one short end-to-end run of each pipeline
	$(PY) -m pytest -m "not slow" --numprocesses=auto --maxprocesses=4 $(ARGS)

test-slow: setup-dev ## full real data (if AEPIPE_DATA names its folder), faults, orchestrators
	$(PY) -m pytest -m slow --numprocesses=auto --maxprocesses=4 $(ARGS)

format: setup-dev ## format and sort imports
	$(PY) -m ruff format .
	$(PY) -m ruff check --fix .

lock: setup ## rebuild the hash-pinned requirements/*.txt
	sh scripts/lock.sh

flink: setup ## get Beam's Flink job server and start a local cluster with two task slots
	@sh scripts/flink.sh start

flink-stop: ## stop that cluster
	@sh scripts/flink.sh stop

airflow: ## start Airflow's scheduler and web server with the DAGs, on SQLite, for a trial
	@sh scripts/setup.sh airflow
	@sh scripts/airflow.sh start

airflow-stop: ## stop both
	@sh scripts/airflow.sh stop

clean: ## remove what set-up and runs made
	@sh scripts/flink.sh stop
	@sh scripts/airflow.sh stop
	rm -rf .venv .uv .flink .airflow output build *.egg-info
