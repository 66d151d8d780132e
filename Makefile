# kdive: build, run on the bundled dump, test. Only Go and make are needed.
GO ?= go
BIN := bin/kdive
DUMP := testdata/tiny/vmlinux.zst testdata/tiny/vmcore.kdump
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)

.PHONY: build run test check bench fuzz compare docs clean

build:
	$(GO) build -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o $(BIN) ./cmd/kdive

# On a terminal: an interactive prompt. Without one: the tour, played to its end.
run: build
	@if [ -t 0 ] && [ -t 1 ]; then $(BIN) $(DUMP); else $(BIN) -i testdata/tour/tour.kdive $(DUMP) </dev/null; fi

test:
	$(GO) test ./...

# What must be clean before a commit.
check:
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); echo "gofmt: the files above"; exit 1; }
	$(GO) vet ./...
	$(GO) tool staticcheck ./...

bench:
	$(GO) test -run '^$$' -bench . -benchmem ./...

# Every fuzz target for FUZZTIME each.
FUZZTIME ?= 30s
fuzz:
	@set -e; for p in $$($(GO) list ./...); do for f in $$($(GO) test -list '^Fuzz' $$p | grep '^Fuzz' || true); do \
		echo "$$p $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) $$p; done; done

# Against crash and drgn on real dumps; see compare/README.md.
compare: build
	compare/run

docs: build
	$(BIN) manual > docs/commands.md

clean:
	rm -rf bin
