"""Files and datasets of the offline API: what is named by a path and has versions."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

from botwire_humanloop.offline_http import Refusal

__all__ = ["Files", "identifier"]

_NOT_CONTENT = ("path", "id", "name", "version_name", "version_description")


def identifier(prefix: str, content: Any) -> str:
    """An id made of what it stands for, so that the same is found again."""
    return f"{prefix}_{sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]}"


class Files:
    """Prompts, flows and evaluators with their versions, and datasets with their datapoints.

    The last version that was put is the one that is deployed; `deploy` names another for an environment.
    """

    def __init__(self) -> None:
        self._versions: dict[str, dict[str, Any]] = {}
        self._deployed: dict[tuple[str, str | None], str] = {}
        """By path and environment, the version; None is the default environment."""
        self.datasets: dict[str, dict[str, Any]] = {}

    def put(self, kind: str, body: dict[str, Any]) -> dict[str, Any]:
        """Keep a version of a file, and deploy it in the default environment."""
        content = {name: value for name, value in body.items() if name not in _NOT_CONTENT}
        path, singular = body["path"], kind[:-1]
        version = {
            **content,
            "id": identifier(singular[:2], path),
            "version_id": identifier(f"{singular[:2]}v", [path, content]),
            "path": path,
            "name": path.rpartition("/")[2],
            "type": singular,
        }
        self._versions[version["version_id"]] = version
        self._deployed[path, None] = version["version_id"]
        return version

    def deploy(self, path: str, environment: str | None, version_id: str) -> None:
        """Let an environment have a version; None is the default environment."""
        self._deployed[path, environment] = version_id

    def by_path(self, path: str, environment: str | None) -> dict[str, Any]:
        """The version that an environment has of a file."""
        version_id = self._deployed.get((path, environment)) or self._deployed.get((path, None))
        if version_id is None:
            raise Refusal(404, f"there is no file {path}")
        return self._versions[version_id]

    def by_id(self, file_id: str, version_id: str | None, environment: str | None) -> dict[str, Any]:
        """A version of a file; the deployed one where none is named."""
        if version_id is not None:
            return self._versions[version_id]
        return self.by_path(next(one["path"] for one in self._versions.values() if one["id"] == file_id), environment)

    def version(self, version_id: str) -> dict[str, Any]:
        """A version by its id."""
        return self._versions[version_id]

    def put_dataset(self, body: dict[str, Any]) -> dict[str, Any]:
        """Keep a dataset; equal datapoints are told apart by their place."""
        known = self.datasets.get(identifier("ds", body["path"]))
        given = body.get("datapoints") or []
        points: list[dict[str, Any]] = [] if known is None or body.get("action") == "set" else [*known["datapoints"]]
        for point in given:
            count = sum(1 for one in points if {**one, "id": None} == {**point, "id": None})
            points.append({**point, "id": identifier("dp", [point, count])})
        dataset = {
            "id": identifier("ds", body["path"]),
            "version_id": identifier("dsv", [body["path"], points]),
            "path": body["path"],
            "name": body["path"].rpartition("/")[2],
            "datapoints": points,
        }
        self.datasets[str(dataset["id"])] = dataset
        return dataset
