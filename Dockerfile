# One image for every step on Kubeflow Pipelines and for the model server:
#   docker build --tag aepipe:0.1.0 .

# The larger image has the C++ compiler that pyfarmhash, a dependency of TFX without wheels, needs.
FROM python:3.11-bookworm AS build
ENV UV_LINK_MODE=copy \
    UV_HTTP_TIMEOUT=180 \
    VIRTUAL_ENV=/opt/venv
WORKDIR /opt/aepipe
# The lock installs slowly and changes seldom, the code the other way round.
COPY requirements/uv.txt requirements/base.txt requirements/
RUN --mount=type=cache,target=/root/.cache \
    pip install --require-hashes --requirement requirements/uv.txt \
    && python -m venv --without-pip /opt/venv \
    && uv pip sync --require-hashes --compile-bytecode requirements/base.txt
COPY pyproject.toml README.md pipeline_config.py ./
COPY components/ components/
COPY data/ data/
COPY pipeline/ pipeline/
COPY serving/ serving/
COPY trainer/ trainer/
RUN --mount=type=cache,target=/root/.cache \
    uv pip install --no-deps --no-build-isolation --compile-bytecode .

FROM python:3.11-slim-bookworm
RUN useradd --uid 10001 --create-home aepipe
COPY --from=build /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    KERAS_BACKEND=tensorflow
# By number: a cluster that forbids root cannot see it from a name.
USER 10001:10001
WORKDIR /home/aepipe
# Of `aepipe serve`, as `aepipe compile kserve --image` starts it: HTTP and gRPC.
EXPOSE 8080 9000
CMD ["aepipe", "--help"]
