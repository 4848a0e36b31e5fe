#!/usr/bin/env python3
"""`mero-tee sigstore verify` case by case, as an outside conformance run would drive it: exit 0 exactly for what is accepted,
17 for what is refused, 2 for a wrong command line."""
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

TOOL = Path(os.environ["MERO_BUILD_DIR"]) / "mero-tee"
VECTORS = Path(os.environ["MERO_VECTORS"]) / "sigstore"
REFUSED, USAGE = 17, 2
CLAIMS = {"trigger": "--workflow-trigger", "name": "--workflow-name", "repository": "--workflow-repository",
          "ref": "--workflow-ref"}
failures = []


def check(text, condition, shown=""):
    if not condition:
        failures.append(text)
        print(f"FAILED: {text} {shown}")


def run(*arguments):
    return subprocess.run([TOOL, "sigstore", "verify", *map(str, arguments)], capture_output=True, text=True, timeout=60)


def arguments_of(case):
    policy = case.get("github_policy") or {}
    yield from ("--bundle", VECTORS / case["bundle"], "--artifact", VECTORS / case["artifact"])
    yield from ("--trusted-root", VECTORS / case["trusted_root"], "--json")
    yield from ("--identity", case.get("identity") or "none")
    yield from ("--issuer", policy.get("issuer") or case.get("issuer") or "none")
    if "signature" in case:
        yield from ("--signature", VECTORS / case["signature"])
    if "cert_pem" in case:
        yield from ("--certificate", VECTORS / case["cert_pem"])
    for claim, option in CLAIMS.items():
        if claim in policy:
            yield from (option, policy[claim])


def run_case(case):
    done = run(*arguments_of(case))
    accepted = case["expect"] == "pass" and case["in_scope"]
    check(case["id"], done.returncode == (0 if accepted else REFUSED), f"{done.returncode} {done.stderr}")
    if not done.stdout:  # the trust root itself was refused
        check(f"{case['id']}: says why", "sigstore/trust-root" in done.stderr, done.stderr)
        return
    report = json.loads(done.stdout)
    check(f"{case['id']}: the report agrees", report["verified"] == accepted and ("error" in report) != accepted)
    if not case["in_scope"]:
        check(f"{case['id']}: refused by name", report["error"]["code"] == "sigstore/unsupported", done.stdout)


def other_ways(case):
    """The same good case with its artifact as digest, its signer as pattern, and what a command line can lack."""
    common = ["--bundle", VECTORS / case["bundle"], "--trusted-root", VECTORS / case["trusted_root"]]
    artifact = ["--artifact", VECTORS / case["artifact"]]
    digest = subprocess.run(["sha256sum", VECTORS / case["artifact"]], capture_output=True, text=True, check=True).stdout[:64]
    issuer, identity = ["--issuer", case["issuer"]], ["--identity", case["identity"]]
    escaped = case["identity"].replace(".", "[.]")
    check("good", run(*common, *artifact, *issuer, *identity).returncode == 0)
    check("digest", run(*common, "--digest", f"sha256:{digest}", *issuer, *identity).returncode == 0)
    check("other digest", run(*common, "--digest", f"sha256:{'0' * 64}", *issuer, *identity).returncode == REFUSED)
    check("digest of another kind", run(*common, "--digest", f"sha384:{'0' * 96}", *issuer, *identity).returncode == REFUSED)
    check("malformed digest", run(*common, "--digest", "sha256:00", *issuer, *identity).returncode == USAGE)
    for pattern, status in [(escaped, 0), (f"^{escaped}$", 0), ("https://.*", 0), (f"x|{escaped}", 0), (escaped[:-1], REFUSED),
                            (escaped[1:], REFUSED), ("github", REFUSED), ("(", USAGE)]:
        got = run(*common, *artifact, *issuer, "--identity-pattern", pattern).returncode
        check(f"pattern {pattern}", got == status, str(got))
    check("no identity", run(*common, *artifact, *issuer).returncode == USAGE)
    check("two identities", run(*common, *artifact, *issuer, *identity, "--identity-pattern", "x").returncode == USAGE)
    check("no issuer", run(*common, *artifact, *identity).returncode == USAGE)
    check("no artifact", run(*common, *issuer, *identity).returncode == USAGE)
    check("artifact and digest", run(*common, *artifact, "--digest", "sha256:00", *issuer, *identity).returncode == USAGE)
    check("no bundle", run(*artifact, *issuer, *identity).returncode == USAGE)
    detached = run(*artifact, *issuer, *identity, "--signature", VECTORS / case["signature"], "--certificate",
                   VECTORS / case["cert_pem"])
    check("detached files prove no time", detached.returncode == REFUSED and "sigstore/no-bundle" in detached.stderr,
          detached.stderr)
    check("other trust root", run("--bundle", VECTORS / case["bundle"], *artifact, *issuer, *identity).returncode == REFUSED)
    check("missing file", run("--bundle", "/nonexistent", *artifact, *issuer, *identity).returncode not in (0, REFUSED))
    with tempfile.TemporaryDirectory() as folder:
        wrong = Path(folder) / "wrong.pem"
        wrong.write_text("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n")
        done = run(*common, *artifact, *issuer, *identity, "--certificate", wrong)
        check("other certificate file", done.returncode == REFUSED and "detached-certificate" in done.stderr, done.stderr)


def main():
    if not VECTORS.is_dir():
        print("skipped: no sigstore in the vectors folder (MERO_VECTORS)")
        return 77
    cases = json.loads((VECTORS / "index.json").read_text())["cases"]
    for case in cases:
        run_case(case)
    other_ways(next(case for case in cases if case["id"] == "synthetic/ok-baseline"))
    print(f"{len(cases)} cases, {len(failures)} failures")
    return 1 if failures else 0


sys.exit(main())
