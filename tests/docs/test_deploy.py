"""What `deploy/` says fits the command and the server that it starts."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys

import typer
import yaml
from house.tree import ROOT

from botwire.cli.app import app
from botwire_core.stores.dict import DictStore
from botwire_server.binding import check_bind
from botwire_server.config import DEFAULT_PORT, ServerConfig
from botwire_server.testing import served

DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8")
COMPOSE = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text(encoding="utf-8"))


def options(name: str) -> set[str]:
    group = typer.main.get_command(app)
    command = group.commands[name]  # type: ignore[attr-defined]
    return {option for one in command.params for option in (*one.opts, *one.secondary_opts)}


def test_every_option_in_deploy_is_one_of_serve() -> None:
    (command,) = re.findall(r"^CMD (\[.*\])$", DOCKERFILE, re.MULTILINE)
    for words in (json.loads(command), COMPOSE["services"]["botwire"]["command"]):
        assert words[0] == "serve"
        used = {word.partition("=")[0] for word in words[1:] if word.startswith("--")}
        assert used <= options("serve")
        assert "--behind-proxy" in used
        assert "--insecure" not in used


def test_the_server_of_deploy_asks_for_a_token_before_it_starts() -> None:
    config = ServerConfig(host="0.0.0.0", behind_proxy=True)
    assert check_bind(config, has_tokens=True) == ()


def test_the_image_runs_as_a_user_of_its_own_with_the_memory_on_a_volume() -> None:
    user = re.findall(r"^USER (\w+)$", DOCKERFILE, re.MULTILINE)
    assert user == ["botwire"]
    (volume,) = re.findall(r"^VOLUME (\S+)$", DOCKERFILE, re.MULTILINE)
    assert f"BOTWIRE_HOME={volume}" in DOCKERFILE
    service = COMPOSE["services"]["botwire"]
    assert [mount.partition(":")[2] for mount in service["volumes"]] == [volume]
    assert "ports" not in service, "only the proxy is reached from outside"
    grace = int(service["stop_grace_period"].removesuffix("s"))
    assert grace > ServerConfig().stop_seconds


def test_the_proxy_and_the_health_check_ask_at_the_port_that_the_server_has() -> None:
    assert f"EXPOSE {DEFAULT_PORT}\n" in DOCKERFILE
    assert COMPOSE["services"]["caddy"]["command"].endswith(f"botwire:{DEFAULT_PORT}")
    (check,) = re.findall(r"HEALTHCHECK .*\\\n +CMD (\[.*\])$", DOCKERFILE, re.MULTILINE)
    _, dash_c, code = json.loads(check)
    assert f"http://127.0.0.1:{DEFAULT_PORT}/healthz" in code
    with served(DictStore()) as url:
        here = code.replace(f"http://127.0.0.1:{DEFAULT_PORT}", url)
        assert subprocess.run([sys.executable, dash_c, here], check=False).returncode == 0
    assert subprocess.run([sys.executable, dash_c, here], check=False, capture_output=True).returncode == 1


def test_the_commands_in_the_comments_name_files_that_are_there() -> None:
    for text in (DOCKERFILE, (ROOT / "deploy" / "compose.yaml").read_text(encoding="utf-8")):
        for line in re.findall(r"^# (?:.*: )?((?:\w+=\S+ )?docker .*)$", text, re.MULTILINE):
            words = shlex.split(line.partition("  ")[0])
            (file,) = (words[i + 1] for i, word in enumerate(words) if word == "-f")
            assert (ROOT / file).is_file()
