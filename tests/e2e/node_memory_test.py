#!/usr/bin/env python3
"""What others could read of a running merod: no copy of the storage key anywhere in its memory, the identity's private key once, in its
guarded page; nothing of either in its environment and arguments; no core file. Only root can look."""
import http.client
import os
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from support.programs import SKIPPED, Node, Platform, expect, need_programs
from support.scripted_kms import BASE58, ScriptedKms

MAPPING_MAX = 32 << 20  # of a store's file mapping, the part that can have content here


def memory_of(pid):
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            start, end = (int(x, 16) for x in line.split()[0].split("-"))
            try:
                memory.seek(start)
                yield memory.read(min(end - start, MAPPING_MAX))
            except (OSError, OverflowError):
                pass  # guard pages, the kernel's own


def count(pid, needle):
    return sum(content.count(needle) for content in memory_of(pid))


def private_key(config):
    text = re.search(r'keypair = "([^"]+)"', config)[1]
    number = 0
    for letter in text:
        number = number * 58 + BASE58.index(letter)
    return text.encode(), number.to_bytes(68, "big")[4:36]


def nothing_of_a_key_can_be_read():
    key = os.urandom(32)
    with Platform("kms", "node") as platform, ScriptedKms(platform.socket("kms"), key=key) as kms:
        node = Node(platform)
        node.init()
        node.trust(kms.url)
        program = node.serve()
        connection = http.client.HTTPConnection("127.0.0.1", node.port, timeout=20)
        connection.request("PUT", "/admin-api/blobs", b"plaintext of a blob " * 1000)
        expect(connection.getresponse().status, 200)
        pid = program.process.pid
        text, seed = private_key((node.dir / "config.toml").read_text())
        peer = re.search(r"peer_id=(\S+)", program.text())[1]
        assert count(pid, peer.encode()) > 0, "the search finds nothing at all"
        needles = {"key": key, "key as hex": key.hex().encode(), "key as HEX": key.hex().upper().encode(), "key, half": key[:16],
                   "keypair": text, "keypair, part": text[10:50]}
        expect({name: count(pid, needle) for name, needle in needles.items() if count(pid, needle)}, {})
        expect(count(pid, seed), 1, "copies of the identity's private key")
        for name in ("environ", "cmdline"):
            content = Path(f"/proc/{pid}/{name}").read_bytes()
            assert key.hex().encode() not in content and text not in content, name
        assert re.search(r"Max core file size +0 +0", Path(f"/proc/{pid}/limits").read_text()), "core files are on"
        expect(program.stop(), 0)


if __name__ == "__main__":
    need_programs("merod", "mero-sim")
    if os.geteuid() != 0:
        print("skipped: only root can read the memory of a process that is not dumpable")
        sys.exit(SKIPPED)
    nothing_of_a_key_can_be_read()
    print("1 passed, 0 failed")
