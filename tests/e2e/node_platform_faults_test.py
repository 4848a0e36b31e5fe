#!/usr/bin/env python3
"""A start on platforms with something wrong: the KMS's machine and collateral in every bad state, and the node's own
quote service. Each has the exit status of its kind, a reason in words, and leaves no store behind."""
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from support.programs import Node, Platform, expect, need_programs, run_tests
from support.scripted_kms import ScriptedKms

QUOTE, COLLATERAL, TCB, BINDING, PLATFORM_REFUSED = 10, 11, 12, 14, 15
PLATFORM = None

# scenario of the KMS's machine, exit status (a tuple where several are right), what stderr says
KMS_MACHINE = [
    ("tcb:OutOfDate", TCB, "TCB status 'OutOfDate' is not allowed"),
    ("tcb:ConfigurationNeeded", TCB, "ConfigurationNeeded"),
    ("tcb:Revoked", TCB, "revoked"),
    ("revoked-pck", QUOTE, "revoked"),
    ("module-out-of-date", TCB, "OutOfDate"),
    ("qe-out-of-date", TCB, "OutOfDate"),
    ("tcb-info:expired", COLLATERAL, "expired"),
    ("tcb-info:not-yet-valid", COLLATERAL, "."),
    ("tcb-info:bad-signature", (QUOTE, COLLATERAL), "signature"),
    ("tcb-info:unknown", COLLATERAL, "."),
    ("debug-td", PLATFORM_REFUSED, "debug"),
    ("wrong-report-data", BINDING, "report ?data"),
    ("broken-quote-signature", QUOTE, "signature"),
    ("pcs:status:500", COLLATERAL, "500"),
    ("pcs:malformed", COLLATERAL, "."),
    ("pcs:truncated", COLLATERAL, "."),
    ("pcs:oversized", COLLATERAL, "."),
]
# of the node's own machine
NODE_MACHINE = [
    ("agent:truncated", PLATFORM_REFUSED, "agent"),
    ("agent:oversized", PLATFORM_REFUSED, "agent"),
    ("agent:malformed", PLATFORM_REFUSED, "agent"),
    ("agent:status:500", PLATFORM_REFUSED, "500"),
    ("wrong-report-data", PLATFORM_REFUSED, "report data"),
]


def machine_name(side, scenario):
    return f"{side}-{re.sub('[^a-z0-9]+', '-', scenario.lower())}"


def refused(side, scenario, statuses, pattern):
    def test():
        machine = machine_name(side, scenario)
        node = Node(PLATFORM, machine, machine if side == "node" else "node")
        node.init()
        with ScriptedKms(PLATFORM.socket(machine if side == "kms" else "kms")) as kms:
            node.trust(kms.url, machine if side == "kms" else "kms")
            done = node.call("run")
        allowed = statuses if isinstance(statuses, tuple) else (statuses,)
        assert done.returncode in allowed, f"status {done.returncode}, wanted {allowed}\n{done.stderr}"
        assert re.search(pattern, done.stderr, re.I), f"no {pattern!r} in\n{done.stderr}"
        expect(len([line for line in done.stderr.splitlines() if line.startswith("merod: ")]), 1, done.stderr)
        expect(kms.calls, ["attest"] if side == "kms" else ["attest", "challenge"])
        assert not node.disk(), node.disk()
    test.__name__ = machine_name(side, scenario)
    return test


def accepted_when_listed():
    """What the operator lists is accepted: an out-of-date TCB is a status, not a fault."""
    node = Node(PLATFORM, "listed")
    node.init()
    with ScriptedKms(PLATFORM.socket("kms-tcb-outofdate")) as kms:
        node.trust(kms.url, "kms-tcb-outofdate", 'tee.kms.phala.attestation.allowed_tcb_statuses=["uptodate","OUTOFDATE"]')
        program = node.serve()
        assert "tcb=OutOfDate" in program.text(), program.text()
        expect(program.stop(), 0)


def main():
    global PLATFORM
    need_programs("merod", "mero-sim")
    cases = [("kms", *case) for case in KMS_MACHINE] + [("node", *case) for case in NODE_MACHINE]
    status, half = 0, 12  # a simulator plays 16 machines
    for group, more in ((cases[:half], [accepted_when_listed]), (cases[half:], [])):
        machines = [f"name={machine_name(side, scenario)},scenario={scenario}" for side, scenario, *_ in group]
        with Platform("kms", "node", *machines) as PLATFORM:
            status |= run_tests([refused(*case) for case in group] + more)
    return status


if __name__ == "__main__":
    sys.exit(main())
