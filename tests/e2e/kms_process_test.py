"""mero-kms-phala as a process: an independent node gets its key, the service manager is told, signals, configuration on the
command line, a stop while the agent hangs, and what is left in memory after a release."""
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from support.programs import BUILD, REGISTERS, Platform, Program, clean_environment, expect, free_port, need_programs, run_tests
from support.scripted_kms import dstack_call
from support.scripted_node import ScriptedNode

PROFILE_PATH = "merod/storage/locked-read-only/"


class Kms:
    """A KMS below the platform's directory, whose policy allows one machine."""

    def __init__(self, platform, machine="kms", allowed="node", **settings):
        self.platform, self.port = platform, free_port()
        self.state = platform.dir / f"state-{self.port}"
        env = {**platform.dev_env, "LISTEN_ADDR": f"127.0.0.1:{self.port}", "USE_ENV_POLICY": "true",
               "DSTACK_SOCKET_PATH": platform.socket(machine), "MERO_KMS_STATE_DIR": str(self.state)}
        env.update({f"ALLOWED_{r.upper()}": platform.machines[allowed]["measurements"][r] for r in REGISTERS})
        env.update(settings)
        self.program = Program([BUILD / "mero-kms-phala"], platform.dir / f"kms-{self.port}.log", env)
        platform.programs.append(self.program)
        self.program.wait_for(r"listening on")

    def node(self, machine="node", **more):
        return ScriptedNode(self.platform.socket(machine), "127.0.0.1", self.port, **more)


def play(platform, machine, *words):
    subprocess.run([BUILD / "mero-sim", "set", "--dir", platform.dir / "sim", "--machine", machine, *words], check=True,
                   capture_output=True)


def derived(platform, node):
    return bytes.fromhex(dstack_call(platform.socket("kms"), "GetKey",
                                     {"path": PROFILE_PATH + node.peer, "purpose": "", "algorithm": "secp256k1"})["key"])


def independent_node_gets_its_key():
    with Platform("kms", "node", "stranger") as platform:
        kms = Kms(platform)
        node = kms.node()
        expect(node.peer, "12D3KooWJ1TsijH7H5F74hfAD5XishQz3sxrmAtVY37GtNd9CqYf")
        key = node.sealed_key()
        expect(key, derived(platform, node))
        expect(node.sealed_key(), key)
        other = kms.node(seed=bytes([9] * 32))
        assert other.sealed_key() != key
        status, reply = node.clear_key()
        expect((status, reply["error"]), (400, "invalid_attestation_request"))
        stranger = kms.node("stranger")
        body, _ = stranger.request(stranger.challenge(), bytes([9]) + bytes(31))
        status, reply = stranger.post("/get-key", body)
        expect((status, reply["error"]), (403, "measurement_policy_rejected"))
        expect(kms.program.stop(), 0)


def nodes_from_before_sealing():
    with Platform("kms", "node") as platform:
        kms = Kms(platform, MERO_KMS_REQUIRE_SEALED_KEY_RELEASE="false")
        node = kms.node()
        expect(node.clear_key(), derived(platform, node))
        expect(node.sealed_key(), derived(platform, node))
        assert "INSECURE" in kms.program.text()
        expect(kms.program.stop(), 0)


def service_manager_is_told():
    with Platform("kms", "node") as platform:
        path = str(platform.dir / "notify.sock")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
            listener.bind(path)
            listener.settimeout(10)
            kms = Kms(platform, NOTIFY_SOCKET=path, WATCHDOG_USEC="200000")

            def wait_for(text):
                seen = []
                while not seen or text not in seen[-1]:
                    seen.append(listener.recv(4096).decode())
                return seen[-1]

            assert "STATUS=serving" in wait_for("READY=1")
            for _ in range(3):
                before = time.monotonic()
                wait_for("WATCHDOG=1")
                assert time.monotonic() - before < 0.2
            kms.program.process.send_signal(signal.SIGHUP)
            assert "MONOTONIC_USEC=" in wait_for("RELOADING=1")
            wait_for("READY=1")
            kms.program.process.send_signal(signal.SIGTERM)
            wait_for("STOPPING=1")
            expect(kms.program.process.wait(10), 0)


def stop_while_the_agent_hangs():
    with Platform("kms", "node") as platform:
        kms = Kms(platform)
        node = kms.node()
        body, _ = node.request(node.challenge(), bytes([9]) + bytes(31))
        play(platform, "kms", "agent:silent")
        answers = []
        asker = threading.Thread(target=lambda: answers.append(node.post("/get-key", body)))
        asker.start()
        time.sleep(0.5)
        before = time.monotonic()
        expect(kms.program.stop(), 0)
        assert time.monotonic() - before < 10, "took longer than ten seconds to stop"
        asker.join(15)
        assert answers and answers[0][0] >= 500, answers


