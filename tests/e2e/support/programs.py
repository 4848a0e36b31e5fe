"""Our programs as child processes, and the software TDX platform that they run on. Environment: MERO_BUILD_DIR."""
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

BUILD = Path(os.environ.get("MERO_BUILD_DIR", Path(__file__).resolve().parents[3] / "build"))
SKIPPED = 77
REGISTERS = ("mrtd", "rtmr0", "rtmr1", "rtmr2", "rtmr3")


def need_programs(*names):
    """Ends the test as skipped when a program was not built (release presets build no simulator)."""
    missing = [name for name in names if not (BUILD / name).exists()]
    if missing:
        print(f"skipped: {', '.join(missing)} not in {BUILD}")
        sys.exit(SKIPPED)


def expect(got, want, context=""):
    assert got == want, f"{got!r}, wanted {want!r}\n{context}"


def run_one(test):
    begin, problem = time.monotonic(), ""
    try:
        test()
    except Exception as failure:  # told, counted, and the other tests go on
        problem = f": {failure}" if isinstance(failure, AssertionError) else f": {failure!r}"
    print(f"{'not ok' if problem else 'ok'} - {test.__name__} ({time.monotonic() - begin:.1f} s){problem}", flush=True)
    return not problem


def run_tests(tests):
    """Functions without arguments, four at a time: most of them wait most of the time. Names on the command line choose.
    Returns the exit status."""
    wanted = [t for t in tests if len(sys.argv) == 1 or t.__name__ in sys.argv[1:]]
    with ThreadPoolExecutor(4) as pool:
        return 0 if wanted and all(list(pool.map(run_one, wanted))) else 1


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def clean_environment(extra=None):
    """Ours, without anything that steers our programs."""
    env = {k: v for k, v in os.environ.items()
           if not k.startswith(("MERO", "DSTACK_", "CALIMERO", "RUST_LOG", "USE_ENV", "NODE_PATH", "NOTIFY"))}
    env.update(extra or {})
    return env


class Program:
    """A program in the background, stdout and stderr in one file."""

    def __init__(self, argv, log, env=None, **popen):
        self.name, self.log = Path(argv[0]).name, Path(log)
        with open(log, "wb") as out:
            self.process = subprocess.Popen([str(a) for a in argv], env=clean_environment(env),
                                            stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, **popen)

    def text(self):
        return self.log.read_text(errors="replace")

    def wait_for(self, pattern, seconds=20):
        end = time.monotonic() + seconds
        while True:
            ended = self.process.poll() is not None
            match = re.search(pattern, self.text(), re.M)
            if match:
                return match
            if ended or time.monotonic() > end:
                raise AssertionError(f"{self.name} did not say {pattern!r} (status {self.process.poll()}):\n{self.text()}")
            time.sleep(0.01)

    def stop(self, number=signal.SIGTERM, seconds=20):
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(seconds)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


class Platform:
    """mero-sim with machines of these names; use as a context manager."""

    def __init__(self, *machines, options=()):
        self.dir = Path(tempfile.mkdtemp(prefix="merotee-e2e-"))
        arguments = [f"--machine=name={name}" if "=" not in name else f"--machine={name}" for name in machines]
        self.program = Program([BUILD / "mero-sim", "run", "--dir", self.dir / "sim", *arguments, *options],
                               self.dir / "sim.log")
        self.programs = [self.program]

    def __enter__(self):
        try:
            self.facts = json.loads(self.program.wait_for(r"^\{.*\}$")[0])
        except BaseException:
            self.__exit__()
            raise
        self.machines = {m["name"]: m for m in self.facts["machines"]}
        return self

    def __exit__(self, *_):
        for program in reversed(self.programs):
            program.kill()
        shutil.rmtree(self.dir, ignore_errors=True)

    def socket(self, machine):
        return self.machines[machine]["agent_socket"]

    @property
    def dev_env(self):
        return {"MERO_DEV_ROOT": self.facts["root_pem"], "MERO_COLLATERAL_URLS": self.facts["pcs_url"]}


class Node:
    """A merod with its own home below the platform's directory."""

    def __init__(self, platform, name="n1", machine="node"):
        self.platform, self.name, self.machine = platform, name, machine
        self.home = platform.dir / "home"
        self.dir = self.home / name
        self.port = free_port()
        self.logs = 0

    def argv(self, *arguments):
        return [str(a) for a in (BUILD / "merod", "--home", self.home, "--node", self.name, *arguments)]

    def call(self, *arguments, env=None, timeout=90):
        return subprocess.run(self.argv(*arguments), env=clean_environment({**self.platform.dev_env, **(env or {})}),
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, check=False)

    def good(self, *arguments, env=None):
        done = self.call(*arguments, env=env)
        assert done.returncode == 0, f"merod {' '.join(arguments)}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def init(self):
        self.good("init", "--server-host", "127.0.0.1", "--server-port", str(self.port))

    def trust(self, url, kms_machine="kms", *more):
        """Points the node at a KMS and trusts what the simulator says of its machine."""
        measured = self.platform.machines[kms_machine]["measurements"]
        self.good("config", f'tee.kms.phala.url="{url}"', 'tee.quote_source="dstack"',
                  f'tee.dstack_socket="{self.platform.socket(self.machine)}"',
                  *[f'tee.kms.phala.attestation.allowed_{r}=["{measured[r]}"]' for r in REGISTERS],
                  "tee.kms.phala.attestation.enabled=true", *more)

    def start(self, *arguments, env=None, **popen):
        self.logs += 1
        program = Program(self.argv("run", *arguments), self.platform.dir / f"{self.name}-{self.logs}.log",
                          {**self.platform.dev_env, **(env or {})}, **popen)
        self.platform.programs.append(program)
        return program

    def serve(self, *arguments, env=None, **popen):
        program = self.start(*arguments, env=env, **popen)
        program.wait_for(r"node ready")
        return program

    def disk(self):
        """Every file of the store with size and time of change: what a failed start must not touch."""
        found = {}
        for top in ("data", "blobs"):
            for path in sorted((self.dir / top).rglob("*")):
                if path.is_file():
                    found[str(path.relative_to(self.dir))] = (path.stat().st_size, path.stat().st_mtime_ns)
        return found
