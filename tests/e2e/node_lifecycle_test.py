#!/usr/bin/env python3
"""The life of a node process without TEE mode: command line, start, blobs, restarts, every way to stop, two nodes on one
directory, a data directory that is exchanged underneath. No simulator needed, so it runs on every build."""
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from support.programs import BUILD, Node, clean_environment, expect, need_programs, run_tests


class Bench:
    """What Node needs of a platform, without one."""

    def __init__(self):
        self.dir, self.programs, self.dev_env = Path(tempfile.mkdtemp(prefix="merotee-life-")), [], {}

    def close(self):
        for program in self.programs:
            program.kill()
        shutil.rmtree(self.dir, ignore_errors=True)


def fresh(bench, name):
    node = Node(bench, name)
    node.init()
    return node


def request(node, method, path, body=None, headers=None):
    connection = http.client.HTTPConnection("127.0.0.1", node.port, timeout=20)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def merod(*arguments, **env):
    return subprocess.run([BUILD / "merod", *arguments], env=clean_environment(env), stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=30, check=False)


# --- command line ---

def command_line(bench):
    for words in ((), ("init",), ("config",), ("run",), ("up",), ("kms", "probe"), ("tee", "probe")):
        for flag in ("--help", "-h"):
            done = merod(*words, flag)
            expect(done.returncode, 0, done.stderr)
            lines = done.stdout.splitlines()
            assert 5 < len(lines) <= 40, f"{words}: {len(lines)} lines"
            assert max(map(len, lines)) <= 100, f"{words}: a line of {max(map(len, lines))} characters"
            assert "Examples:" in done.stdout and done.stderr == "", f"{words}:\n{done.stdout}"
    done = merod("--version")
    expect(done.returncode, 0)
    assert done.stdout.startswith("merod ") and done.stderr == ""


def usage_errors(bench):
    for words, text in (((), "a command is needed"), (("rnu",), "did you mean 'run'"), (("run",), "--node"),
                        (("--nod", "x", "run"), "did you mean '--node'"),
                        (("--node", "x", "run", "--mok-tee"), "did you mean '--mock-tee'"),
                        (("--node", "x", "run", "--exit-on-eof", "three"), "exit-on-eof"),
                        (("--node", "x", "run", "extra"), "extra"), (("--node", "../x", "run"), "not a node name"),
                        (("--node", "", "run"), "not a node name"), (("kms",), "kms"),
                        (("--node", "x", "config", "novalue"), "Missing value"),
                        (("--home", str(bench.dir), "--node", "x", "config", "a=[1"), "a")):
        done = merod(*words, HOME=str(bench.dir))
        expect(done.returncode, 2, f"{words}: {done.stderr}")
        assert text in done.stderr, f"{words}: {done.stderr}"
        assert len(done.stderr.splitlines()) <= 4 and done.stdout == "", f"{words}: {done.stderr}"


def not_initialised(bench):
    for command in (("run",), ("config", "a=1"), ("kms", "probe"), ("tee", "probe")):
        done = merod("--home", str(bench.dir), "--node", "nobody", *command)
        assert done.returncode != 0 and f'Node is not initialized in "{bench.dir}/nobody"' in done.stderr, done.stderr
        assert not (bench.dir / "nobody").exists()
    done = merod("--node", "nobody", "run", CALIMERO_HOME=str(bench.dir))
    assert f"{bench.dir}/nobody" in done.stderr, done.stderr
    done = merod("--node", "nobody", "run", HOME=str(bench.dir))
    assert f"{bench.dir}/.calimero/nobody" in done.stderr, done.stderr


# --- life ---

def plaintext_life(bench):
    node = fresh(bench, "plain")
    program = node.serve()
    log = program.text()
    assert "NOT encrypted" in log and "start number 1" in log and "no swarm port" in log, log
    expect(request(node, "GET", "/admin-api/ready"), (200, b'{"data":{"status":"ready"}}'))
    status, body = request(node, "PUT", "/admin-api/blobs", b"hello")
    expect((status, json.loads(body)["data"]["size"]), (200, 5))
    identifier = json.loads(body)["data"]["blob_id"]
    for path in ("/jsonrpc", "/ws", "/sse"):
        expect(request(node, "POST", path)[0], 404)
    expect(program.stop(), 0, program.text())
    program = node.serve()
    assert "start number 2" in program.text(), program.text()
    expect(request(node, "GET", f"/admin-api/blobs/{identifier}"), (200, b"hello"))
    expect(program.stop(signal.SIGINT), 0, program.text())