def command_line():
    def run(*arguments, **env):
        return subprocess.run([BUILD / "mero-kms-phala", *arguments], env=clean_environment(env), capture_output=True,
                              text=True, timeout=20, check=False)

    done = run("--help")
    expect(done.returncode, 0)
    assert len(done.stdout.splitlines()) <= 40, len(done.stdout.splitlines())
    assert run("--version").stdout.startswith("mero-kms-phala ")
    done = run("--chek-config")
    expect(done.returncode, 2)
    assert "--check-config" in done.stderr, done.stderr
    done = run("--check-config", USE_ENV_POLICY="1", ALLOWED_MRTD="00", MAX_PENDING_CHALLENGES="0")
    expect(done.returncode, 2)
    assert "MAX_PENDING_CHALLENGES" in done.stderr and "ALLOWED_RTMR3" in done.stderr, done.stderr
    expect(run("--check-config").returncode, 0)
    done = run("--dump-config", CHALLENGE_TTL_SECS="7", REDIS_URL="redis://:hunter2@h")
    assert "CHALLENGE_TTL_SECS=7  # environment" in done.stdout and "hunter2" not in done.stdout, done.stdout
    done = run(USE_ENV_POLICY="maybe")
    expect(done.returncode, 2)
    assert "Invalid boolean value 'maybe'" in done.stderr, done.stderr


def certificates(directory):
    """A CA and a server certificate for 127.0.0.1, by the openssl program."""
    def openssl(*arguments):
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)

    ca, cakey, key, request, cert = (directory / n for n in ("ca.pem", "ca.key", "kms.key", "kms.csr", "kms.pem"))
    new_key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    openssl("req", "-x509", *new_key, "-keyout", cakey, "-out", ca, "-subj", "/CN=test CA", "-days", "2")
    openssl("req", *new_key, "-keyout", key, "-out", request, "-subj", "/CN=kms")
    (directory / "ext").write_text("subjectAltName=IP:127.0.0.1\n")
    openssl("x509", "-req", "-in", request, "-CA", ca, "-CAkey", cakey, "-CAcreateserial", "-out", cert, "-days", "2",
            "-extfile", directory / "ext")
    return ca, cert, key


def tls_version_is_recent():
    with Platform("kms", "node") as platform:
        ca, cert, key = certificates(platform.dir)
        kms = Kms(platform, MERO_KMS_TLS_CERT=str(cert), MERO_KMS_TLS_KEY=str(key))
        context = ssl.create_default_context(cafile=ca)
        node = kms.node(tls=context)
        expect(node.sealed_key(), derived(platform, node))
        with socket.create_connection(("127.0.0.1", kms.port)) as raw, \
                context.wrap_socket(raw, server_hostname="127.0.0.1") as client:
            expect(client.version(), "TLSv1.3")
        old = ssl.create_default_context(cafile=ca)
        old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
        try:
            with socket.create_connection(("127.0.0.1", kms.port)) as raw, old.wrap_socket(raw, server_hostname="127.0.0.1"):
                raise AssertionError("TLS 1.1 was accepted")
        except (ssl.SSLError, OSError):
            pass
        expect(kms.program.stop(), 0)


def memory_of(pid):
    """(start, bytes) of every writable mapping that can be read."""
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            match = re.match(r"([0-9a-f]+)-([0-9a-f]+) rw", line)
            if match:
                start, end = int(match[1], 16), int(match[2], 16)
                if end - start > 1 << 30:  # the shadow of a sanitizer
                    continue
                try:
                    memory.seek(start)
                    yield start, memory.read(end - start)
                except OSError:
                    pass


def count_in_memory(pid, needle):
    return sum(content.count(needle) for _, content in memory_of(pid))


def nothing_of_a_key_stays_in_memory():
    """After releases, sealed and in clear: no copy of a storage key, raw or as text, anywhere in the process; of the transport
    key none but the one in its guarded page."""
    if os.geteuid() != 0:
        print("  (skipped: only root can read the memory of a process that is not dumpable)")
        return
    if os.environ.get("MERO_SANITIZE"):
        print("  (skipped: a sanitizer keeps freed memory and terabytes of shadow)")
        return
    with Platform("kms", "node") as platform:
        kms = Kms(platform, MERO_KMS_REQUIRE_SEALED_KEY_RELEASE="false")
        nodes = [kms.node(seed=bytes([i] * 32)) for i in range(1, 4)]
        keys = [node.sealed_key() for node in nodes] + [node.clear_key() for node in nodes]
        transport = bytes.fromhex(dstack_call(platform.socket("kms"), "GetKey", {"path": "mero-kms/transport/x25519/v1"})["key"])
        pid = kms.program.process.pid
        assert count_in_memory(pid, nodes[0].peer.encode()) > 0, "the search finds nothing at all"
        found = {}
        for name, key in [(f"storage key {i}", key) for i, key in enumerate(keys)] + [("transport key", transport)]:
            for form, needle in (("raw", key), ("hex", key.hex().encode()), ("HEX", key.hex().upper().encode())):
                count = count_in_memory(pid, needle)
                if count:
                    found[f"{name} ({form})"] = count
        expect(found, {"transport key (raw)": 1})
        expect(kms.program.stop(), 0)


def unit_is_hardened():
    unit = Path(__file__).resolve().parents[2] / "packaging" / "systemd" / "mero-kms-phala.service"
    try:
        done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--threshold=16", str(unit)],
                              capture_output=True, text=True, timeout=60, check=False)
    except FileNotFoundError:
        print("  (skipped: no systemd-analyze)")
        return
    expect(done.returncode, 0, done.stdout[-400:])


if __name__ == "__main__":
    need_programs("mero-kms-phala", "mero-sim")
    warnings.simplefilter("ignore", DeprecationWarning)  # of the old TLS versions that are tried on purpose
    sys.exit(run_tests([independent_node_gets_its_key, nodes_from_before_sealing,
                        service_manager_is_told, stop_while_the_agent_hangs, command_line, tls_version_is_recent,
                        nothing_of_a_key_stays_in_memory, unit_is_hardened]))
