#!/usr/bin/env python3
"""mero-tee as an operator drives it: every form of a quote, verdicts with their exit statuses, collateral with and without a
network, bundles that replay. Counts its checks."""
import base64
import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BUILD = Path(os.environ["MERO_BUILD_DIR"])
NONCE = "5a" * 32
passed, failures = 0, []


def check(text, condition, shown=""):
    global passed
    if condition:
        passed += 1
    else:
        failures.append(text)
        print(f"FAILED: {text} {shown}")


class AgentConnection(http.client.HTTPConnection):
    """HTTP over the unix socket of a dstack agent."""

    def __init__(self, path):
        super().__init__("agent", timeout=20)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


class Simulator:
    def __init__(self, folder, *machines):
        self.dir = folder
        words = [word for machine in machines for word in ("--machine", machine)]
        self.process = subprocess.Popen([BUILD / "mero-sim", "run", "--dir", folder, *words], stdout=subprocess.PIPE)
        self.page = json.loads(self.process.stdout.readline())
        self.root, self.pcs = self.page["root_pem"], self.page["pcs_url"]

    def ask(self, *arguments):
        return subprocess.run([BUILD / "mero-sim", *arguments, "--dir", self.dir], capture_output=True, check=True).stdout

    def quote(self, machine, report_data=NONCE + "00" * 32):
        return self.ask("quote", "--machine", machine, "--report-data", report_data)

    def play(self, *words):
        self.ask("set", *words)

    def stop(self):
        self.process.terminate()
        self.process.wait(15)


HOME = tempfile.mkdtemp()


def tee(*arguments, data=None):
    env = {"PATH": os.environ["PATH"], "HOME": HOME}
    return subprocess.run([BUILD / "mero-tee", *map(str, arguments)], capture_output=True, input=data, timeout=60,
                          check=False, env=env)


def expect(text, done, status, *words):
    shown = f"(exit {done.returncode}, wanted {status})\n{done.stdout.decode()[-600:]}{done.stderr.decode()}"
    check(text, done.returncode == status, shown)
    for word in words:
        check(f"{text}: says {word!r}", word in (done.stdout + done.stderr).decode(), shown)


def forms_of_a_quote(sim, files):
    raw = sim.quote("plain")
    forms = {"raw": raw, "hex": raw.hex().encode(), "base64": base64.b64encode(raw) + b"\n",
             "kms": json.dumps({"quoteB64": base64.b64encode(raw).decode(), "eventLog": []}).encode(),
             "node": json.dumps({"data": {"quoteB64": base64.b64encode(raw).decode(), "quote": {}}}).encode(),
             "agent": json.dumps({"quote": raw.hex(), "event_log": "[]"}).encode(), "padded": raw + b"\0" * 70}
    for name, data in forms.items():
        path = files / name
        path.write_bytes(data)
        expect(f"inspect {name}", tee("quote", "inspect", path), 0, "nothing below has been verified")
        expect(f"verify {name} from standard input",
               tee("quote", "verify", "-", "--root", sim.root, "--collateral-url", sim.pcs, "--nonce", NONCE, data=data), 0,
               "verified at", "UpToDate")
    view = json.loads(tee("quote", "inspect", files / "node", "--json").stdout)
    check("the JSON view says that nothing is verified", view["verified"] is False and view["form"] == "JSON")
    check("the JSON view has the quote's fields", len(view["quote"]["body"]["mrtd"]) == 96)
    expect("an empty file", tee("quote", "verify", "/dev/null", "--root", sim.root), 10, "empty")
    expect("rubbish", tee("quote", "verify", "-", "--root", sim.root, data=b"hello"), 10, "no quote")
    expect("a file that is not there", tee("quote", "inspect", files / "none"), 1, "none", "file/missing")


