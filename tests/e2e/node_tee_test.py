#!/usr/bin/env python3
"""A node in TEE mode on the software platform, with a scripted KMS: a whole start, what the environment may relax and may
not, SIGTERM at every step, the probes, attestation over the admin API, mock quotes in development builds."""
import base64
import http.client
import json
import os
import signal
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from support.programs import REGISTERS, Node, Platform, expect, need_programs, run_tests
from support.scripted_kms import ScriptedKms, report_data_of

PLATFORM = None
SKIP = "tee.kms.phala.insecure_skip_kms_verification=true"


def request(node, method, path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", node.port, timeout=40)
    try:
        connection.request(method, path, body)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def fresh(name):
    node = Node(PLATFORM, name)
    node.init()
    return node


def good_kms(**hooks):
    return ScriptedKms(PLATFORM.socket("kms"), **hooks)


def whole_start():
    node = fresh("whole")
    with good_kms() as kms:
        node.trust(kms.url)
        program = node.serve()
        log = program.text()
        measured = PLATFORM.machines["kms"]["measurements"]
        for word in ("KMS attested", "tcb=UpToDate", *(f"{r}={measured[r]}" for r in REGISTERS), "challenge received",
                     "quote made", "signature made", "key received", "release=sealed", "encrypted=yes",
                     "start number 1", "node ready"):
            assert word in log, f"no {word!r} in\n{log}"
        assert kms.key.hex() not in log, "the key is in the log"
        expect(request(node, "GET", "/admin-api/ready")[0], 200)
        expect(program.stop(), 0, program.text())
        expect(kms.complaints, [])
        # the same key opens it again; another store of the node does not come into being
        program = node.serve()
        assert "start number 2" in program.text(), program.text()
        expect(program.stop(), 0, program.text())
        config = (node.dir / "config.toml").read_text()
        # without [tee] the store stays shut
        node.good("config", "mode=\"standard\"")
        plain = "\n".join(part for part in config.split("\n[") if not part.startswith("tee"))
        (node.dir / "config.toml").write_text("\n[".join(p for p in config.split("\n[") if not p.startswith("tee")))
        before = node.disk()
        done = node.call("run")
        assert done.returncode != 0 and "no [tee] section" in done.stderr, done.stderr + plain
        expect(node.disk(), before)


def init_with_the_key():
    """`init --kms-url`: the key before the first byte, the refusals of `run`, a store that `run` opens with the same key."""
    simulator = {"DSTACK_SIMULATOR_ENDPOINT": PLATFORM.socket("node")}
    measured = PLATFORM.machines["kms"]["measurements"]
    policies = Path("/run/calimero")
    try:
        policies.mkdir(mode=0o755, exist_ok=True)
        policy = policies / f"e2e-{os.getpid()}.json"
        policy.write_text(json.dumps({"allowed_tcb_statuses": ["UpToDate"],
                                      **{f"allowed_{r}": [measured[r]] for r in REGISTERS}}))
    except OSError as problem:
        print(f"     no policy can be put below /run/calimero: {problem}")
        return
    outside = PLATFORM.dir / "policy.json"
    outside.write_text(policy.read_text())
    other = policies / f"e2e-{os.getpid()}-other.json"
    other.write_text(policy.read_text().replace(measured["rtmr2"], "11" * 48))

    def init(node, *more, env=None):
        return node.call("init", "--server-host", "127.0.0.1", "--server-port", str(node.port), *more,
                         env={**simulator, **(env or {})})

    def refuse_key(kms, request, reply):
        return 403, {"error": "measurement_policy_rejected", "details": "no"}

    node = Node(PLATFORM, "born")
    try:
        with good_kms() as kms:
            url, trusted = ("--kms-url", kms.url), ("--kms-policy", policy)
            for more, env, status, text in (
                    (url, {}, 2, "nobody would verify the KMS"),
                    (url, {"MERO_TEE_VERSION": "2.3.71"}, 17, "cannot verify the signature of a release policy"),
                    ((*url, *trusted), {"MERO_KMS_VERSION": "2.3.71"}, 17, "cannot verify the signature"),
                    ((*url, *trusted), {"MERO_KMS_VERSION": "x"}, 2, "MERO_KMS_VERSION is invalid"),
                    ((*url, "--kms-policy", outside), {}, 2, "policy_json_path must be under one of"),
                    (("--kms-url", "http://10.0.0.1/", *trusted), {}, 2, "HTTPS"),
                    (trusted, {}, 2, "needs '--kms-url'")):
                done = init(node, *more, env=env)
                expect(done.returncode, status, done.stderr)
                assert text in done.stderr, done.stderr
                assert not node.dir.exists()
            expect(kms.calls, [])
            done = init(node, *url, "--kms-policy", other)
            expect(done.returncode, 13, done.stderr)
            assert "nothing was written" in done.stderr and not node.dir.exists(), done.stderr
            assert "get_key" not in kms.calls, kms.calls
        with good_kms(get_key=refuse_key) as kms:
            done = init(node, "--kms-url", kms.url, *trusted)
            expect(done.returncode, 21, done.stderr)
            assert "nothing was written" in done.stderr and not node.dir.exists(), done.stderr
        with good_kms() as kms:
            done = init(node, "--kms-url", kms.url, *trusted)
            expect(done.returncode, 0, done.stderr)
            expect(kms.calls, ["attest", "challenge", "get_key"])
            assert kms.key.hex() not in done.stderr
            assert node.disk(), "no store was made"
            program = node.serve(env=simulator)
            assert "encrypted=yes" in program.text() and "start number 1" in program.text(), program.text()
            expect(program.stop(), 0, program.text())
            before = node.disk()
            expect(init(node, "--kms-url", kms.url, *trusted).returncode, 0)  # a node is there: nothing is done
            expect(len(kms.calls), 6)
            done = init(node, "--kms-url", kms.url, "--kms-policy", other, "--force")
            expect(done.returncode, 13, done.stderr)
            expect(node.disk(), before)  # --force removes nothing before the key is there
            expect(init(node, "--kms-url", kms.url, *trusted, "--force").returncode, 0)
            assert "start number 1" in (program := node.serve(env=simulator)).text(), program.text()
            expect(program.stop(), 0)
            expect(kms.complaints, [])
    finally:
        policy.unlink()
        other.unlink()


def plaintext_store_is_not_encrypted_over():
    node = fresh("mixed")
    expect(node.serve().stop(), 0)
    with good_kms() as kms:
        node.trust(kms.url)
        before = node.disk()
        done = node.call("run")
        assert done.returncode != 0 and "must be encrypted" in done.stderr, done.stderr
        expect(node.disk(), before)


def nobody_verifies_the_kms():
    node = fresh("unverified")
    with good_kms() as kms:
        node.trust(kms.url)
        node.good("config", "tee.kms.phala.attestation.enabled=false")
        for env in ({}, {"USE_ENV_POLICY": "true"}):
            done = node.call("run", env=env)
            expect(done.returncode, 2, done.stderr)
            assert "nobody would verify the KMS" in done.stderr, done.stderr
        expect(kms.calls, [])
        assert not node.disk()
        node.good("config", SKIP)
        program = node.serve()
        assert "INSECURE" in program.text() and "KMS not verified" in program.text(), program.text()
        expect(program.stop(), 0)


def release_variables():
    node = fresh("release")
    with good_kms() as kms:
        node.trust(kms.url)
        for env, status, text in (
                ({"MERO_KMS_RELEASE_TAG": "mero-kms-v2.3.71"}, 17, "MERO_KMS_RELEASE_TAG names release 2.3.71"),
                ({"MERO_TEE_VERSION": "2.3.71"}, 17, "cannot verify the signature"),
                ({"MERO_KMS_VERSION": "v2.3.71"}, 2, "MERO_KMS_VERSION is invalid: release version must be semver-like"),
                ({"MERO_KMS_VERSION": "v1", "MERO_TEE_VERSION": "2.3.71"}, 2, "MERO_KMS_VERSION is invalid"),
                ({"MERO_KMS_VERSION": "2.3.71", "USE_ENV_POLICY": "on"}, 17, "USE_ENV_POLICY")):
            for command in (("run",), ("kms", "probe", "--json")):
                done = node.call(*command, env=env)
                expect(done.returncode, status if command == ("run",) else 1, done.stderr)
                assert text in done.stderr and done.stdout == "", done.stderr
        expect(kms.calls, [])
        assert not node.disk()
        program = node.serve(env={"MERO_KMS_VERSION": "2.3.71", "USE_ENV_POLICY": " True "})
        assert "USE_ENV_POLICY" in program.text(), program.text()
        expect(program.stop(), 0)


def plain_http_elsewhere():
    node = fresh("http")
    node.trust("http://127.0.0.1:9/")
    for url in ("http://localhost:9/", "http://10.0.0.1/", "ftp://127.0.0.1/"):
        done = node.call("config", f'tee.kms.phala.url="{url}"')
        assert done.returncode == 2, done.stderr
        text = (node.dir / "config.toml").read_text().replace("http://127.0.0.1:9/", url)
        (node.dir / "other").mkdir(exist_ok=True)
        other = Node(PLATFORM, "http-" + str(abs(hash(url)) % 10000))
        other.dir.mkdir(parents=True)
        (other.dir / "config.toml").write_text(text)
        done = other.call("run")
        assert done.returncode != 0 and ("HTTPS" in done.stderr or "scheme" in done.stderr), done.stderr


def kms_away():
    """Nobody listens: retried inside the budget, then told as unreachable."""
    node = fresh("away")
    node.trust("http://127.0.0.1:9/")
    begin = time.monotonic()
    program = node.start()
    program.wait_for("listening")
    expect(request(node, "GET", "/admin-api/ready"), (503, b'{"data":{"status":"starting"}}'))
    expect(request(node, "POST", "/admin-api/tee/attest", json.dumps({"nonce": "00" * 32}))[0], 503)
    time.sleep(1)
    assert program.process.poll() is None, "a node does not give up at the first failure:\n" + program.text()
    expect(program.stop(), 0, program.text())
    assert time.monotonic() - begin < 10
    assert not node.disk()


def interrupted(step, number, status):
    """A stop signal while the start waits for somebody at this step."""
    node = fresh(f"stop-{step}-{number}")
    arrived, release = threading.Event(), threading.Event()

    def hold(kms, request, reply):
        arrived.set()
        release.wait(60)
        return reply

    hooks = {step: hold} if step in ("attest", "challenge", "get_key") else {}
    with good_kms(**hooks) as kms, socket.socket(socket.AF_UNIX) as silent:
        node.trust(kms.url)
        if step == "quote":  # an agent that accepts and says nothing
            path = str(PLATFORM.dir / f"silent-{number}.sock")
            silent.bind(path)
            silent.listen(5)
            node.good("config", f'tee.dstack_socket="{path}"')
        program = node.start()
        if step == "quote":
            program.wait_for("challenge received")
            time.sleep(0.3)
        else:
            assert arrived.wait(20), program.text()
        begin = time.monotonic()
        got = program.stop(number)
        took = time.monotonic() - begin
        release.set()
    expect(got, status, program.text())
    assert took < 3, f"{took:.1f} s to stop at {step}"
    assert "stopped during start-up" in program.text(), program.text()
    assert not node.disk(), node.disk()


def sigterm_at_every_step():
    for step in ("attest", "challenge", "quote", "get_key"):
        interrupted(step, signal.SIGTERM, 0)
        interrupted(step, signal.SIGINT, 130)


def expired_challenge_is_asked_again():
    node = fresh("expired")
    refusals = [2]

    def expire(kms, request, reply):
        if refusals[0]:
            refusals[0] -= 1
            return 401, {"error": "invalid_challenge", "details": "Challenge validation failed: challenge has expired"}
        return reply

    with good_kms(get_key=expire) as kms:
        node.trust(kms.url)
        program = node.serve()
        expect(program.stop(), 0)
        expect(kms.calls, ["attest"] + ["challenge", "get_key"] * 3)


def kms_probe():
    node = fresh("probe")
    done = node.call("kms", "probe")
    assert done.returncode == 1 and "TEE is not configured in this node" in done.stderr, done.stderr
    with good_kms() as kms:
        node.trust(kms.url)
        done = node.call("kms", "probe", "--json")
        expect(done.returncode, 0, done.stderr)
        expect(done.stdout, '{\n  "ok": true,\n  "stage": "get_key",\n  "code": "OK",\n'
                            '  "details": "KMS probe succeeded and returned 32 key bytes"\n}\n')
        done = node.call("kms", "probe")
        assert done.stdout.startswith("KMS probe succeeded: stage=GetKey code=OK details="), done.stdout
        assert kms.key.hex() not in done.stdout + done.stderr
        assert not node.disk(), "a probe touches no store"
    with good_kms(challenge=lambda *_: (400, {"error": "invalid_peer_id", "details": "no"})) as kms:
        done = node.call("kms", "probe", "--json", "--kms-url", kms.url)
        expect(done.returncode, 1, done.stderr)
        outcome = json.loads(done.stdout)
        expect((outcome["ok"], outcome["stage"], outcome["code"], outcome["kms_error"]),
               (False, "challenge", "KMS_CHALLENGE_REJECTED", "invalid_peer_id"))
        assert "KMS probe failed at stage=Challenge code=KMS_CHALLENGE_REJECTED" in done.stderr, done.stderr
    for url, code in (("http://10.1.2.3/", "KMS_HTTP_INSECURE"), ("nonsense", "KMS_ENDPOINT_URL_INVALID")):
        done = node.call("kms", "probe", "--json", "--kms-url", url)
        expect(done.returncode, 1, done.stderr)
        outcome = json.loads(done.stdout)
        expect((outcome["ok"], outcome["stage"], outcome["code"]), (False, "transport", code))


def tee_probe():
    node = fresh("teeprobe")
    node.trust("http://127.0.0.1:9/")
    done = node.call("tee", "probe", "--json")
    expect(done.returncode, 0, done.stdout + done.stderr)
    outcome = json.loads(done.stdout)
    expect((outcome["outcome"], outcome["is_mock"], list(outcome["checks"])),
           ("success", False, ["positive", "wrong_nonce", "tampered_quote"]))
    expect(outcome["checks"]["positive"]["tcb_status"], "UpToDate")
    done = node.call("tee", "probe", env={"MERO_COLLATERAL_URLS": "http://127.0.0.1:9/"})
    expect(done.returncode, 0, "collateral is cached:\n" + done.stdout + done.stderr)
    node = fresh("teeprobe2")
    node.trust("http://127.0.0.1:9/")
    done = node.call("tee", "probe", "--json", env={"MERO_COLLATERAL_URLS": "http://127.0.0.1:9/"})
    expect(done.returncode, 1)
    outcome = json.loads(done.stdout)
    expect((outcome["outcome"], outcome["checks"]["positive"]["quote_verified"]), ("failure", False))
    assert "127.0.0.1:9" in outcome["checks"]["positive"]["error"], outcome
    assert "did not meet expectation" in done.stderr, done.stderr


def attestation_over_the_api():
    node = fresh("attest")
    with good_kms() as kms:
        node.trust(kms.url)
        program = node.serve()
    measured = PLATFORM.machines["node"]["measurements"]
    nonce = os.urandom(32)
    status, body = request(node, "POST", "/admin-api/tee/attest", json.dumps({"nonce": nonce.hex()}))
    expect(status, 200, body)
    data = json.loads(body)["data"]
    quote = base64.b64decode(data["quoteB64"], validate=True)
    expect(report_data_of(quote), nonce + bytes(32))
    expect(data["quote"]["body"]["reportdata"], (nonce + bytes(32)).hex())
    for register in REGISTERS:
        expect(data["quote"]["body"][register], measured[register])
    for request_body, status, text in (
            ("", 400, "not JSON"), ("{}", 400, "nonce"), ('{"nonce":1}', 400, "nonce"), ("[]", 400, ""),
            ('{"nonce":"zz"}', 400, "Invalid nonce format (must be hex string)"),
            ('{"nonce":"0011"}', 400, "Nonce must be exactly 32 bytes (64 hex characters)"),
            (json.dumps({"nonce": "00" * 32, "applicationId": "app1"}), 404, "Application 'app1' not found"),
            (json.dumps({"nonce": "00" * 3000}), 413, "too large")):
        got = request(node, "POST", "/admin-api/tee/attest", request_body)
        assert got[0] == status and text in json.loads(got[1])["error"], got
    status, body = request(node, "GET", "/admin-api/tee/info")
    expect(status, 200, body)
    info = json.loads(body)["data"]
    expect((list(info), info["mrtd"]), (["cloudProvider", "osImage", "mrtd"], measured["mrtd"]))
    # a crowd is served or told to come back, and the rest of the API does not wait for it
    with ThreadPoolExecutor(40) as pool:
        crowd = [pool.submit(request, node, "POST", "/admin-api/tee/attest", json.dumps({"nonce": "00" * 32}))
                 for _ in range(40)]
        begin = time.monotonic()
        expect(request(node, "GET", "/admin-api/health")[0], 200)
        assert time.monotonic() - begin < 5
        statuses = {f.result()[0] for f in crowd}
    assert statuses <= {200, 503} and 200 in statuses, statuses
    expect(program.stop(), 0, program.text())


def a_flood_of_attestations():
    """A slow quote service: some wait, the rest is told to come back, nothing else waits, and a stop is quick."""
    node = Node(PLATFORM, "flood", machine="slow")
    node.init()
    with good_kms() as kms:
        node.trust(kms.url)
        program = node.serve()
    with ThreadPoolExecutor(40) as pool:
        crowd = [pool.submit(request, node, "POST", "/admin-api/tee/attest", json.dumps({"nonce": "00" * 32}))
                 for _ in range(40)]
        time.sleep(0.7)
        refused = [f.result()[0] for f in crowd if f.done()]
        begin = time.monotonic()
        for path in ("/admin-api/health", "/admin-api/blobs", "/metrics"):
            expect(request(node, "GET", path)[0], 200)
        assert time.monotonic() - begin < 1
        assert refused.count(503) >= 20 and set(refused) <= {200, 503}, refused
        begin = time.monotonic()
        expect(program.stop(), 0, program.text())
        assert time.monotonic() - begin < 5, f"{time.monotonic() - begin:.1f} s to stop"
        statuses = [f.result()[0] for f in crowd]
    assert statuses.count(503) > 30, statuses


def no_tee_here():
    """A node without [tee] on a machine without TDX says so."""
    node = fresh("bare")
    program = node.serve()
    status, body = request(node, "POST", "/admin-api/tee/attest", json.dumps({"nonce": "00" * 32}))
    expect(status, 501, body)
    status, body = request(node, "GET", "/admin-api/tee/info")
    assert status == 500 and b"Failed to get TEE info: " in body, body
    expect(program.stop(), 0)


def mock_quotes():
    node = fresh("mock")
    node.trust("http://127.0.0.1:9/")
    done = node.call("run", "--mock-tee")
    assert done.returncode == 2 and "--mock-tee refused: a real KMS/attestation is configured." in done.stderr, done.stderr
    bare = fresh("mock-bare")
    program = bare.serve("--mock-tee")
    assert "INSECURE" in program.text()
    status, body = request(bare, "POST", "/admin-api/tee/attest", json.dumps({"nonce": "ab" * 32}))
    expect(status, 200, body)
    data = json.loads(body)["data"]
    expect((list(data), data["quote"]), (["quoteB64", "quote"], None))  # a mock has no fields to show
    quote = base64.b64decode(data["quoteB64"])
    assert quote.startswith(b"MOCK_TDX_QUOTE_V1" + bytes([0xab] * 32) + bytes(32)), quote
    expect(program.stop(), 0)
    done = bare.call("tee", "probe", "--json", "--mock-tee")
    expect(done.returncode, 0, done.stdout + done.stderr)
    expect(json.loads(done.stdout)["is_mock"], True)


def mock_kms_needs_two_switches():
    node = fresh("mock-kms")

    def mock(kms, request, reply):
        report_data = bytes.fromhex(reply["reportDataHex"])
        return {**reply, "quoteB64": base64.b64encode((b"MOCK_TDX_QUOTE_V1" + report_data).ljust(256, b"\0")).decode()}

    with good_kms(attest=mock) as kms:
        node.trust(kms.url)
        done = node.call("run", env={"MEROD_ALLOW_MOCK_KMS_ATTESTATION": "1"})
        assert done.returncode not in (0, 2), done.stderr
        node.good("config", "tee.kms.phala.attestation.accept_mock=true")
        done = node.call("run")
        assert done.returncode != 0 and "MEROD_ALLOW_MOCK_KMS_ATTESTATION" in done.stderr, done.stderr
        assert "challenge" not in kms.calls
        node.good("config", *[f"tee.kms.phala.attestation.allowed_{r}=[]" for r in REGISTERS],
                  'tee.kms.phala.attestation.allowed_tcb_statuses=["Mock"]')
        program = node.serve(env={"MEROD_ALLOW_MOCK_KMS_ATTESTATION": "True"})
        assert "INSECURE" in program.text() and "tcb=Mock" in program.text(), program.text()
        expect(program.stop(), 0)


TESTS = [whole_start, init_with_the_key, plaintext_store_is_not_encrypted_over, nobody_verifies_the_kms,
         release_variables, plain_http_elsewhere, kms_away, sigterm_at_every_step, expired_challenge_is_asked_again,
         kms_probe, tee_probe, attestation_over_the_api, a_flood_of_attestations, no_tee_here, mock_quotes,
         mock_kms_needs_two_switches]


def main():
    global PLATFORM
    need_programs("merod", "mero-sim")
    with Platform("kms", "node", "name=slow,scenario=agent:slow:1000") as PLATFORM:
        return run_tests(TESTS)


if __name__ == "__main__":
    sys.exit(main())
