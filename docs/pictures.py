"""Takes the pictures of the documentation from real runs: ``python -m docs.pictures``.

The report's picture needs Chromium; the terminal's is drawn from the output of commands that run
here, in a temporary repository, while a client sends requests to the server.
"""

from __future__ import annotations

import http.client
import io
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from rich.console import Console
from rich.text import Text

HERE = Path(__file__).parent
PICTURES = HERE / "pictures"
WIDTH = 96

MODELS = """
import pandas as pd, lockgate
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
X, y = load_breast_cancer(return_X_y=True, as_frame=True)
X = X[["mean radius", "mean texture", "mean smoothness"]]
y = y.map({0: "malignant", 1: "benign"}).rename("diagnosis")
train, test = (X[:400], y[:400]), (X[400:], y[400:])
for name, model in (("first", make_pipeline(StandardScaler(), LogisticRegression())),
                    ("second", RandomForestClassifier(50, max_depth=4, random_state=0))):
    lockgate.pack(model.fit(*train), *train, name="tumours", path=name, test=test)
X[400:].assign(diagnosis=y[400:]).to_csv("rows.csv", index=False)
"""

ROW = {"mean radius": 14.2, "mean texture": 19.1, "mean smoothness": 0.1}


class Client:
    """Sends one request after another, and counts the responses by version."""

    def __init__(self, port: int) -> None:
        self.port, self.versions, self.failed = port, dict[str, int](), 0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        body, headers = json.dumps({"row": ROW}), {"content-type": "application/json"}
        while not self._stopped.is_set():
            try:
                connection.request("POST", "/predict", body, headers)
                response = connection.getresponse()
                answer = json.loads(response.read())
                self.failed += response.status != 200
                version = answer.get("version", "none")
                self.versions[version] = self.versions.get(version, 0) + 1
            except OSError:
                self.failed += 1
                connection.close()

    def stop(self) -> str:
        """End, and describe what came back."""
        self._stopped.set()
        self._thread.join()
        counts = ", ".join(f"{count:,} by {version}" for version, count in self.versions.items())
        return f"{sum(self.versions.values()):,} responses ({counts}); {self.failed} failed"


def terminal_picture() -> None:
    """Draw a promotion, a deployment and a rollback under load."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    scripts = str(Path(sys.executable).parent)
    env = {**os.environ, "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}"}
    for who in ("AUTHOR", "COMMITTER"):
        env |= {f"GIT_{who}_NAME": "Ada", f"GIT_{who}_EMAIL": "ada@shop.example"}
    with tempfile.TemporaryDirectory() as folder:

        def run(line: str, *, shown: bool = True) -> str:
            done = subprocess.run(
                shlex.split(line), cwd=folder, env=env, capture_output=True, text=True, check=False
            )
            output = (done.stdout + done.stderr).replace(folder, "").replace("/live", "live")
            if shown:
                console.print(Text(f"$ {line}", style="bold"))
                console.print(Text(output.rstrip()))
            return output

        for line in ("git init -q -b main .", "git commit -q --allow-empty -m shop"):
            run(line, shown=False)
        subprocess.run([sys.executable, "-c", MODELS], cwd=folder, env=env, check=True)
        for line in (
            "lockgate register first",
            "lockgate promote tumours prod --data rows.csv",
            "lockgate deploy tumours@prod live",
        ):
            run(line, shown=line.startswith("lockgate promote"))
        server = subprocess.Popen(
            ["lockgate", "serve", "live", "--port", "0"],
            cwd=folder,
            env=env,
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )
        assert server.stderr is not None
        address = next(m for line in server.stderr if (m := re.search(r"http://[^:]+:(\d+)", line)))
        console.print(
            Text("$ lockgate serve live &          # a client sends requests from now on")
        )
        client = Client(int(address[1]))
        time.sleep(1)  # the client goes on with this version
        run("lockgate register second", shown=False)
        run("lockgate promote tumours@1.1.0 prod --data rows.csv --reason 'fewer missed tumours'")
        run("lockgate deploy tumours@prod live")
        time.sleep(1)  # the client goes on with this version
        run("lockgate rollback --here live --reason 'a clinic complains'")
        time.sleep(1)  # the client goes on with this version
        console.print(Text(f"# {client.stop()}", style="green"))
        server.send_signal(signal.SIGTERM)
        server.communicate(timeout=60)
    svg = console.export_svg(title="promote, deploy, roll back", clear=False)
    (PICTURES / "terminal.svg").write_text(re.sub(r"terminal-\d+", "terminal-0", svg))


def report_picture() -> None:
    """Take a picture of the report of the project that lies here; run the demo first."""
    report = HERE.parent / "report" / "index.html"
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None or not report.is_file():
        sys.exit("the picture of the report needs chromium, and report/index.html: lockgate run")
    target = PICTURES / "report.png"
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    window = ["--window-size=1100,1250", f"--screenshot={target}"]
    subprocess.run([chromium, *options, *window, report.as_uri()], check=True, capture_output=True)


if __name__ == "__main__":
    PICTURES.mkdir(exist_ok=True)
    terminal_picture()
    report_picture()