def streaming_does_not_buffer(bench):
    """An upload larger than what the process may hold."""
    node = fresh(bench, "stream")
    program = node.serve()

    def memory():
        for line in Path(f"/proc/{program.process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) // 1024
        return 0

    before, size = memory(), 96 * 1024 * 1024
    block = os.urandom(1024 * 1024)
    connection = http.client.HTTPConnection("127.0.0.1", node.port, timeout=60)
    connection.putrequest("PUT", "/admin-api/blobs")
    connection.putheader("Content-Length", str(size))
    connection.endheaders()
    for i in range(size // len(block)):
        connection.send(i.to_bytes(8, "big") + block[8:])
    answer = connection.getresponse()
    body = answer.read()
    expect(answer.status, 200, body)
    identifier = json.loads(body)["data"]["blob_id"]
    connection.request("GET", f"/admin-api/blobs/{identifier}")
    answer, received = connection.getresponse(), 0
    while piece := answer.read(1024 * 1024):
        received += len(piece)
    expect(received, size)
    connection.close()
    grown = memory() - before
    assert grown < 32, f"{grown} MiB more for a blob of {size >> 20} MiB"
    expect(program.stop(), 0)


def body_over_the_limit(bench):
    node = fresh(bench, "limit")
    program = node.serve()
    with socket.create_connection(("127.0.0.1", node.port)) as s:
        s.sendall(b"PUT /admin-api/blobs HTTP/1.1\r\nHost: x\r\nContent-Length: 1073741825\r\n\r\n")
        assert b" 413 " in s.recv(4096).split(b"\r\n")[0]
    expect(request(node, "GET", "/admin-api/blobs"), (200, b'{"data":{"blobs":[]}}'))
    expect(program.stop(), 0)


def interrupted_upload_leaves_nothing(bench):
    node = fresh(bench, "cut")
    program = node.serve()
    with socket.create_connection(("127.0.0.1", node.port)) as s:
        s.sendall(b"PUT /admin-api/blobs HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n\r\n" + bytes(4000000))
        time.sleep(0.3)
    end = time.monotonic() + 10
    while time.monotonic() < end and any(p.stat().st_size > 100000 for p in (node.dir / "blobs").rglob("*") if p.is_file()):
        time.sleep(0.1)
    left = [(p.name, p.stat().st_size) for p in (node.dir / "blobs").rglob("*") if p.is_file()]
    assert all(size < 100000 for _, size in left), left
    expect(request(node, "GET", "/admin-api/blobs"), (200, b'{"data":{"blobs":[]}}'))
    expect(program.stop(), 0)


def stop_during_upload(bench):
    """SIGTERM does not wait for a client that has stopped sending."""
    node = fresh(bench, "drain")
    program = node.serve()
    with socket.create_connection(("127.0.0.1", node.port)) as s:
        s.sendall(b"PUT /admin-api/blobs HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n\r\n" + bytes(100000))
        time.sleep(0.2)
        begin = time.monotonic()
        expect(program.stop(), 0, program.text())
        assert time.monotonic() - begin < 11, "the drain is bounded by 10 s"
    program = node.serve()
    expect(request(node, "GET", "/admin-api/blobs"), (200, b'{"data":{"blobs":[]}}'))
    expect(program.stop(), 0)


def parent_goes_away(bench):
    node = fresh(bench, "parent")
    ours, theirs = os.pipe()
    program = node.serve("--exit-on-eof", str(ours), pass_fds=(ours,))
    os.close(ours)
    os.close(theirs)
    expect(program.process.wait(10), 0, program.text())
    assert "--exit-on-eof" in program.text()
    done = node.call("run", "--exit-on-eof", "99")
    assert done.returncode == 1 and "descriptor 99 is not open" in done.stderr, done.stderr


def two_nodes_one_directory(bench):
    node = fresh(bench, "twice")
    program = node.serve()
    second = node.call("run")
    assert second.returncode != 0 and "another merod is running" in second.stderr, second.stderr
    expect(request(node, "GET", "/admin-api/ready")[0], 200)
    expect(program.stop(), 0)


def two_nodes_one_port(bench):
    node, other = fresh(bench, "port1"), fresh(bench, "port2")
    other.good("config", f'server.listen=["/ip4/127.0.0.1/tcp/{node.port}"]')
    program = node.serve()
    done = other.call("run")
    assert done.returncode == 1 and f"127.0.0.1:{node.port}" in done.stderr, done.stderr
    assert not other.disk(), "a failed start made files"
    expect(program.stop(), 0)


def data_directory_exchanged(bench):
    node = fresh(bench, "moved")
    program = node.serve()
    os.rename(node.dir / "data", node.dir / "gone")
    os.mkdir(node.dir / "data", 0o700)
    expect(program.process.wait(15), 1, program.text())
    assert "replaced" in program.text() and not any((node.dir / "data").iterdir())


def prefix_and_exposure(bench):
    node = fresh(bench, "prefix")
    program = node.serve(env={"NODE_PATH_PREFIX": "/n1"})
    expect(request(node, "GET", "/n1/admin-api/ready")[0], 200)
    expect(request(node, "GET", "/admin-api/ready")[0], 404)
    assert "INSECURE" not in program.text(), program.text()
    expect(program.stop(), 0)
    node.good("config", f'server.listen=["/ip4/0.0.0.0/tcp/{node.port}"]')
    program = node.serve()
    assert "INSECURE" in program.text() and "auth_mode" in program.text(), program.text()
    expect(program.stop(), 0)


def admin_api_off(bench):
    node = fresh(bench, "quiet")
    node.good("config", "server.admin.enabled=false")
    program = node.serve()
    expect(request(node, "GET", "/admin-api/health")[0], 404)
    expect(request(node, "GET", "/metrics")[0], 200)
    expect(program.stop(), 0)


def release_variables_without_tee(bench):
    """Only [tee] triggers anything."""
    node = fresh(bench, "vars")
    program = node.serve(env={"MERO_KMS_VERSION": "rubbish", "MERO_TEE_VERSION": "2.3.71"})
    expect(program.stop(), 0)


def existing_nodes_store(bench):
    """A RocksDB directory of the existing node is refused by name and left alone."""
    node = fresh(bench, "rocks")
    (node.dir / "data").mkdir(exist_ok=True)
    (node.dir / "data/CURRENT").write_text("MANIFEST-000004\n")
    (node.dir / "data/MANIFEST-000004").write_bytes(b"\x01\x02")
    before = node.disk()
    done = node.call("run")
    assert done.returncode == 1 and "RocksDB" in done.stderr, done.stderr
    expect(node.disk(), before)


def stores_are_never_mixed(bench):
    """A plaintext store is not opened by a node in TEE mode: not even a key is asked for without a KMS to trust."""
    node = fresh(bench, "mixed")
    expect(node.serve().stop(), 0)
    node.good("config", 'tee.kms.phala.url="http://127.0.0.1:9/"')
    before = node.disk()
    done = node.call("run")
    expect(done.returncode, 2, done.stderr)
    assert "insecure_skip_kms_verification" in done.stderr, done.stderr
    expect(node.disk(), before)


def service_manager_is_told(bench):
    node = fresh(bench, "notify")
    path = str(bench.dir / "notify.sock")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(path)
        listener.settimeout(10)
        program = node.start(env={"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "200000"})

        def wait_for(text):
            seen = [listener.recv(4096).decode()]
            while text not in seen[-1]:
                seen.append(listener.recv(4096).decode())
            return seen

        told = wait_for("READY=1")
        assert any("STATUS=starting: store" in t for t in told) and "STATUS=serving" in told[-1], told
        assert not any("WATCHDOG" in t for t in told), "nobody is watched before READY=1"
        expect(request(node, "GET", "/admin-api/ready")[0], 200)
        for _ in range(3):
            before = time.monotonic()
            wait_for("WATCHDOG=1")
            assert time.monotonic() - before < 0.2
        program.process.send_signal(signal.SIGTERM)
        wait_for("STOPPING=1")
        expect(program.process.wait(10), 0)
        # without WATCHDOG_USEC nobody is pinged
        program = node.start(env={"NOTIFY_SOCKET": path})
        wait_for("READY=1")
        listener.settimeout(0.3)
        try:
            assert False, listener.recv(4096)
        except TimeoutError:
            pass
        expect(program.stop(), 0)


def unit_is_hardened(bench):
    """At most 2.5 of 10 (operator contract 4); the tool takes tenths."""
    unit = Path(__file__).resolve().parents[2] / "packaging" / "systemd" / "merod.service"
    if shutil.which("systemd-analyze") is None:
        print("  (skipped: no systemd-analyze)")
        return
    done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--threshold=25", str(unit)],
                          capture_output=True, text=True, timeout=60, check=False)
    expect(done.returncode, 0, done.stdout[-600:] + done.stderr)


TESTS = [command_line, usage_errors, not_initialised, plaintext_life, streaming_does_not_buffer, body_over_the_limit,
         interrupted_upload_leaves_nothing, stop_during_upload, parent_goes_away, two_nodes_one_directory,
         two_nodes_one_port, data_directory_exchanged, service_manager_is_told, prefix_and_exposure, admin_api_off,
         release_variables_without_tee, existing_nodes_store, stores_are_never_mixed, unit_is_hardened]


def benched(test):
    """The test on a bench of its own."""
    def run():
        bench = Bench()
        try:
            test(bench)
        finally:
            bench.close()
    run.__name__ = test.__name__
    return run


def main():
    need_programs("merod")
    return run_tests([benched(test) for test in TESTS])


if __name__ == "__main__":
    sys.exit(main())
