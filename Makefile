# What a developer runs. `make check` is what must be green before a change lands.
GO          ?= go
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
# Packages with concurrency: what the race detector is run on.
CONCURRENT  := ./dht/... ./mesh/link/... ./node/... ./sdk ./sdk/meshtest/... ./sdk/worker/... ./internal/sim/... ./internal/simmesh/... ./internal/localmesh/...
FUZZTIME    ?= 10s
# How many schedules of faults make soak and make soak-runs play, and from which seed on. TIME bounds it, and is how long make chaos lasts.
SEEDS       ?= 1000
FIRST       ?= 1
# How many elements make chaos-adds adds, and how many nodes it kills meanwhile.
ADDS        ?= 100000
KILLS       ?= 10

.PHONY: all build test check race fuzz bench generate fmt-check drift-check smoke soak soak-runs chaos chaos-adds

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

# Not TestBatches: what it moves takes longer under the detector than a request may.
race:
	$(GO) test -race -timeout 30m -skip '^TestBatches$$' $(CONCURRENT)

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
	$(GO) test ./internal/soak -run TestSeeds -timeout 24h -seeds $(SEEDS) -first $(FIRST) -lasting $(or $(TIME),0s)

# Random DAGs on simulated meshes while nodes die and are cut off: see internal/soak/dags.
# Each schedule makes its meshes anew: collecting garbage less often saves an eighth of the time.
soak-runs:
	GOGC=400 $(GO) test ./internal/soak/dags -run TestSeeds -timeout 24h -seeds $(SEEDS) -first $(FIRST) -lasting $(or $(TIME),0s)

# Processes under load, while one fault after another befalls them: see internal/nemesis.
chaos:
	$(GO) run ./internal/nemesis/chaos --time $(or $(TIME),60s)

chaos-adds:
	$(GO) run ./internal/nemesis/chaos --adds $(ADDS) --kills $(KILLS)
