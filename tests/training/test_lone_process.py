"""Training in a process of its own: whom it reaches, what it loads, and that it trains alike."""

import os
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
from tiny_runs import BRIEF, PHANTOM, ct_flags

pytestmark = pytest.mark.xdist_group("phantom run")

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")
GUARDED_FIT = """
import socket, sys
real = socket.socket.connect
def connect(self, address):
    host = address[0] if isinstance(address, tuple) else "local"
    if host not in ("local", "127.0.0.1", "localhost", "::1"):
        raise SystemExit(f"connect to {address}")
    return real(self, address)
socket.socket.connect = connect
socket.getaddrinfo = lambda *where, **more: sys.exit(f"look up {where}")
from mtl_hcc.fit import main
code = main(sys.argv[2:])
open(sys.argv[1], "w").write("\\n".join(sys.modules))
sys.exit(code)
"""


@dataclass(frozen=True)
class LoneRun:
    """A finished training process.

    Attributes:
        run: The run folder.
        done: How the process ended.
        callers: First bytes of every request to the proxy.
        modules: Top-level names of what the process had loaded at the end.
    """

    run: Path
    done: subprocess.CompletedProcess[str]
    callers: list[bytes]
    modules: set[str]


@pytest.fixture(scope="module")
def lone_run(phantom_run, tmp_path_factory) -> LoneRun:
    """Train on the phantom's store with the default settings of W&B and no way out.

    Python's own connections are refused; W&B's second process is watched by a proxy that all its
    requests would have to pass.
    """
    folder = tmp_path_factory.mktemp("lone")
    callers: list[bytes] = []
    proxy = socket.create_server(("127.0.0.1", 0))

    def listen() -> None:
        while True:
            try:
                caller, _ = proxy.accept()
            except OSError:
                return
            with caller:
                caller.settimeout(1)
                callers.append(caller.recv(200))

    threading.Thread(target=listen, daemon=True).start()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
    kept |= dict.fromkeys(PROXIES, f"http://127.0.0.1:{proxy.getsockname()[1]}")
    kept |= {"NO_PROXY": "", "no_proxy": "", "HOME": str(folder)}
    flags = [*ct_flags(phantom_run.run.parent), *BRIEF, "--run", str(folder / "run")]
    script = [sys.executable, "-c", GUARDED_FIT, str(folder / "modules.txt")]
    try:
        done = subprocess.run(
            [*script, *flags, "--data.phantom.patients", PHANTOM],
            capture_output=True,
            text=True,
            check=False,
            cwd=folder,
            env=kept,
            timeout=200,
        )
    finally:
        proxy.close()
    assert done.returncode == 0, done.stderr
    names = (folder / "modules.txt").read_text().splitlines()
    modules = {name.partition(".")[0] for name in names}
    return LoneRun(folder / "run", done, callers, modules)


def test_a_run_with_the_default_settings_reaches_nobody(lone_run):
    assert lone_run.callers == []
    assert list((lone_run.run / "wandb").glob("offline-run-*"))


def test_training_on_a_store_that_exists_never_loads_imaging_libraries(lone_run):
    assert {"torch", "pytorch_lightning", "safetensors"} <= lone_run.modules
    # MONAI itself loads nibabel and pydicom where it finds them.
    assert not lone_run.modules & {"SimpleITK", "torchio", "highdicom"}
    assert "Preparing" not in lone_run.done.stdout


def test_a_process_of_its_own_trains_as_a_call_does(phantom_run, lone_run):
    expected, found = (
        pd.read_csv(run / "predictions.csv") for run in (phantom_run.run, lone_run.run)
    )
    pd.testing.assert_frame_equal(found, expected, rtol=1e-4, atol=1e-6)


def test_a_quiet_terminal_shows_no_warning(lone_run):
    told = [line for line in lone_run.done.stderr.splitlines() if "warning" in line.lower()]
    assert told == []
