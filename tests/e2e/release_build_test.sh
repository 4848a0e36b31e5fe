#!/usr/bin/env bash
# Builds the release kind and proves on the binaries what it must not contain and what it refuses. Counts its checks.
set -euo pipefail
source_dir=${MERO_SOURCE_DIR:?} dev=${MERO_BUILD_DIR:?}
if [ -n "${MERO_SANITIZE:-}" ]; then
  echo "skipped: the release kind is the same beside a sanitizer build; the development preset's run builds it"
  exit 77
fi
release=$dev/release-kind
failed=0 passed=0
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# check TEXT COMMAND...: the command must succeed.
check() {
  local text=$1
  shift
  if "$@" >"$scratch/out" 2>&1; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    echo "FAILED: $text"
    sed 's/^/    /' "$scratch/out"
  fi
}
not() { ! "$@"; }

cmake -S "$source_dir" --preset release -B "$release" >"$scratch/configure.log" || { cat "$scratch/configure.log"; exit 1; }
cmake --build "$release" >"$scratch/build.log" 2>&1 || { tail -n 50 "$scratch/build.log"; exit 1; }

marker=MOCK_TDX_QUOTE_V1
for program in merod mero-kms-phala mero-tee; do
  check "$program is built" test -x "$release/$program"
  check "$program (release) lacks the mock marker" not grep -qa "$marker" "$release/$program"
  check "$program (release) defines no mock or simulator function" \
    not sh -c "nm --defined-only '$release/$program' | grep -Ei ' [tT] (mock|sim)_'"
done
# The same looks must find something in the development build, or they prove nothing.
check "merod (development) has the mock marker" grep -qa "$marker" "$dev/merod"
check "mero-kms-phala (development) has the mock marker" grep -qa "$marker" "$dev/mero-kms-phala"
check "mero-sim is part of the development build" test -x "$dev/mero-sim"
check "mero-sim is not part of the release build" not test -e "$release/mero-sim"

# refuses NAME PATTERN COMMAND...: ends with a failure and a text that matches the pattern, within 20 s.
refuses() {
  local name=$1 pattern=$2 status=0
  shift 2
  timeout 20 env "$@" >"$scratch/refusal" 2>&1 || status=$?
  check "$name: ends with a failure (was $status)" test "$status" -ne 0 -a "$status" -ne 124
  check "$name: says '$pattern'" grep -q -e "$pattern" "$scratch/refusal"
}

home=$scratch/home
check "merod init" "$release/merod" --home "$home" --node n init
run=("$release/merod" --home "$home" --node n run)
refuses "merod run --mock-tee" "this merod binary was built without mock-attestation support" "${run[@]}" --mock-tee
for setting in MERO_DEV_ROOT=/nowhere.pem MERO_DEV_NOW=1700000000 DSTACK_SIMULATOR_ENDPOINT=/nowhere.sock; do
  refuses "merod with $setting" "${setting%%=*}" "$setting" "${run[@]}"
  refuses "mero-kms-phala with $setting" "${setting%%=*}" "$setting" LISTEN_ADDR=127.0.0.1:0 USE_ENV_POLICY=true \
    MERO_KMS_STATE_DIR="$scratch/state" "$release/mero-kms-phala"
done
refuses "mero-kms-phala with ACCEPT_MOCK_ATTESTATION" ACCEPT_MOCK_ATTESTATION ACCEPT_MOCK_ATTESTATION=true \
  LISTEN_ADDR=127.0.0.1:0 USE_ENV_POLICY=true MERO_KMS_STATE_DIR="$scratch/state" "$release/mero-kms-phala"
release_kms=$source_dir/tests/e2e/support/release_kms.py
check "mock quote sent to a release KMS: 401 attestation_verification_failed" \
  python3 "$release_kms" mock-quote "$release/mero-kms-phala"
check "the same request tells a development KMS apart" not python3 "$release_kms" mock-quote "$dev/mero-kms-phala"
check "release KMS on a simulator is found out" python3 "$release_kms" simulator "$release/mero-kms-phala"
cat >>"$home/n/config.toml" <<'TOML'

[tee.kms.phala]
url = "http://127.0.0.1:9/"

[tee.kms.phala.attestation]
accept_mock = true
TOML
refuses "merod with accept_mock" accept_mock "${run[@]}"
refuses "mero-tee --root" "unknown option '--root" "$release/mero-tee" quote verify --root x.pem /dev/null

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
