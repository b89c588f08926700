# Each target is one line that calls go or a script.

.PHONY: help build image release test-release demo test test-loaded test-vm conformance window cluster soak bench lint generate check

help: ## this list
	@grep -E '^[a-z-]+: ##' Makefile | sed 's/: ## /\t/' | expand -t 14

build: ## static, stripped cni-guard, loopback and guardctl in bin/
	scripts/build.sh

image: ## OCI image of the programs for amd64 and arm64, in dist/, without Docker
	scripts/release.sh image

release: ## the image, archives, the chart, a list of components and checksums, in dist/
	scripts/release.sh all

test-release: ## build the release twice, compare, check, and start it for arm64: some minutes
	scripts/test-release.sh

demo: ## incidents on private nodes, without cni-guard and with it; INCIDENT=NAME shows one in detail
	scripts/demo.sh $(INCIDENT)

test: ## everything that `go test` runs, in private nodes
	scripts/test.sh

test-loaded: ## the same beside four busy loops, one package at a time
	scripts/test-loaded.sh

test-vm: ## on another kernel, in a virtual machine, with real ipip: some minutes
	scripts/test-vm.sh

conformance: ## the incidents on real runtimes, without the guard and with it
	scripts/conformance.sh

cluster: ## the Helm chart and the incidents in a real Kubernetes; an hour, and the first run builds all that: 20 minutes
	scripts/cluster.sh

window: ## how long a rogue file counts before the agent puts it away: writes docs/agent.md
	scripts/window.sh

soak: ## 10,000 pods that come and go, on a node that must not change: some ten minutes
	scripts/soak.sh

bench: ## time, CPU time and context switches as ratios against the reference plugins
	scripts/bench.sh

lint: ## gofmt, go vet, staticcheck, go mod tidy
	scripts/lint.sh

generate: ## the generated documentation
	go generate ./...

check: ## what CI runs: lint, generated files, tests
	scripts/check.sh
