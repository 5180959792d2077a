"""`OfflineHumanloop`: the part of the v5 API that `evaluations.run` needs, on this machine and in memory.

The hosted service is gone; evaluations that were written for its SDK still run against this, without a network:

    with OfflineHumanloop() as url:
        client = instrument(Humanloop(base_url=url, api_key="none"))

It keeps prompts, flows, datasets, evaluators, evaluations, runs and logs, and calls no model. It is made for tests
and examples: it listens on the loopback interface only, asks for no key, and forgets everything when it stops.
"""

from __future__ import annotations

import re
import threading
from http.server import ThreadingHTTPServer
from types import TracebackType
from typing import Any, Final
from uuid import uuid4

from botwire_humanloop.offline_files import Files, identifier
from botwire_humanloop.offline_http import Refusal, handler_of
from botwire_humanloop.offline_stats import numbers, report

__all__ = ["OfflineHumanloop"]

_WAIT: Final = 3.0
"""Seconds that a request for results waits for judgments that are under way; the SDK itself would ask each 5."""


class OfflineHumanloop:
    """A server of its own, which a block starts and stops; `url` is where it listens.

    `calls` has each request as (method, path, body). A subclass may override an endpoint's method, to answer as
    another service would.
    """

    def __init__(self) -> None:
        self.files = Files()
        self.calls: list[tuple[str, str, Any]] = []
        self.evaluations: dict[str, dict[str, Any]] = {}
        self.runs: dict[str, dict[str, Any]] = {}
        self.logs: dict[str, dict[str, Any]] = {}
        self._arrived = threading.Condition()
        """Guards everything above, and tells of each judgment."""

    def __enter__(self) -> str:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> str:
        """Listen on a free port until `stop`, and give the URL."""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler_of(self.answer))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), name="offline-humanloop")
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/v5"
        return self.url

    def stop(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> Any:
        """Answer a request with JSON; a `Refusal` is answered with its status."""
        with self._arrived:
            self.calls.append((method, path, body))
            for wanted, pattern, name in _ROUTES:
                match = re.fullmatch(pattern, path)
                if method == wanted and match:
                    return getattr(self, name)(*match.groups(), query, body or {})
        raise Refusal(404, f"{method} {path} is not a part of the offline API")

    def find_file(self, query: dict[str, str], body: Any) -> Any:
        """Give a file by its path."""
        return self.files.by_path(body["path"], query.get("environment"))

    def put_file(self, kind: str, query: dict[str, str], body: Any) -> Any:
        """Make a prompt or flow, or another version of one."""
        return self.files.put(kind, body)

    def get_file(self, kind: str, file_id: str, query: dict[str, str], body: Any) -> Any:
        """Give a version of a prompt or flow."""
        return self.files.by_id(file_id, query.get("version_id"), query.get("environment"))

    def put_dataset(self, query: dict[str, str], body: Any) -> Any:
        """Make a dataset; its datapoints keep their ids from one run to the next."""
        return self.files.put_dataset(body)

    def get_dataset(self, dataset_id: str, query: dict[str, str], body: Any) -> Any:
        """Give a dataset with its datapoints."""
        return self.files.datasets[dataset_id]

    def put_evaluator(self, query: dict[str, str], body: Any) -> Any:
        """Make an evaluator whose code runs on the client."""
        return self.files.put("evaluators", body)

    def create_evaluation(self, query: dict[str, str], body: Any) -> Any:
        """Make an evaluation of a file."""
        name = body.get("name")
        if name is not None and any(one["name"] == name for one in self.evaluations.values()):
            raise Refusal(409, f"there is an evaluation {name!r}")
        evaluation = {
            # As with the service, never used again: memory of an earlier run is kept under such an id.
            "id": f"evr_{uuid4().hex[:16]}",
            "name": name,
            "file_id": body["file"]["id"],
            "url": "offline",
            "evaluators": [{"version": self.files.by_path(one["path"], None)} for one in body["evaluators"]],
        }
        self.evaluations[str(evaluation["id"])] = evaluation
        return evaluation

    def list_evaluations(self, query: dict[str, str], body: Any) -> Any:
        """List the evaluations of a file."""
        found = [one for one in self.evaluations.values() if one["file_id"] == query.get("file_id")]
        size, page = int(query.get("size", "10")), int(query.get("page", "1"))
        return {"records": found[(page - 1) * size : page * size], "page": page, "size": size, "total": len(found)}

    def create_run(self, evaluation_id: str, query: dict[str, str], body: Any) -> Any:
        """Begin a run of a version over a dataset."""
        run_id = f"rn_{uuid4().hex[:16]}"
        version = self.files.version(body["version"]["version_id"])
        dataset = next(
            one for one in self.files.datasets.values() if one["version_id"] == body["dataset"]["version_id"]
        )
        self.runs[run_id] = {"id": run_id, "evaluation": evaluation_id, "version": version, "status": "running"}
        self.runs[run_id]["expected"] = len(dataset["datapoints"])
        return {"id": run_id, "version": version, "status": "running"}

    def list_runs(self, evaluation_id: str, query: dict[str, str], body: Any) -> Any:
        """List the runs of an evaluation."""
        return {"runs": [run for run in self.runs.values() if run["evaluation"] == evaluation_id]}

    def change_run(self, evaluation_id: str, run_id: str, query: dict[str, str], body: Any) -> Any:
        """Cancel a run."""
        self.runs[run_id]["status"] = body["status"]
        return self.runs[run_id]

    def get_stats(self, evaluation_id: str, query: dict[str, str], body: Any) -> Any:
        """Give what the evaluators found, newest run first, once the judgments that are under way have arrived."""
        evaluation = self.evaluations[evaluation_id]
        self._arrived.wait_for(lambda: all(one["status"] != "running" for one in self._stats(evaluation)), _WAIT)
        stats = self._stats(evaluation)
        done = all(one["status"] != "running" for one in stats)
        text = report(evaluation, stats)
        return {"run_stats": stats, "progress": text, "report": text, "status": "completed" if done else "running"}

    def _stats(self, evaluation: dict[str, Any]) -> list[dict[str, Any]]:
        runs = [run for run in self.runs.values() if run["evaluation"] == evaluation["id"]]
        return [numbers(run, self.logs.values(), evaluation["evaluators"]) for run in reversed(runs)]

    def log(self, kind: str, query: dict[str, str], body: Any) -> Any:
        """Keep the log of a datapoint."""
        log_id = f"log_{len(self.logs) + 1:06}"
        if "version_id" in query:
            version = self.files.version(query["version_id"])
        else:
            version = self.files.put(kind, {"path": body["path"], **body[kind[:-1]]})
        self.logs[log_id] = {**body, "id": log_id, kind[:-1]: version, "judgments": {}}
        return {"id": log_id, "version_id": version["version_id"]}

    def get_log(self, log_id: str, query: dict[str, str], body: Any) -> Any:
        """Give a log, as evaluators read it."""
        return self.logs[log_id]

    def judge(self, query: dict[str, str], body: Any) -> Any:
        """Keep what an evaluator found."""
        evaluator = self.files.by_id(body["id"], None, None)["version_id"]
        self.logs[body["parent_id"]]["judgments"][evaluator] = body.get("judgment")
        self._arrived.notify_all()
        return {"id": identifier("log", [body["parent_id"], evaluator])}

    def call_prompt(self, query: dict[str, str], body: Any) -> Any:
        """Tell which version was called, and on which inputs; no model is asked."""
        prompt = self.files.by_path(body["path"], query.get("environment"))
        if query.get("version_id"):
            prompt = self.files.version(query["version_id"])
        return {"id": f"call_{len(self.calls)}", "prompt": prompt, "logs": [{"output": "", "index": 0}]}

    def take_spans(self, query: dict[str, str], body: Any) -> Any:
        """Take the spans that decorated functions send: they complete the log that was begun for a flow."""
        spans = [
            {
                each["key"].removeprefix("humanloop.log."): each["value"].get("stringValue")
                for each in span["attributes"]
            }
            for resource in body["resourceSpans"]
            for group in resource["scopeSpans"]
            for span in group["spans"]
        ]
        for span in spans:
            if span.get("id") in self.logs:
                members = ("output", "error", "run_id", "source_datapoint_id", "log_status")
                self.logs[span["id"]] |= {name: span[name] for name in members if name in span}
        self._arrived.notify_all()
        return {"records": [span.get("id") for span in spans]}


_ROUTES: Final = [
    ("POST", r"/files/retrieve-by-path", "find_file"),
    ("POST", r"/(prompts|flows)", "put_file"),
    ("GET", r"/(prompts|flows)/([^/]+)", "get_file"),
    ("POST", r"/datasets", "put_dataset"),
    ("GET", r"/datasets/([^/]+)", "get_dataset"),
    ("POST", r"/evaluators", "put_evaluator"),
    ("POST", r"/evaluations", "create_evaluation"),
    ("GET", r"/evaluations", "list_evaluations"),
    ("POST", r"/evaluations/([^/]+)/runs", "create_run"),
    ("GET", r"/evaluations/([^/]+)/runs", "list_runs"),
    ("PATCH", r"/evaluations/([^/]+)/runs/([^/]+)", "change_run"),
    ("GET", r"/evaluations/([^/]+)/stats", "get_stats"),
    ("POST", r"/(prompts|flows)/log", "log"),
    ("GET", r"/logs/([^/]+)", "get_log"),
    ("POST", r"/evaluators/log", "judge"),
    ("POST", r"/prompts/call", "call_prompt"),
    ("POST", r"/import/otel/v1/traces", "take_spans"),
]
