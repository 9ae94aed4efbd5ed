# Branchline. `make` lists the targets.
# One set of flags for vet, test and build, so that nothing compiles twice.
export CGO_ENABLED = 0
export GOFLAGS = -trimpath -buildvcs=false

GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
LDFLAGS  = -s -w -X main.version=$(VERSION)
TOOL     = $(GO) tool -modfile=schema/tools.mod
SEED    ?= 1
SEEDS   ?= 200

.DEFAULT_GOAL := help
.PHONY: help demo build test race check vet lint fmt tidy generated cross generate sim bench fuzz soak release clean

help: ## this list
	@awk -F':.*## ' '/^[a-z]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: build ## a dealer group of one HQ and three branches on this machine, until Ctrl-C
	./branchline demo

build: ## the one binary, ./branchline
	$(GO) build -ldflags '$(LDFLAGS)' -o branchline ./cmd/branchline

test: ## every test (what CI runs)
	$(GO) test -timeout 20m ./...

race: ## the race detector over the packages that share memory (needs gcc)
	CGO_ENABLED=1 $(GO) test -race -timeout 10m ./sync/clock/... ./sync/merge/... ./sync/oplog/... ./sync/link/... ./sync/bus/...

check: vet lint fmt tidy generated cross ## vet, staticcheck, gofumpt, tidy, generated files current, cross-builds

vet:
	$(GO) vet ./...

lint:
	$(TOOL) staticcheck ./...

fmt:
	@out=$$(find cmd node sync schema hq -name '*.go' -not -path 'schema/gen/*' | xargs $(TOOL) gofumpt -l); \
	if [ -n "$$out" ]; then echo "not gofumpt'ed:"; echo "$$out"; exit 1; fi

# modernc.org/libc must be the very version sqlite was made with.
tidy:
	$(GO) mod tidy -diff
	@want=$$(awk '$$1=="modernc.org/libc"{print $$2}' $$($(GO) list -m -f '{{.GoMod}}' modernc.org/sqlite)); \
	have=$$($(GO) list -m -f '{{.Version}}' modernc.org/libc); \
	if [ "$$want" != "$$have" ]; then echo "modernc.org/libc is $$have, sqlite needs $$want"; exit 1; fi

# Building buf takes minutes: it is done only when what the generated files are made from has changed.
generated:
	@have=$$(cat schema/gen/STAMP 2>/dev/null); want=$$(schema/stamp.sh); \
	if [ "$$have" = "$$want" ]; then echo "generated files are current"; else $(MAKE) generate && git diff --exit-code -- schema/gen; fi

cross:
	GOOS=linux GOARCH=amd64 $(GO) build ./...
	GOOS=linux GOARCH=arm64 $(GO) build ./...
	GOOS=windows GOARCH=amd64 $(GO) build ./...

generate: ## the Go code of schema/proto, and the base model of matching
	$(GO) run ./cmd/rig/matchbase hq/match/base.json.gz
	@bin=$$(mktemp -d) && trap 'rm -rf "$$bin"' EXIT && \
	$(GO) build -modfile=schema/tools.mod -o "$$bin/" github.com/bufbuild/buf/cmd/buf connectrpc.com/connect/cmd/protoc-gen-connect-go && \
	$(GO) build -o "$$bin/" google.golang.org/protobuf/cmd/protoc-gen-go && \
	cd schema && PATH="$$bin:$$PATH" && buf lint && rm -rf gen && buf generate && ./stamp.sh > gen/STAMP

sim: build ## the simulator: SEEDS seeds from SEED on
	./branchline sim --seeds $(SEEDS) --seed $(SEED)

bench: build ## the benchmark, each figure beside its raw ceiling (up to 12 minutes)
	./branchline bench --json

fuzz: ## every fuzz target for a minute
	@for p in $$($(GO) list ./...); do \
	  for f in $$($(GO) test -list '^Fuzz' $$p 2>/dev/null | grep '^Fuzz'); do \
	    echo "$$p $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime 60s $$p || exit 1; done; done

soak: ## the long faults with real processes
	BRANCHLINE_SOAK=1 $(GO) test -timeout 60m -run 'Soak' -v ./cmd/...

release: ## binaries of all targets in dist/
	@mkdir -p dist
	GOOS=linux GOARCH=amd64 $(GO) build -ldflags '$(LDFLAGS)' -o dist/branchline-linux-amd64 ./cmd/branchline
	GOOS=linux GOARCH=arm64 $(GO) build -ldflags '$(LDFLAGS)' -o dist/branchline-linux-arm64 ./cmd/branchline
	GOOS=windows GOARCH=amd64 $(GO) build -ldflags '$(LDFLAGS)' -o dist/branchline-windows-amd64.exe ./cmd/branchline

clean: ## what building left
	rm -rf branchline dist
