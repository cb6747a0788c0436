# Image of a Beam worker for Dataflow, or for Flink with --environment_type=DOCKER:
#   docker build --tag aepipe:0.1.0 .
#   docker build --tag beam-worker --file scripts/beam-worker.Dockerfile scripts

ARG AEPIPE_IMAGE=aepipe:0.1.0
# Of the version in the lock: worker and submitter speak one protocol.
FROM apache/beam_python3.11_sdk:2.77.0 AS beam

FROM ${AEPIPE_IMAGE}
COPY --from=beam /opt/apache/beam /opt/apache/beam
# Beam would make an environment of its own, in which nothing of the lock is.
ENV RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT=1
ENTRYPOINT ["/opt/apache/beam/boot"]
