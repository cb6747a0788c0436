#!/bin/sh
# Airflow with aepipe's DAGs: a scheduler and a web server on this machine.
#
#   airflow.sh start    start both; returns once they are healthy
#   airflow.sh stop     stop both
#   airflow.sh status   one line of JSON from the web server
#   airflow.sh ARGS     the command `airflow ARGS` with the same settings, such as: dags list
#
# All of it lies in AIRFLOW_HOME (.airflow/): database, logs, the password of the user `admin`. The
# web server listens on 127.0.0.1:AIRFLOW_PORT (8080). Every setting of Airflow can be given as
# AIRFLOW__SECTION__KEY. On SQLite, the default, tasks run one at a time; on another database
# (AIRFLOW__DATABASE__SQL_ALCHEMY_CONN) with LocalExecutor.
set -eu
cd "$(dirname "$0")/.."

port="${AIRFLOW_PORT:-8080}"
python="$PWD/.venv/bin/python"
export AIRFLOW_HOME="${AIRFLOW_HOME:-$PWD/.airflow}"
export AIRFLOW__CORE__DAGS_FOLDER="${AIRFLOW__CORE__DAGS_FOLDER:-$PWD/pipeline/dags}"
export AIRFLOW__CORE__LOAD_EXAMPLES="${AIRFLOW__CORE__LOAD_EXAMPLES:-False}"
export AIRFLOW__USAGE_DATA_COLLECTION__ENABLED="${AIRFLOW__USAGE_DATA_COLLECTION__ENABLED:-False}"
# The first look at the DAG file compiles the pipelines.
export AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT="${AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT:-180}"
export AIRFLOW__CORE__DAG_FILE_PROCESSOR_TIMEOUT="${AIRFLOW__CORE__DAG_FILE_PROCESSOR_TIMEOUT:-240}"
case "${AIRFLOW__DATABASE__SQL_ALCHEMY_CONN:-sqlite:}" in
    sqlite:*) executor=SequentialExecutor ;;
    *) executor=LocalExecutor ;;
esac
export AIRFLOW__CORE__EXECUTOR="${AIRFLOW__CORE__EXECUTOR:-$executor}"
# Its tasks are `airflow` too, and are found by this path.
PATH="$PWD/.venv/bin:$PATH"
export PATH

stop_with() {
    for line in "$@"; do echo "airflow: $line" >&2; done
    exit 2
}

airflow() { "$python" -m airflow "$@"; }

running() {
    [ -f "$AIRFLOW_HOME/$1.pid" ] && kill -0 "$(cat "$AIRFLOW_HOME/$1.pid")" 2>/dev/null
}

launch() {
    name="$1"
    running "$name" && return
    shift
    # Airflow's own .pid files would be in the way of these.
    nohup "$python" -m airflow "$name" "$@" --pid "$AIRFLOW_HOME/airflow-$name.pid" \
        >"$AIRFLOW_HOME/$name.log" 2>&1 &
    echo $! >"$AIRFLOW_HOME/$name.pid"
}

health() {
    "$python" -c 'import sys, urllib.request as r; print(r.urlopen(sys.argv[1], timeout=5).read().decode())' \
        "http://127.0.0.1:$port/health" 2>/dev/null
}

healthy() {
    health | "$python" -c '
import json, sys
found = json.loads(sys.stdin.read() or "{}")
sys.exit(found.get("scheduler", {}).get("status") != "healthy")'
}

make_admin() {
    secret="$AIRFLOW_HOME/admin-password"
    [ -s "$secret" ] && return
    (umask 077 && "$python" -c 'import secrets; print(secrets.token_urlsafe(12))' >"$secret")
    airflow users create --username admin --password="$(cat "$secret")" --role Admin \
        --firstname Local --lastname Admin --email admin@localhost >>"$AIRFLOW_HOME/setup.log" 2>&1 || {
        rm -f "$secret"
        stop_with "cannot make the user admin: see $AIRFLOW_HOME/setup.log."
    }
}

start() {
    "$python" -c 'import airflow' 2>/dev/null || stop_with "no Airflow in .venv: run make airflow."
    mkdir -p "$AIRFLOW_HOME"
    airflow db migrate >"$AIRFLOW_HOME/setup.log" 2>&1 ||
        stop_with "cannot set up the database: see $AIRFLOW_HOME/setup.log."
    make_admin
    launch scheduler --skip-serve-logs
    launch webserver --hostname 127.0.0.1 --port "$port" --workers 1
    for _ in $(seq 120); do
        if healthy; then
            echo "airflow: http://127.0.0.1:$port user admin, password in $AIRFLOW_HOME/admin-password"
            return
        fi
        running scheduler && running webserver || break
        sleep 1
    done
    stop
    stop_with "it did not start: see $AIRFLOW_HOME/scheduler.log and $AIRFLOW_HOME/webserver.log."
}

stop() {
    for name in webserver scheduler; do
        running "$name" && kill "$(cat "$AIRFLOW_HOME/$name.pid")"
    done
    for name in webserver scheduler; do
        for _ in $(seq 60); do
            running "$name" || break
            sleep 1
        done
        rm -f "$AIRFLOW_HOME/$name.pid"
    done
}

case "${1:-}" in
    start | stop) "$1" ;;
    status) health || stop_with "no web server at 127.0.0.1:$port: make airflow starts one." ;;
    "") stop_with "start, stop, status, or a command of airflow" ;;
    *) exec "$python" -m airflow "$@" ;;
esac
