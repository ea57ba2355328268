# Everything here needs Go alone; race also needs a C compiler.

QUESTION ?= A baker makes 24 rolls a day for 6 days. She sells 95 of them. How many rolls are left?
FUZZTIME ?= 30s
PLATFORMS = linux/arm64 darwin/arm64 windows/amd64
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2

export CGO_ENABLED = 0
export QUESTION

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: ## answer QUESTION with 64 traces, pruned while they run
	@go run ./cmd/deepprune solve "$$QUESTION"

.PHONY: build
build: ## build bin/deepprune
	go build -o bin/ ./cmd/deepprune

.PHONY: test
test: ## run the everyday tests
	go test ./...

.PHONY: race
race: ## run the everyday tests under the race detector
	CGO_ENABLED=1 go test -race ./...

.PHONY: fuzz
fuzz: ## run each fuzz target for FUZZTIME
	@set -e; for file in $$(grep -rl --include='*_test.go' '^func Fuzz' .); do \
		for name in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' $$file); do \
			echo "$$(dirname $$file) $$name"; \
			go test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) $$(dirname $$file); \
		done; \
	done

.PHONY: bench
bench: ## run the benchmarks
	go test -run '^$$' -bench . -benchmem ./...

.PHONY: lint
lint: format vet staticcheck ## check format, vet and staticcheck

.PHONY: format
format: ## check that gofmt has nothing to say
	@unformatted=$$(gofmt -l .); if [ -n "$$unformatted" ]; then \
		echo "not formatted by gofmt:"; echo "$$unformatted"; exit 1; fi

.PHONY: vet
vet: ## run go vet
	go vet ./...

.PHONY: staticcheck
staticcheck: ## run staticcheck
	go run $(STATICCHECK) ./...

.PHONY: cross
cross: ## build and vet for the other platforms
	@set -e; for platform in $(PLATFORMS); do \
		echo $$platform; \
		export GOOS=$${platform%/*} GOARCH=$${platform#*/}; \
		go build ./...; go vet ./...; \
	done
