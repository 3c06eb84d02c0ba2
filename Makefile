# What a person can do here: `make help`. Nothing but `make e2e` needs root, and nothing is installed outside this folder.

VENV := .venv
BIN := $(VENV)/bin
CARGO_FLAGS := --manifest-path engine-rs/Cargo.toml --locked
ENGINE := engine-rs/crates/sark-engine-py
ENGINE_SOURCES := $(shell find engine-rs \( -path engine-rs/target -o -path engine-rs/fuzz \) -prune -o -type f -print 2>/dev/null)
CRD := crds/sarkrollouts.sark.dev.yaml
STAMPS := $(VENV)/.stamps
DOCS := .cache/docs
OPERATIONS := 10000000
SECONDS := 60
# Python programs that start others need the environment's programs on PATH, and PyO3 needs to know which Python is meant.
export PATH := $(CURDIR)/$(BIN):$(PATH)
export PYO3_PYTHON := $(CURDIR)/$(BIN)/python
PYTEST := $(BIN)/python -m pytest
# Two at a time; the tests of one module stay together, because they share its fixtures.
IN_PARALLEL := -n $(or $(WORKERS),2) --dist loadscope

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:

##@ Run

demo: setup tools ## Move a real fleet on this machine and watch it go back by itself (KEEP=1 leaves it running)
	$(BIN)/python -m sark_e2e.demo

bench: setup tools ## Print decisions a second and latencies of both arms
	$(BIN)/python -m sark_e2e.bench

bench-engine: setup tools ## Print the engine's figures beside its goals (about 7 min)
	$(BIN)/python -m sark_e2e.bench.engine

bench-operator: setup tools ## Print what one operator costs with 100, 300 and 1,000 rollouts, and how soon it answers (ROLLOUTS="100 300", INTERVAL=30)
	$(BIN)/python -m sark_e2e.bench.operator $(if $(ROLLOUTS),--rollouts $(ROLLOUTS)) $(if $(INTERVAL),--interval $(INTERVAL))

report: performance-tools ## Run the performance suite scaled down (about 30 min; SCALE=) and write docs/PERFORMANCE_REPORT.md
	$(BIN)/python -m sark_e2e.performance $(if $(SCALE),--scale $(SCALE)) $(if $(RUN),--run $(RUN))

report-full: performance-tools ## The same at the report's full lengths: about 55 h, of which 24 h for each arm's memory
	$(BIN)/python -m sark_e2e.performance --scale 1 $(if $(RUN),--run $(RUN))

performance-gate: setup tools ## Fail when an arm has become slower than tests/performance/baseline.json, as ratios of one run (2 min)
	$(BIN)/python -m sark_e2e.performance.gate

false-reverts: setup ## Print how often a healthy bake would be taken back, and how soon a bad one is (RUNS=200: about two hours of two cores; CHECK=1 fails where a promise is broken; SEED=1)
	$(BIN)/python -m sark_e2e.false_reverts --runs $(or $(RUNS),200) --seed $(or $(SEED),1) $(if $(CHECK),--check)

##@ Test

test: check test-unit test-property test-rust test-conformance test-integration test-differential ## Everything, the fast first (cold: about an hour on two cores)

check: check-python check-contract check-rust ## All a reviewer would run: format, lint, types, import contracts, drift

check-python: setup
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -W error -m compileall -q crds client operator sidecar e2e tests requirements images

check-contract: setup
	$(BIN)/python -m sark_api.crd | diff -u $(CRD) - || { echo "error: $(CRD) is stale: run make crds"; exit 1; }
	$(BIN)/python -m mypy.stubtest sark_engine

check-rust: rust-toolchain setup
	cargo fmt --manifest-path engine-rs/Cargo.toml --all --check
	cargo clippy $(CARGO_FLAGS) --profile thin --workspace --all-targets -- -D warnings

test-unit: setup ## Unit tests, WORKERS (2) at a time
	$(PYTEST) $(IN_PARALLEL) tests/unit

test-property: setup ## Property tests
	$(PYTEST) $(IN_PARALLEL) tests/property

