#!/usr/bin/env python3
"""Silence: a KMS and a dstack agent that accept and never answer. The start ends by itself, after the deadlines of the
contract, and the store is untouched. A minute of waiting, hardly any work."""
import socket
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from support.programs import Node, Platform, expect, need_programs, run_tests
from support.scripted_kms import ScriptedKms

PLATFORM = None


def fresh(name):
    node = Node(PLATFORM, name)
    node.init()
    return node


def agent_hangs():
    """A silent agent ends the start by its own deadline, not by ours."""
    node = fresh("silent")
    with ScriptedKms(PLATFORM.socket("kms")) as kms, socket.socket(socket.AF_UNIX) as silent:
        path = str(PLATFORM.dir / "silent.sock")
        silent.bind(path)
        silent.listen(5)
        node.trust(kms.url)
        node.good("config", f'tee.dstack_socket="{path}"')
        begin = time.monotonic()
        done = node.call("run", timeout=120)
        took = time.monotonic() - begin
    expect(done.returncode, 15, done.stderr)
    assert took < 90, f"{took:.0f} s"
    assert not node.disk()


def kms_hangs():
    """A KMS that accepts and never answers: 30 s per request, bounded retries, then unreachable."""
    node = fresh("hang")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        node.trust(f"http://127.0.0.1:{silent.getsockname()[1]}/")
        begin = time.monotonic()
        done = node.call("run", timeout=120)
        took = time.monotonic() - begin
    expect(done.returncode, 20, done.stderr)
    assert 25 < took < 95, f"{took:.0f} s"
    assert not node.disk()


def kms_drips():
    """A KMS that always has one more byte: the deadline is of the whole request."""
    node = fresh("drip")

    def drip(handler):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{")
        try:
            while True:
                handler.wfile.write(b" ")
                time.sleep(0.5)
        except OSError:
            pass

    with ScriptedKms(PLATFORM.socket("kms"), attest=lambda *_: drip) as kms:
        node.trust(kms.url)
        begin = time.monotonic()
        done = node.call("run", timeout=120)
        took = time.monotonic() - begin
    expect(done.returncode, 20, done.stderr)
    assert 25 < took < 95, f"{took:.0f} s"
    assert not node.disk()


def main():
    global PLATFORM
    need_programs("merod", "mero-sim")
    with Platform("kms", "node") as PLATFORM:
        return run_tests([kms_hangs, kms_drips, agent_hangs])


if __name__ == "__main__":
    sys.exit(main())
