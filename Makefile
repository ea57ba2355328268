# Everything here needs Go alone, but for race, which needs a C compiler, the two
# targets for tokenizers, and those for CUDA.

QUESTION ?= Nina has 3 bags of 29 beads each. Ann gives her 25 more beads. Then the number of beads doubles. That is 8 fewer than Ann has. How many beads does Ann have?
FUZZTIME ?= 30s
PYTHON ?= python3
# Real tokenizer.json files for tokenizer-cases, each in a folder of its model's name.
TOKENIZER_FILES ?=
PLATFORMS = linux/arm64 darwin/arm64 windows/amd64
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2

export CGO_ENABLED = 0
export QUESTION

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

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

.PHONY: soak
soak: ## 1,000 requests from 64 clients on a server short of memory, under the race detector (minutes)
	DEEPPRUNE_SOAK=1000 CGO_ENABLED=1 go test -race -count 1 -v -timeout 60m -run '^TestSoak$$' ./server

.PHONY: deploy-check
deploy-check: ## compare the manifests in deploy/ with the types of their APIs, and their settings with serve's
	cd deploy/check && go test -count 1 ./...
	go run ./cmd/deepprune serve --config deploy/kubernetes/base/deepprune.yaml --print-config > /dev/null

.PHONY: proxy-test
proxy-test: ## three servers behind an nginx; one is killed, one drains (needs nginx)
	DEEPPRUNE_NGINX=$$(command -v nginx || echo /usr/sbin/nginx) go test -count 1 -v -run '^TestProxy$$' ./cmd/deepprune

.PHONY: fuzz
fuzz: ## run each fuzz target for FUZZTIME
	@set -e; for file in $$(grep -rl --include='*_test.go' '^func Fuzz' .); do \
		for name in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' $$file); do \
			echo "$$(dirname $$file) $$name"; \
			go test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) $$(dirname $$file); \
		done; \
	done

.PHONY: tokenizer-cases
tokenizer-cases: ## compare the tokenizers with the reference in 23,000 cases each (needs Python)
	$(PYTHON) model/testdata/tokenizer_cases.py --large build/tokenizer-cases $(TOKENIZER_FILES)
	DEEPPRUNE_TOKENIZER_CASES=$(CURDIR)/build/tokenizer-cases go test -count 1 -v -run ManyCases ./model

# One dependency of the library is named by its git address; its release is taken instead.
.PHONY: tokenizers
tokenizers: ## build and test build/lib/libtokenizers.a for -tags tokenizers (needs cargo and a C compiler)
	go mod download github.com/daulet/tokenizers
	rm -rf build/tokenizers && mkdir -p build/lib
	cp -r "$$(go list -m -f '{{.Dir}}' github.com/daulet/tokenizers)" build/tokenizers
	chmod -R u+w build/tokenizers
	sed -i.git 's/^tiktoken-rs = .*/tiktoken-rs = "0.9.1"/' build/tokenizers/crates/tokenizers/Cargo.toml
	cd build/tokenizers && cargo build --release --package tokenizers-ffi --target-dir ../cargo
	cp build/cargo/release/libtokenizers_ffi.a build/lib/libtokenizers.a
	CGO_ENABLED=1 CGO_LDFLAGS=-L$(CURDIR)/build/lib \
		go test -tags tokenizers -run 'EqualsReference|ManyCases|Rust' ./model

# NVIDIA's compiler and headers, from pip; nothing of them is in what is built.
TOOLKIT = build/cuda/toolkit/nvidia/cu13
TOOLKIT_PACKAGES = nvidia-cuda-nvcc==13.0.88 nvidia-cuda-crt==13.0.88 nvidia-nvvm==13.0.88 \
	nvidia-cuda-runtime==13.0.96 nvidia-cuda-cccl==13.0.85
# Any other folder with cuda.h, of CUDA 12 or 13.
CUDA_INCLUDE ?= $(CURDIR)/$(TOOLKIT)/include
NVCC ?= $(CURDIR)/$(TOOLKIT)/bin/nvcc

# The version is in the name so that another one is installed anew.
TOOLKIT_STAMP = build/cuda/toolkit/13.0.88

