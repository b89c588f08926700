# Each target is one line that calls go or a script.

.PHONY: build demo test bench lint generate check

build: ## static, stripped cni-guard, loopback and guardctl in bin/
	scripts/build.sh

demo: ## a lost sandbox, without the guard and with it, in a private node
	scripts/demo.sh

test: ## everything that `go test` runs, in private nodes
	scripts/test.sh

bench: ## start-to-exit times as ratios against the reference plugins
	scripts/bench.sh

lint: ## gofmt, go vet, staticcheck, go mod tidy
	scripts/lint.sh

generate: ## the generated documentation
	go generate ./...

check: ## what CI runs: lint, generated files, tests
	scripts/check.sh
