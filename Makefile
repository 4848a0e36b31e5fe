# A thin front of CMake: `make help` lists the verbs.
PRESETS := release asan tsan fuzz
JOBS    := $(shell nproc)
# CI treats every warning as an error.
WERROR  := $(if $(CI),ON,OFF)
TESTED  := ctest --output-on-failure -j $(JOBS)

.DEFAULT_GOAL := dev
.PHONY: help setup check-setup dev $(PRESETS) test test-asan test-tsan demo bench lint soak format fuzz-smoke clean

help: ## list the verbs
	@awk -F ':.*## ' '/^[a-z%-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## install the Debian packages that are missing (root or sudo)
	@scripts/setup

check-setup:
	@scripts/setup --check

dev: check-setup ## build the development preset into build/ (the default)
	@cmake --preset dev -DMERO_WERROR=$(WERROR) >/dev/null
	@cmake --build --preset dev
	@ln -sfn build/compile_commands.json compile_commands.json

release: check-setup ## build what operators run into build-release/
asan: check-setup ## build with address and undefined-behaviour sanitizers into build-asan/
tsan: check-setup ## build with the thread sanitizer into build-tsan/
fuzz: check-setup ## build the libFuzzer targets into build-fuzz/
$(PRESETS):
	@cmake --preset $@ -DMERO_WERROR=$(WERROR) >/dev/null
	@cmake --build --preset $@

test: setup dev ## set up, build and run every test
	@$(TESTED) --test-dir build

test-asan: setup asan ## run the tests under the address and undefined-behaviour sanitizers
	@$(TESTED) --test-dir build-asan

test-tsan: setup tsan ## run the tests under the thread sanitizer
	@$(TESTED) --test-dir build-tsan

demo: setup dev ## the whole story on the terminal, on a software TDX platform (KEEP=1 leaves it running)
	@KEEP=$(KEEP) scripts/demo

bench: setup dev ## what things cost, as ratios to their floors within one run
	@cmake --build --preset dev --target benches
	@scripts/bench

fuzz-smoke: setup fuzz ## every fuzz target for 60 seconds
	@scripts/fuzz-smoke

soak: setup dev ## the store's flips, power cuts, faults and kills in full, instead of a sample (hours)
	@MERO_SOAK=1 ctest --output-on-failure --timeout 86400 -R '^store_(damage|power|fault|kill)_test$$' --test-dir build

lint: setup ## floors, banned functions, function length, layout, machine paths
	@scripts/lint

format: ## lay the sources out with clang-format
	@clang-format -i $$(git ls-files '*.c' '*.h')

clean: ## remove everything that was built
	@rm -rf build $(addprefix build-,$(PRESETS)) compile_commands.json