invariants: setup ## Play EXAMPLES (1000) new stories of a rollout against the invariants of its core, and count what happened (SEED= of an earlier run plays that one again)
	seed=$(or $(SEED),$$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')) && echo "SEED=$$seed" && \
		SARK_SEED=$$seed SARK_EXAMPLES=$(or $(EXAMPLES),1000) $(PYTEST) -q -s tests/property/test_decide.py

test-rust: rust-toolchain setup ## Tests of the engine's crates
	cargo test $(CARGO_FLAGS) --profile thin --workspace

test-conformance: rust-toolchain ## Every case of OPA's own suite against the list of known refusals (PRUNE=1 takes off what is equal now)
	go -C tools/opa mod download github.com/open-policy-agent/opa
	cargo build $(CARGO_FLAGS) --profile thin --workspace
	engine-rs/target/thin/sark-conformance $(if $(PRUNE),--prune) \
		--testdata "$$(go -C tools/opa list -m -f '{{.Dir}}' github.com/open-policy-agent/opa)/v1/test/cases/testdata" \
		--expected engine-rs/crates/sark-conformance/expected.toml --json engine-rs/target/conformance.json

test-integration: setup tools ## Tests against a real API server, Prometheus, OPA and Redis
	$(PYTEST) $(IN_PARALLEL) -m "not long" tests/integration

.PHONY: scenarios
scenarios: setup tools ## Every rehearsed fault of a rollout, with those that `make test` leaves out for their time
	$(PYTEST) -m "scenario or long" tests/integration

test-page: setup tools ## Look at the page in a real Chromium, with axe-core (SHOTS=folder keeps pictures; about a minute); CI runs it
	sh tools/browser.sh
	SARK_BROWSER=1 $(PYTEST) tests/integration/page

e2e: setup ## Tell the stories of tests/e2e on real pods, with the real images and chart (root on Linux, containerd; ARGUMENTS="-k breach")
	$(BIN)/python -m sark_e2e.pods $(ARGUMENTS)

e2e-kind: setup ## The same on kind, with docker or podman
	$(BIN)/python -m sark_e2e.pods --kind $(ARGUMENTS)

faults: setup tools ## Kill, hang and cut OPA, Redis and API server below a sidecar, and print how it fared and recovered (about 4 min)
	$(BIN)/python -m sark_e2e.faults

test-differential: setup tools ## Ask OPA and the engine the same generated questions: fixed seeds and a new one (about 4 min)
	$(PYTEST) tests/differential

differential: setup tools ## The same for longer (SECONDS=3600, SEED=n to repeat a run); findings go to .cache/differential
	$(BIN)/python -m sark_e2e.differential --seconds $(or $(SECONDS),3600) $(if $(SEED),--seed $(SEED))

leak: rust-toolchain ## Look for memory that grows: make leak OPERATIONS=10000000
	SARK_LEAK_OPERATIONS=$(OPERATIONS) cargo test $(CARGO_FLAGS) --profile thin --workspace --test leak -- --nocapture

long-calls: rust-toolchain ## Call every builtin with all combinations of operands that mean harm (some minutes)
	cargo test $(CARGO_FLAGS) --profile thin --workspace --lib -- --ignored --nocapture every_call_ends_soon_after_its_limit

fuzz: rust-toolchain ## Fuzz each target for SECONDS (60) with the address sanitizer; findings are kept in .cache/fuzz
	sh tools/fuzz.sh $(SECONDS)

sanitize: rust-toolchain ## Run the engine's tests under the address and leak sanitizers (cold: about 10 min)
	RUSTC_BOOTSTRAP=1 RUSTFLAGS="-Zsanitizer=address" cargo test $(CARGO_FLAGS) --profile thin --workspace --exclude sark-engine-py \
		--target x86_64-unknown-linux-gnu --target-dir engine-rs/target/sanitize --lib --tests --no-fail-fast \
		-- --skip memory_stays_where_it_was_after_warming_up # what is freed is kept for a while by the sanitizer

##@ Prepare

setup: $(STAMPS)/project $(STAMPS)/engine ## Make .venv with everything in it, the engine's wheel included (cold: about 6 min)

tools: setup ## Find or build etcd, kube-apiserver, OPA, Prometheus ... (cold: about 12 min)
	$(BIN)/python -m sark_e2e.binaries

performance-tools: setup tools $(STAMPS)/performance ## What the performance suite needs besides: pytest-benchmark, matplotlib, py-spy

images: setup ## Build the images of operator and sidecar, and lists of their parts, with docker, podman or buildah (BASE=, TAG=, REGISTRY=)
	sh images/build.sh

page-assets: ## Copy the page's browser files anew from the packages in tools/page/package-lock.json (needs npm)
	mkdir -p .cache/page && cp tools/page/package.json tools/page/package-lock.json .cache/page/
	cd .cache/page && npm ci --ignore-scripts --no-audit --no-fund --silent
	sh tools/page/vendor.sh .cache/page/node_modules

crds: setup ## Write the CRD and the reference pages (reasons, fields, settings, metrics) from their models
	$(BIN)/python -m sark_api.crd > $(CRD)
	$(BIN)/python -m sark_api.reasons_page > docs/reasons.md
	$(BIN)/python -m sark_api.rollout_page > docs/reference/sarkrollout.md
	$(BIN)/python -m sark_sidecar.settings_page > docs/reference/sidecar-settings.md
	$(BIN)/python -m sark_e2e.metrics_page > docs/reference/metrics.md

signatures: setup tools ## Write what OPA's builtins take and give from the pinned OPA itself
	$(BIN)/python -m sark_e2e.signatures

docs: $(STAMPS)/docs ## Build the documentation as a site in build/site; what is wrong in it ends the build
	NO_MKDOCS_2_WARNING=1 $(DOCS)/bin/mkdocs build --quiet --strict
	@echo "build/site/index.html"

rules: setup ## Write the alerts for the Prometheus operator from manifests/alerts/sark-rollout.rules.yml
	$(BIN)/python tools/prometheus_rule.py > manifests/alerts/prometheus-rule.yaml

manifests: setup ## Write the plain manifests (manifests/install, manifests/fleet) from the chart
	$(BIN)/python -m sark_e2e.plain_manifests

dashboards: setup ## Write the Grafana dashboards from tools/dashboards.py
	$(BIN)/python tools/dashboards.py

golden: setup tools ## Write the expected outputs of the command and the chart anew (tests/*/*/golden); review the difference
	GOLDEN=write $(PYTEST) -q tests/unit/cli tests/integration/chart tests/integration/crd/test_screens.py

lock: setup ## Compile the hashed requirement files anew; pinned versions stay, unless UPGRADE=1
	$(BIN)/python requirements/lock.py $(if $(UPGRADE),--upgrade)

format: setup ## Format all sources
	$(BIN)/ruff check --fix-only
	$(BIN)/ruff format
	cargo fmt --manifest-path engine-rs/Cargo.toml --all

clean: ## Remove the environment, builds and caches (programs built with Go too)
	rm -rf $(VENV) .cache build dist engine-rs/target .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

help: ## Show this
	@awk 'BEGIN { FS = ":.*## " } /^##@/ { printf "\n%s\n", substr($$0, 5) } /^[a-z-]+:.*## / { printf "  %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# The stamps make each step run again exactly when what it is made of has changed.

$(STAMPS)/environment: requirements/bootstrap.txt tools/python.sh
	@echo "== making $(VENV)"
	python="$$(sh tools/python.sh)" && "$$python" -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/bootstrap.txt
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/requirements: requirements/dev.txt $(STAMPS)/environment
	@echo "== installing requirements/dev.txt (about a minute when nothing has been downloaded yet)"
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/dev.txt
	@touch $@

$(STAMPS)/docs: requirements/docs.txt $(STAMPS)/environment
	@echo "== making $(DOCS), which builds the documentation"
	$(BIN)/python -m venv --clear $(DOCS)
	$(DOCS)/bin/python -m pip install --quiet --require-hashes -r requirements/docs.txt
	@touch $@

# Build the engine's wheel, with these arguments and this environment, into .cache/wheels, and install it.
define engine
rm -rf .cache/wheels
$(2) $(BIN)/maturin build $(1) --locked --manifest-path $(ENGINE)/Cargo.toml --interpreter $(BIN)/python --out .cache/wheels
$(BIN)/python -m pip install --quiet --no-deps --no-index --force-reinstall .cache/wheels/*.whl
endef

pgo: setup ## Build the engine anew with what its runs have shown, and install it: some 15 % faster to evaluate (llvm-profdata of rustc's LLVM; cold about 15 min)
	sh tools/pgo.sh $(CURDIR)/$(BIN)/python
	@echo "== building the engine's wheel with what was counted (2 of 2)"
	$(call engine,--profile pgo --target-dir $(CURDIR)/engine-rs/target/pgo-use,RUSTFLAGS=-Cprofile-use=$(CURDIR)/.cache/pgo/engine.profdata)
	@touch $(STAMPS)/engine

$(STAMPS)/performance: requirements/performance.txt $(STAMPS)/requirements
	@echo "== installing requirements/performance.txt"
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/performance.txt
	@touch $@

$(STAMPS)/project: pyproject.toml $(STAMPS)/requirements
	@echo "== installing the project, editable"
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(STAMPS)/engine: $(ENGINE_SOURCES) $(STAMPS)/requirements | rust-toolchain
	@echo "== building the engine's wheel with Rust (about 4 min when nothing has been built yet)"
	$(call engine,--release)
	@touch $@

rust-toolchain:
	@sh tools/rust.sh

.PHONY: bench bench-engine bench-operator check check-contract check-python check-rust clean crds dashboards demo differential docs e2e e2e-kind false-reverts faults format fuzz golden help images invariants \
	leak lock long-calls manifests page-assets performance-gate performance-tools pgo report report-full rules rust-toolchain sanitize setup signatures test test-conformance test-differential test-integration test-page test-property test-rust test-unit tools