def verdicts(sim, files):
    quote = files / "raw"
    online = ["--root", sim.root, "--collateral-url", sim.pcs]
    empty = ["--cache-dir", files / "empty"]
    done = tee("quote", "verify", quote, *online, "--json")
    check("the default cache is in the home directory", (Path(HOME) / ".cache/merotee/collateral").is_dir())
    page = json.loads(done.stdout)
    wanted = sim.page["machines"][0]["measurements"]
    check("schema and verdict", page["schema"] == "mero.verify/1" and page["verified"] is True)
    check("status", page["tcb_status"] == "UpToDate" and page["advisory_ids"] == [])
    check("registers", all(page["measurements"][r] == wanted[r] for r in wanted))
    check("report data", page["report_data"].startswith(NONCE) and len(page["report_data"]) == 128)
    check("no error where there is none", "error" not in page)
    expect("another nonce", tee("quote", "verify", quote, *online, "--nonce", "00" * 32), 14, "binding/nonce")
    expect("a nonce that is no hex", tee("quote", "verify", quote, *online, "--nonce", "xyz"), 2, "--nonce")
    expect("Intel's root does not vouch for a simulator", tee("quote", "verify", quote, "--collateral-url", sim.pcs), 10,
           "cert/root")
    expect("nobody serves collateral",
           tee("quote", "verify", quote, "--root", sim.root, "--collateral-url", "http://127.0.0.1:9", *empty), 11,
           "collateral/unreachable")
    expect("offline without a cache", tee("quote", "verify", quote, *online, "--offline", *empty), 11, "collateral/missing")
    damaged = bytearray(quote.read_bytes())
    damaged[600] ^= 1
    (files / "damaged").write_bytes(damaged)
    done = tee("quote", "verify", files / "damaged", *online, "--json")
    expect("one bit of the report data flipped", done, 10, "signature/quote")
    check("its JSON says so", json.loads(done.stdout)["error"]["code"] == "signature/quote")
    for machine, status, code in (("old", 12, "tcb/status"), ("debug", 15, "platform/debug"), ("gone", 10, "cert/revoked")):
        (files / machine).write_bytes(sim.quote(machine))
        expect(f"machine {machine}", tee("quote", "verify", files / machine, *online), status, code)
    expect("OutOfDate accepted by option", tee("quote", "verify", files / "old", *online, "--accept-status", "OutOfDate"), 0)
    expect("any status accepted", tee("quote", "verify", files / "old", *online, "--accept-status", "any"), 0)
    expect("revoked is never accepted", tee("quote", "verify", files / "gone", *online, "--accept-status", "any"), 10)
    expect("an unknown status", tee("quote", "verify", files / "old", *online, "--accept-status", "Fine"), 16, "Fine")
    expect("debug accepted by option", tee("quote", "verify", files / "debug", *online, "--allow-debug"), 0)


def policies(sim, files):
    online = ["--root", sim.root, "--collateral-url", sim.pcs]
    mine = sim.page["machines"][0]["measurements"]
    flat = {"allowed_mrtd": [mine["mrtd"]], "allowed_rtmr2": [mine["rtmr2"]]}
    published = {"policy": {"node_allowed_mrtd": [mine["mrtd"]], "kms_allowed_mrtd": ["00" * 48]}}
    wrong = {"allowed_mrtd": [mine["mrtd"]], "allowed_rtmr2": ["00" * 48]}
    sets = {"allowed_set": [{"name": "node 1.4.2", **{r: mine[r] for r in mine}, "rtmr2": "00" * 48}]}
    for name, policy in (("flat", flat), ("published", published), ("wrong", wrong), ("sets", sets)):
        (files / f"{name}.json").write_text(json.dumps(policy))
    verify = ["quote", "verify", files / "raw", *online, "--policy"]
    expect("the flat shape", tee(*verify, files / "flat.json"), 0)
    expect("the published shape, lists of nodes", tee(*verify, files / "published.json"), 0)
    expect("the published shape, lists of a KMS", tee(*verify, files / "published.json", "--role", "kms"), 13,
           "measurement/mrtd")
    expect("another RTMR2", tee(*verify, files / "wrong.json"), 13, "measurement/rtmr2", "differs in RTMR2 only")
    done = tee(*verify, files / "sets.json", "--json")
    expect("the nearest set is named", done, 13, "node 1.4.2")
    check("in JSON too", "RTMR2 only" in json.loads(done.stdout)["error"]["nearest"])
    expect("an unknown role", tee(*verify, files / "flat.json", "--role", "boss"), 2, "--role")


