# What a developer runs. `make check` is what must be green before a change lands.
GO          ?= go
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
# Packages with concurrency: what the race detector is run on.
CONCURRENT  := ./dht/... ./mesh/link/... ./node/... ./sdk/... ./internal/sim/... ./internal/simmesh/... ./internal/localmesh/...
FUZZTIME    ?= 10s
# How many schedules of faults make soak plays, from which seed on, and for how long at most (0s: until all are played).
SEEDS       ?= 1000
FIRST       ?= 1
TIME        ?= 0s

.PHONY: all build test check race fuzz bench generate fmt-check drift-check smoke soak

all: build

build:
	$(GO) build -o bin/virga ./cmd/virga
	$(GO) build -o bin/virgad ./cmd/virgad

test:
	$(GO) test ./...

check: fmt-check drift-check
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...
	$(GO) test ./...

fmt-check:
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); \
	if [ -n "$$unformatted" ]; then echo "not formatted by gofmt:"; echo "$$unformatted"; exit 1; fi

generate:
	$(GO) run ./internal/protogen mesh/wire/pb

# Generated code must be what its sources give.
drift-check:
	@before=$$(cat mesh/wire/pb/*.pb.go | cksum); $(MAKE) -s generate; after=$$(cat mesh/wire/pb/*.pb.go | cksum); \
	if [ "$$before" != "$$after" ]; then echo "mesh/wire/pb was not generated from its .proto files: commit what make generate made"; exit 1; fi

race:
	$(GO) test -race $(CONCURRENT)

# Each fuzz target for FUZZTIME.
fuzz:
	@for package in $$($(GO) list ./...); do \
		for target in $$($(GO) test -list '^Fuzz' $$package | grep '^Fuzz'); do \
			echo "$$package $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$package || exit 1; \
		done; \
	done

bench: build
	bin/virga bench all

# One command starts a mesh, the README's session runs over it, one command stops it.
smoke:
	.ci/smoke

# Seeded schedules of faults on simulated meshes: see internal/soak.
soak:
	$(GO) test ./internal/soak -run TestSeeds -timeout 24h -seeds $(SEEDS) -first $(FIRST) -lasting $(TIME) -only ""
