# virtmatrix: what stops working when kernel, qemu, Xen or libvirt move?
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# The libvirt bindings open the library when they run: no headers are needed.
export GOFLAGS := $(strip $(GOFLAGS) -tags=libvirt_dlopen)

# Images are built and hosts are booted as root.
ROOT := $(if $(filter 0,$(shell id -u)),,sudo -E env "PATH=$(PATH)")
VIRTMATRIX := $(ROOT) bin/virtmatrix

.PHONY: help setup build check checks costs test test-real test-rpm test-modular selftest matrix report doctor bench clean

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install the packages that this machine lacks (as root or with sudo)
	@ci/setup

build: ## Build bin/virtmatrix
	@CGO_ENABLED=0 go build -o bin/virtmatrix ./ci/virtmatrix

check: setup ## Check format, vet, unit and command tests, with the race detector: no virtual machine, minutes
	@go run ./ci/virtmatrix/tally

checks: setup ## Write what is derived from the registered checks: matrix/checks.json, docs/checks.md
	@go run ./suites/families/generate

costs: setup ## The same, with the costs of checks from runs: RUN="runs/latest ..."
	@go run ./suites/families/generate -costs $(or $(RUN),runs/latest)

test: setup build ## All tests: check, the real cells of profile ci and one of RPMs; ends in "N passed, N failed"
	@go run ./ci/virtmatrix/tally -- $(VIRTMATRIX) run -profile ci -- $(MAKE) test-rpm

test-real: setup build ## The tests that boot machines and containers; a test that is skipped has failed
	@$(VIRTMATRIX) build -profile ci
	@$(ROOT) go run ./ci/virtmatrix/tally -real

# Where the test distribution of RPMs is made.
MADE ?= /var/cache/virtmatrix/rpmdist

test-rpm: setup build ## A cell of RPMs and its twin of the same binaries, in containers
	@$(ROOT) go run ./fixtures/rpmdist/make $(MADE)
	@$(VIRTMATRIX) --matrix $(MADE)/matrix run -profile rpm

test-modular: setup build ## A cell of libvirt's modular daemons, which are built for it, and its monolithic twin: an hour
	@$(ROOT) go run ./fixtures/rpmdist/make -modular $(MADE)
	@$(VIRTMATRIX) --matrix $(MADE)/matrix run -profile rpm-modular

selftest: setup build ## Does each check see what it exists to see? Each must fail under its control
	@$(VIRTMATRIX) selftest

matrix: setup build ## The main job: run the smoke profile and judge it
	@$(VIRTMATRIX) run -profile smoke

report: build ## Show the latest run again
	@bin/virtmatrix report

doctor: build ## What this machine can do, and how to fix what it cannot
	@bin/virtmatrix doctor

bench: setup ## What virtmatrix costs, against plain tools; BENCH=-help tells of parts
	@$(ROOT) go run ./ci/bench $(BENCH)

clean: build ## Remove what killed runs left; the cache of images stays (see virtmatrix gc --help)
	@$(VIRTMATRIX) gc
	@rm -rf bin