def collateral_and_bundles(sim, files):
    quote, kept = files / "raw", files / "collateral.json"
    cache = ["--cache-dir", files / "cache"]
    root = ["--root", sim.root]
    expect("fetch", tee("collateral", "fetch", quote, *root, *cache, "--collateral-url", sim.pcs, "-o", kept), 0)
    check("nine members", len(json.loads(kept.read_text())) == 9)
    expect("show", tee("collateral", "show", kept, *root), 0, "TCB info", "QE identity", "PCK CRL", "root CRL", "counts")
    expect("show in ten years", tee("collateral", "show", kept, *root, "--at", "2036-01-01T00:00:00Z"), 11, "EXPIRED")
    page = json.loads(tee("collateral", "show", kept, *root, "--json").stdout)
    check("show as JSON", page["schema"] == "mero.collateral/1" and len(page["documents"]) == 4)
    expect("verify from the file alone", tee("quote", "verify", quote, *root, "--collateral", kept), 0)
    expect("verify from the cache alone", tee("quote", "verify", quote, *root, *cache, "--offline"), 0)
    expect("export from the cache", tee("collateral", "export", quote, *root, *cache), 0, "tcb_info_signature")
    other = ["--cache-dir", files / "other"]
    expect("import elsewhere", tee("collateral", "import", kept, "--quote", quote, *root, *other), 0, "imported")
    expect("import needs a quote", tee("collateral", "import", kept, *root, *other), 2, "--quote")
    expect("and then verify there", tee("quote", "verify", quote, *root, *other, "--offline"), 0)
    expect("forget", tee("collateral", "forget", *other), 0, "forgotten")
    expect("it is forgotten", tee("quote", "verify", quote, *root, *other, "--offline"), 11, "collateral/missing")
    bundle = files / "bundle.json"
    refused = tee("quote", "verify", files / "old", *root, "--collateral-url", sim.pcs, "--save-bundle", bundle, "--json")
    expect("a refusal is bundled too", refused, 12)
    again = tee("quote", "verify", "--replay", bundle, *root, "--json")
    expect("the bundle replays the refusal", again, 12)
    check("bit for bit", again.stdout == refused.stdout, again.stdout.decode())
    sim.play("--machine", "plain", "tcb-info:rolled-back")
    expect("an older TCB info than the cache has seen",
           tee("collateral", "fetch", quote, *root, *cache, "--collateral-url", sim.pcs), 0)
    served = json.loads(tee("collateral", "export", quote, *root, *cache).stdout)
    check("does not replace the newer", served["tcb_info"] == json.loads(kept.read_text())["tcb_info"])
    expect("a time of one's own asks without the cache's memory",
           tee("quote", "verify", quote, *root, *cache, "--collateral-url", sim.pcs, "--at", str(int(time.time()))), 0)
    sim.play("--machine", "plain", "none")


def events(sim, files):
    agent = AgentConnection(sim.page["machines"][0]["agent_socket"])
    agent.request("POST", "/GetQuote", json.dumps({"report_data": NONCE + "00" * 32}),
                  {"Content-Type": "application/json"})
    reply = json.loads(agent.getresponse().read())
    (files / "events.json").write_text(json.dumps(reply))
    done = tee("quote", "events", files / "events.json", "--json")
    expect("the event log leads to the registers", done, 0)
    page = json.loads(done.stdout)
    check("all four registers", all(page["registers"][f"rtmr{i}"]["matches"] for i in range(4)))
    online = ["--root", sim.root, "--collateral-url", sim.pcs]
    for name, hash_ in (("mine", sim.page["machines"][0]["compose_hash"]), ("other", "11" * 32)):
        (files / f"compose-{name}.json").write_text(json.dumps({"allowed_compose_hashes": [hash_]}))
    expect("the compose hash that the log proves",
           tee("quote", "verify", files / "events.json", *online, "--policy", files / "compose-mine.json"), 0)
    expect("another compose hash",
           tee("quote", "verify", files / "events.json", *online, "--policy", files / "compose-other.json"), 13,
           "measurement/compose-hash")
    expect("a compose hash without a log",
           tee("quote", "verify", files / "raw", *online, "--policy", files / "compose-mine.json"), 13, "no event log")
    log = reply["event_log"] if isinstance(reply["event_log"], list) else json.loads(reply["event_log"])
    log = [entry for entry in log if entry["event"] != "app-id"]
    (files / "events.json").write_text(json.dumps({**reply, "event_log": log}))
    expect("an entry less does not", tee("quote", "events", files / "events.json"), 10, "REPLAY DIFFERS")


def main():
    with tempfile.TemporaryDirectory() as folder:
        files = Path(folder)
        sim = Simulator(str(files / "sim"), "name=plain", "name=old,scenario=tcb:OutOfDate", "name=debug,scenario=debug-td",
                        "name=gone,scenario=revoked-pck")
        try:
            for part in (forms_of_a_quote, verdicts, policies, collateral_and_bundles, events):
                part(sim, files)
        finally:
            sim.stop()
            shutil.rmtree(HOME)
    print(f"{passed} passed, {len(failures)} failed")
    return 1 if failures else 0


sys.exit(main())