$(TOOLKIT_STAMP):
	rm -rf build/cuda/toolkit
	$(PYTHON) -m pip install -q --no-deps --no-cache-dir --target build/cuda/toolkit $(TOOLKIT_PACKAGES)
	chmod +x $(TOOLKIT)/bin/* $(TOOLKIT)/nvvm/bin/*
	touch $@

build/cuda/lib/libcuda.a: kernels/cuda/driver/stub/libcuda.c kernels/cuda/driver/stub/symbols.inc
	mkdir -p build/cuda/lib
	$(CC) -O2 -Wall -Wextra -fPIC -c -o build/cuda/lib/libcuda.o $<
	rm -f $@
	ar rcs $@ build/cuda/lib/libcuda.o

.PHONY: cuda-env
cuda-env: $(TOOLKIT_STAMP) build/cuda/lib/libcuda.a ## get what -tags cuda needs, and write build/cuda/env to be sourced (needs pip and a C compiler)
	@{ echo 'export CGO_ENABLED=1'; \
	echo 'export CGO_CFLAGS="-O2 -g -I$(CURDIR)/kernels/cuda/driver/include -I$(CUDA_INCLUDE)"'; \
	echo 'export CGO_LDFLAGS="-L$(CURDIR)/build/cuda/lib"'; } > build/cuda/env

.PHONY: cuda
cuda: cuda-env ## build bin/deepprune with the CUDA device
	. build/cuda/env && go build -tags cuda -o bin/ ./cmd/deepprune

.PHONY: cuda-kernels
cuda-kernels: $(TOOLKIT_STAMP) ## compile kernels/cuda/src into kernels/cuda/image
	NVCC=$(NVCC) kernels/cuda/compile.sh

.PHONY: cuda-kernels-check
cuda-kernels-check: $(TOOLKIT_STAMP) ## check that kernels/cuda/src compiles and that kernels/cuda/image is made from it
	NVCC=$(NVCC) kernels/cuda/compile.sh check

# libcuda.so.1 of the host runs the kernels on the processor.
HOST_CUDA = $(CURDIR)/build/cuda/host/libcuda.so.1
ON_HOST = . build/cuda/env && DEEPPRUNE_LIBCUDA=$(HOST_CUDA)
HOST_MAKE = $(MAKE) --no-print-directory -C kernels/cuda/host BUILD=$(CURDIR)/build/cuda/host INCLUDE=$(CUDA_INCLUDE)

.PHONY: cuda-host
cuda-host: $(TOOLKIT_STAMP) ## build build/cuda/host/libcuda.so.1, a driver that runs the kernels on the processor (needs g++)
	$(HOST_MAKE)

.PHONY: cuda-test
cuda-test: cuda-env cuda-host ## test the CUDA device on the processor, its conformance and the models on it
	. build/cuda/env && go vet -tags cuda ./kernels/cuda/... ./cmd/... ./model
	$(ON_HOST) go test -tags cuda -count 1 ./kernels/cuda/...
	$(ON_HOST) DEEPPRUNE_TEST_DEVICE=cuda go test -tags cuda -count 1 -run '^Test(Forward|Embedded)' ./model

# What the tests launch is written to a trace, and run again.
.PHONY: cuda-sanitize
cuda-sanitize: cuda-env cuda-host ## run launches of the CUDA device's tests under ThreadSanitizer and AddressSanitizer, a thread for every CUDA thread
	$(HOST_MAKE) test barrier replays
	rm -rf build/cuda/host/trace && mkdir -p build/cuda/host/trace
	$(ON_HOST) DEEPPRUNE_CUDA_TRACE=$(CURDIR)/build/cuda/host/trace go test -tags cuda -count 1 ./kernels/cuda
	$(HOST_MAKE) sanitize

.PHONY: dist-cuda
dist-cuda: cuda-env ## build dist/deepprune-cuda, one file that needs libc and NVIDIA's driver
	. build/cuda/env && go build -tags cuda -trimpath -ldflags '-s -w' -o dist/deepprune-cuda ./cmd/deepprune
	@if readelf -d dist/deepprune-cuda | grep NEEDED | grep -vE 'libc\.|libm\.|libpthread\.|libdl\.|libresolv\.|ld-linux'; then \
		echo "dist/deepprune-cuda needs more than libc"; exit 1; fi

# Copied to a machine with a GPU and NVIDIA's driver, ./gpucheck there writes report.json.
GPU_CHECK = build/gpu-check

.PHONY: gpu-check
gpu-check: dist-cuda ## make build/gpu-check, whose program gpucheck tests and measures on a machine with a GPU
	rm -rf $(GPU_CHECK) && mkdir -p $(GPU_CHECK)
	cp dist/deepprune-cuda $(GPU_CHECK)/deepprune
	cp -r model/testdata $(GPU_CHECK)/testdata
	go build -trimpath -o $(GPU_CHECK)/ ./kernels/cuda/gpucheck
	. build/cuda/env && go test -tags cuda -trimpath -c -o $(GPU_CHECK)/cuda.test ./kernels/cuda
	. build/cuda/env && go test -tags cuda -trimpath -c -o $(GPU_CHECK)/model.test ./model

# The library that drives the browser is in a module of its own.
.PHONY: dashboard
dashboard: ## test the dashboard in a headless Chromium; without one it is skipped
	cd server/dashboard/browsertest && go vet . && go test -count 1 .

# What these install lies in build/clients.
CLIENTS = $(CURDIR)/build/clients
SERVED = server/clienttest/serve.sh $(CURDIR)/bin/deepprune

.PHONY: clients
clients: build ## run the official OpenAI clients against a server (needs Python, Node and a network)
	mkdir -p $(CLIENTS)/js
	$(PYTHON) -m venv $(CLIENTS)/python
	$(CLIENTS)/python/bin/pip -q install -r server/clienttest/python/requirements.txt
	cp server/clienttest/js/package.json server/clienttest/js/client.test.js $(CLIENTS)/js
	cd $(CLIENTS)/js && npm install --no-audit --no-fund
	$(SERVED) $(CLIENTS)/python/bin/python server/clienttest/python/test_client.py
	$(SERVED) sh -c 'cd server/clienttest/go && go vet . && go test -count 1 .'
	$(SERVED) sh -c 'cd $(CLIENTS)/js && node --test'

.PHONY: lm-eval
lm-eval: build ## run lm-eval on a small task file of our own against a server (needs Python and a network)
	$(PYTHON) -m venv $(CLIENTS)/lm-eval
	$(CLIENTS)/lm-eval/bin/pip -q install -r server/clienttest/lm-eval/requirements.txt
	$(SERVED) $(CLIENTS)/lm-eval/bin/python server/clienttest/lm-eval/evaluate.py weights/embedded/reasoner

.PHONY: models
models: ## measure the tables of docs/models.md
	go test -count 1 -run TestModelsDoc ./model -update-models

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
