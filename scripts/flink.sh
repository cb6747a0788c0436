#!/bin/sh
# Apache Flink for Beam's pipelines: gets Beam's job server, and runs a cluster of one machine.
#
#   flink.sh get      put the job server into .flink/job-server.jar
#   flink.sh start    start a job manager and a task manager; returns once the slots are there
#   flink.sh stop     stop both
#   flink.sh status   one line of JSON from the job manager
#
# FLINK_SLOTS (2) task slots, FLINK_PORT (8081) of the job manager, FLINK_VERSION (1.19), one of
# those that the locked Beam publishes a job server for. Needs Java 11 or newer, and Maven to get.
set -eu
cd "$(dirname "$0")/.."

folder=.flink
jar="$folder/job-server.jar"
flink="${FLINK_VERSION:-1.19}"
slots="${FLINK_SLOTS:-2}"
port="${FLINK_PORT:-8081}"
python=.venv/bin/python

# If a mirror lacks the job server: Beam's runner for Flink 1.19 as a library, of an older Beam.
# tests/end_to_end/test_flink.py holds it to the same results.
LIBRARY_VERSION=2.62.0

stop_with() {
    for line in "$@"; do echo "flink: $line" >&2; done
    exit 2
}

need() {
    command -v "$1" >/dev/null || stop_with "$1 is missing; install $2 with the system's package manager."
}

get() {
    [ -s "$jar" ] && return
    need java "Java 17 (openjdk-17-jre-headless)"
    need mvn "Maven (maven)"
    beam="$("$python" -c 'from apache_beam.version import __version__ as v; print(v)')" ||
        stop_with "no Beam in .venv: run make setup."
    "$python" - "$flink" <<'END' || stop_with "Beam $beam publishes no job server for Flink $flink."
import sys
from apache_beam.options.pipeline_options import FlinkRunnerOptions
sys.exit(sys.argv[1] not in FlinkRunnerOptions.PUBLISHED_FLINK_VERSIONS)
END
    mkdir -p "$folder"
    get_job_server || get_library ||
        stop_with "Maven has neither Beam's job server for Flink $flink nor its library: see $folder/maven.log."
    echo "flink: $jar" >&2
}

get_job_server() {
    artifact="beam-runners-flink-$flink-job-server"
    echo "flink: getting $artifact $beam" >&2
    mvn -B -q dependency:copy "-Dartifact=org.apache.beam:$artifact:$beam" \
        "-DoutputDirectory=$PWD/$folder" >"$folder/maven.log" 2>&1 || return 1
    mv "$folder/$artifact-$beam.jar" "$jar"
}

# The job server is the library and all it needs in one file; a jar that names these does as well.
get_library() {
    [ "$flink" = 1.19 ] || return 1
    echo "flink: it is not to be had; getting the runner's library $LIBRARY_VERSION instead" >&2
    write_pom >"$folder/pom.xml"
    rm -rf "$folder/lib"
    mvn -B -q -f "$folder/pom.xml" dependency:copy-dependencies -DincludeScope=runtime \
        "-DoutputDirectory=$PWD/$folder/lib" >>"$folder/maven.log" 2>&1 || return 1
    "$python" - "$folder" "$jar.partial" <<'END' && mv "$jar.partial" "$jar"
import pathlib, sys, textwrap, zipfile
folder, jar = map(pathlib.Path, sys.argv[1:])
names = " ".join(f"lib/{path.name}" for path in sorted((folder / "lib").glob("*.jar")))
# A line of a manifest has 72 bytes at most; what follows starts with a blank.
def folded(line): return "\r\n ".join([line[:70], *(line[i : i + 69] for i in range(70, len(line), 69))])
lines = ["Manifest-Version: 1.0", "Main-Class: org.apache.beam.runners.flink.FlinkJobServerDriver"]
with zipfile.ZipFile(jar, "w") as file:
    file.writestr("META-INF/MANIFEST.MF", "\r\n".join(map(folded, [*lines, f"Class-Path: {names}"])) + "\r\n\r\n")
END
}

write_pom() {
    cat <<END
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>aepipe</groupId><artifactId>flink</artifactId><version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.beam</groupId>
      <artifactId>beam-runners-flink-1.19</artifactId>
      <version>$LIBRARY_VERSION</version>
    </dependency>
    <dependency>
      <groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.30</version>
    </dependency>
  </dependencies>
</project>
END
}

# What Flink's own start scripts work out from one number, since they are not in the jar.
write_config() {
    mkdir -p "$folder/conf"
    cat >"$folder/conf/config.yaml" <<END
jobmanager.rpc.address: localhost
jobmanager.rpc.port: $((port + 1))
rest.address: localhost
rest.port: $port
taskmanager.host: localhost
taskmanager.numberOfTaskSlots: $slots
taskmanager.cpu.cores: $slots
taskmanager.memory.framework.heap.size: 128m
taskmanager.memory.framework.off-heap.size: 128m
taskmanager.memory.task.heap.size: 512m
taskmanager.memory.task.off-heap.size: 128m
taskmanager.memory.network.min: 256m
taskmanager.memory.network.max: 256m
# A Beam pipeline of TFX has dozens of shuffles; at Flink's default, 512, some find no buffer.
taskmanager.network.sort-shuffle.min-buffers: 64
taskmanager.memory.managed.size: 256m
taskmanager.memory.jvm-metaspace.size: 256m
taskmanager.memory.jvm-overhead.min: 192m
taskmanager.memory.jvm-overhead.max: 192m
# The cluster runs from the job server's own jar, so a job brings nothing new.
classloader.resolve-order: parent-first
END
}

overview() {
    "$python" -c 'import sys, urllib.request as r; print(r.urlopen(sys.argv[1], timeout=5).read().decode())' \
        "http://localhost:$port/overview" 2>/dev/null
}

running() {
    [ -f "$folder/$1.pid" ] && kill -0 "$(cat "$folder/$1.pid")" 2>/dev/null
}

launch() {
    name="$1" heap="$2" main="$3"
    running "$name" && return
    # Flink reaches into these packages, which Java 17 keeps shut.
    nohup java "-Xmx$heap" \
        --add-opens=java.base/java.lang=ALL-UNNAMED --add-opens=java.base/java.util=ALL-UNNAMED \
        --add-opens=java.base/java.nio=ALL-UNNAMED --add-opens=java.base/java.time=ALL-UNNAMED \
        -cp "$jar" "$main" --configDir "$folder/conf" >"$folder/$name.log" 2>&1 &
    echo $! >"$folder/$name.pid"
}

start() {
    get
    write_config
    launch job-manager 512m org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint
    launch task-manager 768m org.apache.flink.runtime.taskexecutor.TaskManagerRunner
    for _ in $(seq 60); do
        case "$(overview || true)" in *"\"slots-total\":$slots,"*)
            echo "flink: $slots slots at localhost:$port"
            return ;;
        esac
        running job-manager && running task-manager || break
        sleep 1
    done
    stop
    stop_with "the cluster did not start: see $folder/job-manager.log and $folder/task-manager.log."
}

stop() {
    for name in task-manager job-manager; do
        running "$name" && kill "$(cat "$folder/$name.pid")"
        rm -f "$folder/$name.pid"
    done
}

case "${1:-}" in
    get | start | stop) "$1" ;;
    status) overview || stop_with "no cluster at localhost:$port: make flink starts one." ;;
    *) stop_with "one of: get, start, stop, status" ;;
esac
