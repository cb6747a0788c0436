"""Kubeflow Pipelines' REST API on a local port, as far as schedules need it.

Requests and answers are held against the published API models of `kfp_server_api`: a field that
they do not have, or a value that they refuse, is answered 400 as the real server does.
"""

import contextlib
import dataclasses
import email
import email.policy
import json
import re
import threading
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2
from kfp_server_api import ApiClient

PAGE = 2
"""Few, so that whoever lists has to ask for the next page."""

TIME = "2026-01-01T00:00:00Z"

Json = dict[str, Any]


class ApiError(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclasses.dataclass
class Stub:
    """What the server holds, by id, and what it was asked."""

    url: str = ""
    token: str | None = None
    pipelines: dict[str, Json] = dataclasses.field(default_factory=dict)
    versions: dict[str, Json] = dataclasses.field(default_factory=dict)
    specifications: dict[str, list[Json]] = dataclasses.field(default_factory=dict)
    experiments: dict[str, Json] = dataclasses.field(default_factory=dict)
    recurring_runs: dict[str, Json] = dataclasses.field(default_factory=dict)
    requests: list[str] = dataclasses.field(default_factory=list)
    refused: dict[str, ApiError] = dataclasses.field(default_factory=dict)

    def handle(self, method: str, target: str, headers: Any, body: bytes) -> Json:
        parts = urlsplit(target)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        path = parts.path.removeprefix("/apis/v2beta1")
        self.requests.append(f"{method} {path}")
        if self.token and headers["authorization"] != f"Bearer {self.token}":
            raise ApiError(401, "who are you?")
        for wanted, error in self.refused.items():
            if f"{method} {path}".startswith(wanted):
                raise error
        routes = (
            ("GET", "/healthz", lambda: {"multi_user": False}),
            ("GET", "/pipelines", lambda: _page("pipelines", self.pipelines.values(), query)),
            ("POST", "/pipelines/upload", lambda: self._upload(query, headers, body)),
            ("POST", "/pipelines/upload_version", lambda: self._version(query, headers, body)),
            ("GET", "/pipelines/([^/]+)/versions", lambda id_: self._versions_of(id_, query)),
            ("GET", "/experiments", lambda: _page("experiments", self.experiments.values(), query)),
            ("POST", "/experiments", lambda: self._experiment(body)),
            ("GET", "/recurringruns", lambda: self._runs_of(query)),
            ("POST", "/recurringruns", lambda: self._recurring_run(body)),
            ("POST", "/recurringruns/([^/:]+):(enable|disable)", self._switch),
            ("GET", "/recurringruns/([^/:]+)", self._get),
            ("DELETE", "/recurringruns/([^/:]+)", self._delete),
        )
        for verb, pattern, act in routes:
            found = re.fullmatch(pattern, path)
            if verb == method and found:
                return act(*found.groups())
        raise ApiError(404, f"no such method: {method} {path}")

    def _upload(self, query: Json, headers: Any, body: bytes) -> Json:
        name = query["name"]
        if any(known["display_name"] == name for known in self.pipelines.values()):
            raise ApiError(409, f"the name {name} already exists")
        documents = _uploaded(headers, body)
        pipeline = _valid(
            "V2beta1Pipeline",
            {"pipeline_id": uuid.uuid4().hex, "display_name": name, "created_at": TIME},
        )
        self.pipelines[pipeline["pipeline_id"]] = pipeline
        self._add_version(pipeline["pipeline_id"], name, documents)
        return pipeline

    def _version(self, query: Json, headers: Any, body: bytes) -> Json:
        if query["pipelineid"] not in self.pipelines:
            raise ApiError(404, f"no pipeline {query['pipelineid']}")
        names = [version["display_name"] for version in self._of(query["pipelineid"])]
        if query["name"] in names:
            raise ApiError(409, f"the name {query['name']} already exists")
        return self._add_version(query["pipelineid"], query["name"], _uploaded(headers, body))

    def _add_version(self, pipeline: str, name: str, documents: list[Json]) -> Json:
        version = _valid(
            "V2beta1PipelineVersion",
            {
                "pipeline_id": pipeline,
                "pipeline_version_id": uuid.uuid4().hex,
                "display_name": name,
                "created_at": TIME,
            },
        )
        self.versions[version["pipeline_version_id"]] = version
        self.specifications[version["pipeline_version_id"]] = documents
        return version

    def _of(self, pipeline: str) -> list[Json]:
        return [one for one in self.versions.values() if one["pipeline_id"] == pipeline]

    def _versions_of(self, pipeline: str, query: Json) -> Json:
        return _page("pipeline_versions", self._of(pipeline), query)

    def _experiment(self, body: bytes) -> Json:
        asked = _valid("V2beta1Experiment", json.loads(body))
        made = {**asked, "experiment_id": uuid.uuid4().hex, "created_at": TIME}
        self.experiments[made["experiment_id"]] = made
        return made

    def _runs_of(self, query: Json) -> Json:
        asked = query.get("experiment_id")
        runs = [r for r in self.recurring_runs.values() if asked in (None, r["experiment_id"])]
        return _page("recurringRuns", runs, query)

    def _recurring_run(self, body: bytes) -> Json:
        asked = _valid("V2beta1RecurringRun", json.loads(body))
        version = asked["pipeline_version_reference"]
        known = self.versions.get(version["pipeline_version_id"])
        if known is None or known["pipeline_id"] != version["pipeline_id"]:
            raise ApiError(404, "no such version of that pipeline")
        if asked["experiment_id"] not in self.experiments:
            raise ApiError(404, "no such experiment")
        if len(asked["trigger"]["cron_schedule"]["cron"].split()) not in (1, 6):
            raise ApiError(400, "Schedule cron is not supported")
        made = {
            **asked,
            "max_concurrency": str(asked["max_concurrency"]),
            "recurring_run_id": uuid.uuid4().hex,
            "status": "ENABLED",
            "created_at": TIME,
        }
        self.recurring_runs[made["recurring_run_id"]] = made
        return made

    def _switch(self, id_: str, action: str) -> Json:
        if id_ not in self.recurring_runs:
            raise ApiError(404, f"no recurring run {id_}")
        self.recurring_runs[id_] |= {"mode": action.upper(), "status": f"{action.upper()}D"}
        return {}

    def _get(self, id_: str) -> Json:
        if id_ not in self.recurring_runs:
            raise ApiError(404, f"no recurring run {id_}")
        return self.recurring_runs[id_]

    def _delete(self, id_: str) -> Json:
        if self.recurring_runs.pop(id_, None) is None:
            raise ApiError(404, f"no recurring run {id_}")
        return {}


@contextlib.contextmanager
def running() -> Iterator[Stub]:
    """Serves a stub at `url` on loopback."""
    stub = Stub()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status = 200
            try:
                answer = stub.handle(self.command, self.path, self.headers, body)
            except ApiError as error:
                status, answer = error.status, {"error": str(error), "message": str(error)}
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_DELETE = _answer  # noqa: N815 - http.server's names.

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        stub.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield stub
        server.shutdown()
        thread.join()


def _valid(model: str, content: Json) -> Json:
    """Returns the content if the published model takes it as it is, with each field of it."""

    class Response:
        data = json.dumps(content)

    client = ApiClient()
    try:
        read = client.sanitize_for_serialization(client.deserialize(Response, model))
    except (ValueError, TypeError) as error:
        raise ApiError(400, f"{model}: {error}") from error
    if unknown := _lost(content, read):
        raise ApiError(400, f"{model}: unknown fields {unknown}")
    return content


def _lost(sent: Any, read: Any) -> list[str]:
    if not isinstance(sent, dict):
        return []
    if not isinstance(read, dict):
        return [str(sent)]
    here = [key for key, value in sent.items() if value is not None and key not in read]
    return here + [name for key in sent if key in read for name in _lost(sent[key], read[key])]


def _uploaded(headers: Any, body: bytes) -> list[Json]:
    """Returns the YAML documents of a multipart upload, as the server parses them."""
    head = f"Content-Type: {headers['Content-Type']}\r\n\r\n".encode()
    message = email.message_from_bytes(head + body, policy=email.policy.default)
    (file,) = [part for part in message.iter_parts() if part.get_filename()]
    assert file.get_filename().endswith(".yaml"), "the server goes by the file's name"
    documents = list(yaml.safe_load_all(file.get_payload(decode=True)))
    try:
        spec = json_format.ParseDict(documents[0], pipeline_spec_pb2.PipelineSpec())
        for document in documents[1:]:
            json_format.ParseDict(document, pipeline_spec_pb2.PlatformSpec())
    except json_format.ParseError as error:
        raise ApiError(400, f"invalid specification: {error}") from error
    if spec.schema_version != "2.1.0":
        raise ApiError(400, f"unsupported schema version {spec.schema_version}")
    return documents


def _page(key: str, rows: Any, query: Json) -> Json:
    for predicate in json.loads(query.get("filter") or "{}").get("predicates", []):
        # An enumeration's value is taken by name or by number.
        assert predicate["operation"] in ("EQUALS", 1), predicate
        rows = [row for row in rows if row[predicate["key"]] == predicate["stringValue"]]
    rows = list(rows)
    if query.get("sort_by", "").endswith(" desc"):
        rows.reverse()
    start = int(query.get("page_token") or 0)
    size = min(PAGE, int(query.get("page_size") or PAGE))
    page: Json = {"total_size": len(rows)}
    if rows:
        page[key] = rows[start : start + size]
    if start + size < len(rows):
        page["next_page_token"] = str(start + size)
    return page
