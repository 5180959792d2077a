"""Check that `botwire serve` of one environment starts, answers, and stops when it is told to: served.py BOTWIRE."""

import json
import signal
import subprocess
import sys
import urllib.request

command = [sys.argv[1], "serve", "--port", "0", "--no-log"]
with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
    line = server.stderr.readline()
    url = line.partition("listening on ")[2].partition(",")[0]
    if not url:
        sys.exit(f"it did not start: {line}{server.stderr.read()}")
    put = urllib.request.Request(
        f"{url}/memory/space/key", b'{"value": [1]}', {"Content-Type": "application/json"}, method="PUT"
    )
    paths = ("/healthz", "/docs", "/metrics", "/openapi.json")
    answers = {path: urllib.request.urlopen(url + path).status for path in paths}
    value = json.load(urllib.request.urlopen(put))["value"]
    server.send_signal(signal.SIGTERM)
print(f"{answers}, {value}, exit code {server.returncode}")
if set(answers.values()) != {200} or value != [1] or server.returncode != 0:
    sys.exit("that is not what a server does")
