#!/usr/bin/env python3
"""mero-sim as its users meet it: command line, ready line, evidence, control, restart, end. Counts its checks."""
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BUILD = Path(os.environ["MERO_BUILD_DIR"])
SIM = str(BUILD / "mero-sim")
passed, failures = 0, []


def check(text, condition):
    global passed
    if condition:
        passed += 1
    else:
        failures.append(text)
        print(f"FAILED: {text}")


def sim(*arguments, env=None):
    return subprocess.run([SIM, *map(str, arguments)], capture_output=True, timeout=30, check=False,
                          env={**os.environ, **(env or {})})


class Running:
    def __init__(self, *arguments, env=None):
        self.process = subprocess.Popen([SIM, "run", *map(str, arguments)], stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, env={**os.environ, **(env or {})})
        self.page = json.loads(self.process.stdout.readline() or b"null")

    def machine(self, name):
        return next(m for m in self.page["machines"] if m["name"] == name)

    def stop(self, sign=signal.SIGTERM):
        begin = time.monotonic()
        self.process.send_signal(sign)
        status = self.process.wait(15)
        return status, time.monotonic() - begin, self.process.stdout.read(), self.process.stderr.read()


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=10)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(10)
        self.sock.connect(self.path)


def ask_agent(path, method, arguments):
    connection = UnixConnection(path)
    connection.request("POST", f"/{method}", json.dumps(arguments), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


def command_line():
    for arguments in ([], ["run"], ["quote"], ["collateral"], ["set"], ["env"], ["measurements"], ["scenarios"]):
        help_text = sim(*arguments, "--help")
        lines = help_text.stdout.decode().splitlines()
        check(f"{arguments} --help is a success of at most 40 lines", help_text.returncode == 0 and 3 < len(lines) <= 40)
    check("the program's help has examples", b"Examples:" in sim("--help").stdout)
    check("version", sim("--version").stdout.startswith(b"mero-sim "))
    wrong = {
        "no command": [], "unknown command": ["play"], "unknown option": ["run", "--dirr", "x"],
        "no directory": ["run"], "bad machine": ["run", "--dir", "/nonexistent/x", "--machine", "nme=a"],
        "bad name": ["measurements", "--machine", "name=A"], "bad scenario": ["measurements", "-m", "name=a,scenario=x"],
        "bad report data": ["quote", "--dir", "/tmp", "--report-data", "00"], "set without who": ["set", "-d", "/tmp", "none"],
        "bad time": ["run", "--dir", "/nonexistent/x", "--now", "noon"],
        "bad listen": ["run", "--dir", "/nonexistent/x", "--listen", "0.0.0.0:1"],
        "file and machine": ["run", "--dir", "/nonexistent/x", "--file", "f", "--machine", "name=a"],
    }
    for text, arguments in wrong.items():
        done = sim(*arguments)
        check(f"{text} is a usage error (was {done.returncode})", done.returncode == 2)
        check(f"{text}: stdout stays clean", done.stdout == b"")
    check("a typing error gets a suggestion", b"--dir" in sim("run", "--dirr", "x").stderr)
    check("nothing runs there", sim("quote", "--dir", "/tmp").returncode == 1)
    listed = sim("scenarios").stdout.decode()
    check("scenarios are listed", "tcb:STATUS" in listed and "pck-crl:STATE" in listed)


def measurements():
    lines = sim("measurements", "-m", "name=kms", "-m", "name=node,type=gcp").stdout.decode().splitlines()
    machines = [json.loads(line) for line in lines]
    check("one line per machine", [m["name"] for m in machines] == ["kms", "node"])
    registers = [v for m in machines for v in m["measurements"].values()]
    check("ten registers, all different", len(registers) == 10 == len(set(registers)))
    again = sim("measurements", "-m", "name=kms").stdout.decode()
    check("they stay the same", json.loads(again) == machines[0])
    other = json.loads(sim("measurements", "-m", "name=kms", "--seed", "x").stdout)
    check("a seed changes them", other["measurements"]["mrtd"] != machines[0]["measurements"]["mrtd"])
    return machines[0]


def life(scratch, kms):
    state = scratch / "state"
    running = Running("--dir", state, "--machine", "name=kms", "--machine", "name=node,type=gcp,tsm=try")
    page = running.page
    check("the ready line names its schema", page["schema"] == "mero.sim/1")
    check("measurements are those foretold", running.machine("kms")["measurements"] == kms["measurements"])
    check("the root is there", Path(page["root_pem"]).read_text().startswith("-----BEGIN CERTIFICATE-----"))
    check("machines differ in every register", all(
        running.machine("kms")["measurements"][r] != running.machine("node")["measurements"][r]
        for r in ("mrtd", "rtmr0", "rtmr1", "rtmr2", "rtmr3")))

    report_data = "5a" * 64
    quote = sim("quote", "--dir", state, "--machine", "kms", "--report-data", report_data)
    check("a quote with this report data", quote.returncode == 0 and quote.stdout[568:632].hex() == report_data)
    text = sim("quote", "--dir", state, "--machine", "node", "--hex").stdout
    check("the node's quote in hex", bytes.fromhex(text.decode().strip())[184:232].hex()
          == running.machine("node")["measurements"]["mrtd"])
    collateral = json.loads(sim("collateral", "--dir", state, "--machine", "kms").stdout)
    check("collateral has nine members", len(collateral) == 9)
    check("and is that of the machine", running.machine("kms")["fmspc"].upper() in collateral["tcb_info"])

    environment = sim("env", "--dir", state, "--machine", "kms").stdout.decode()
    check("the environment names root, service and socket", all(
        f"'{value}'" in environment for value in
        (page["root_pem"], page["pcs_url"], running.machine("kms")["agent_socket"])))
    check("an unknown machine is a usage error", sim("env", "-d", state, "-m", "nobody").returncode == 2)

    check("a scenario can be set", sim("set", "-d", state, "-m", "kms", "debug-td", "other:rtmr2").returncode == 0)
    changed = sim("quote", "--dir", state, "--machine", "kms").stdout
    check("it shows in the quote", changed[168] & 1 and changed[472:520].hex() != kms["measurements"]["rtmr2"])
    check("a wrong word is a usage error", sim("set", "-d", state, "-m", "kms", "nonsense").returncode == 2)
    check("and changes nothing", sim("quote", "-d", state, "-m", "kms").stdout[168] & 1)
    check("the service can be set", sim("set", "-d", state, "--pcs", "pcs:status:503").returncode == 0)
    check("none ends it", sim("set", "-d", state, "-m", "kms", "none").returncode == 0
          and sim("set", "-d", state, "--pcs", "none").returncode == 0)

    status, key = ask_agent(running.machine("kms")["agent_socket"], "GetKey", {"path": "p"})
    check("the agent gives a key", status == 200 and len(key["key"]) == 64)
    root = Path(page["root_pem"]).read_bytes()
    check("a second one cannot take the sockets", sim("run", "--dir", state, "-m", "name=kms").returncode == 1)

    tsm = running.machine("node")["tsm_root"]
    if tsm is None:
        print(f"skipped: configfs by FUSE ({running.machine('node')['tsm_error']})")
    else:
        check("configfs is mounted", os.path.ismount(tsm))
    status, seconds, out, error = running.stop()
    check(f"SIGTERM ends it cleanly (status {status}, {seconds:.1f} s)", status == 0 and seconds < 5)
    check("one line on stdout, none on stderr", out == b"" and error == b"")
    check("the socket is gone", not Path(running.machine("kms")["agent_socket"]).exists())
    check("the mount is gone", tsm is None or not os.path.ismount(tsm))
    check("nothing runs any more", sim("quote", "--dir", state).returncode == 1)

    # The same directory again, from what the first start saved there.
    saved = state / "cast.json"
    running = Running("--dir", state, "--file", saved)
    check("the root is the same", Path(running.page["root_pem"]).read_bytes() == root)
    _, again = ask_agent(running.machine("kms")["agent_socket"], "GetKey", {"path": "p"})
    check("so are the keys", again["key"] == key["key"])
    status, _, _, _ = running.stop(signal.SIGINT)
    check("SIGINT ends it, too", status == 0)


def clock_and_seed(scratch):
    first = Running("--dir", scratch / "a", "-m", "name=x", "--seed", "s", "--now", "2030-06-01T00:00:00Z")
    second = Running("--dir", scratch / "b", "-m", "name=x", "--seed", "s", env={"MERO_DEV_NOW": "1906502400"})
    infos = []
    for running, state in ((first, "a"), (second, "b")):
        info = json.loads(json.loads(sim("collateral", "-d", scratch / state).stdout)["tcb_info"])
        check(f"{state}: documents are of the set time", info["issueDate"] == "2030-06-01T00:00:00Z")
        infos.append(info)
    check("the seed gives the same platform", infos[0]["fmspc"] == infos[1]["fmspc"])
    first.stop()
    second.stop()
    refused = sim("run", "--dir", scratch / "a", "-m", "name=x", "--seed", "other")
    check("a directory keeps its seed", refused.returncode == 1 and b"another seed" in refused.stderr)


def main():
    with tempfile.TemporaryDirectory(prefix="mero-sim-") as scratch:
        command_line()
        life(Path(scratch), measurements())
        clock_and_seed(Path(scratch))
    print(f"{passed} checks passed, {len(failures)} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
