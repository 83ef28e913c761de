# Kube Scheduler. `make run` and `make test` set up everything they need by themselves on Debian 12.
#   deps      install the Debian packages that are missing (build); says which
#   all       build/kube-scheduler
#   run       the daemon on schedule.yml.sample, with no cluster
#   test      unit, Lua and integration tests; SANITIZE=1 with address and undefined behaviour checks
#   test-cluster   the same daemon on a real Kubernetes (KUBECONFIG, or KUBEBUILDER_ASSETS)
#   test-chaos     two daemons on a real control plane while everything fails; SECONDS=180 SEED=random JOBS=200
#   screenshots    pictures of the dashboard, into build/screenshots
#   image     a container image FROM scratch in build/image: scripts/deploy/README.md
#   deb       build/kube-scheduler_VERSION_ARCHITECTURE.deb, for the local executor: scripts/deploy/README.md
#   manifests     scripts/deploy/kubernetes.yml from the Helm chart
#   fuzz      each tests/fuzz/FOLDER_fuzz.c on core/FOLDER for FUZZ_SECONDS
#   libcron   the cron engine alone: build/libcron/libcron.a and include/
#   bench, bench-cluster     timings beside a peer    lint, format    install (PREFIX, DESTDIR)    clean
VERSION := 0.1.0
PREFIX ?= /usr/local
SANITIZE ?=
SHELL := /bin/bash

ifeq ($(SANITIZE),1)
BUILD := build/sanitize
MODE_CFLAGS := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined
MODE_LDFLAGS := -fsanitize=address,undefined
else
BUILD := build
# The paths in it do not depend on where it is built.
MODE_CFLAGS := -O2 -g -D_FORTIFY_SOURCE=2 -ffile-prefix-map=$(CURDIR)=.
MODE_LDFLAGS :=
endif

PACKAGES := lua5.4 libcurl yaml-0.1 yajl lua5.4-cjson openssl libuv sqlite3 libedit libmicrohttpd
PKG_CFLAGS = $(shell pkg-config --cflags $(PACKAGES) 2>/dev/null)
PKG_LIBS = $(shell pkg-config --libs $(PACKAGES) 2>/dev/null)

CC := gcc
WARNINGS := -Wall -Wextra -Werror -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla \
            -Wformat=2 -Wundef -Wpointer-arith
HARDENING := -fstack-protector-strong -fstack-clash-protection -fcf-protection -fPIE
CFLAGS_ALL = -std=c11 -D_GNU_SOURCE -Icore $(PKG_CFLAGS) $(WARNINGS) $(HARDENING) $(MODE_CFLAGS) \
             -DKS_VERSION='"$(VERSION)"' -MMD -MP $(CFLAGS)
LDFLAGS_ALL = -pie -Wl,-z,relro,-z,now -Wl,-E $(MODE_LDFLAGS) $(WRAP:%=-Wl,--wrap=%) $(LDFLAGS)

CORE_C := $(wildcard core/*/*.c)
CORE_O := $(CORE_C:%.c=$(BUILD)/%.o) $(BUILD)/embed.o
LUA_FILES := $(shell find lua scripts -name '*.lua' -not -path '*-samples/*' 2>/dev/null | LC_ALL=C sort)
PAGE_FILES := $(sort $(wildcard core/http/page/*.html core/http/page/*.css core/http/page/*.js core/http/page/*.svg))
COMPLETIONS := $(sort $(wildcard scripts/completion/*))
UNIT_C := $(wildcard tests/unit/*_test.c)
UNIT := $(UNIT_C:%.c=$(BUILD)/%)
DRIVERS := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/integration/*_driver.c))
BINARY := $(BUILD)/kube-scheduler

.PHONY: deps deps-test deps-fuzz deps-lint all run test screenshots test-cluster test-chaos bench bench-cluster lint format install install-files clean libcron fuzz fuzzers
.DELETE_ON_ERROR:
.SECONDARY:

all: deps
	@$(MAKE) --no-print-directory binary

deps:
	@vendor/install build
deps-test:
	@vendor/install build deb test
deps-deb:
	@vendor/install build deb
deps-fuzz:
	@vendor/install build fuzz
deps-lint:
	@vendor/install build lint

.PHONY: binary unit-binaries
binary: $(BINARY)
unit-binaries: $(UNIT) $(DRIVERS) $(BUILD)/tests/sim/faults

$(BINARY): $(BUILD)/core/main.o $(CORE_O)
	@echo '  LINK $@'
	@$(CC) $(LDFLAGS_ALL) -o $@ $^ $(PKG_LIBS)

$(BUILD)/%.o: %.c Makefile
	@mkdir -p $(@D)
	@echo '  CC $<'
	@$(CC) $(CFLAGS_ALL) -c -o $@ $<

# Bundled Lua and the dashboard are part of the binary: one symbol a file, made by the assembler.
$(BUILD)/embed.c: $(LUA_FILES) $(PAGE_FILES) $(COMPLETIONS) vendor/embed Makefile
	@mkdir -p $(@D)
	vendor/embed $(LUA_FILES) $(PAGE_FILES) $(COMPLETIONS) >$@
$(BUILD)/embed.o: $(BUILD)/embed.c
	@$(CC) $(CFLAGS_ALL) -c -o $@ $<

# These tests play the API server, its watches, the output of containers, the clock and the log.
EXECUTOR_TESTS := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/unit/kube_executor_*_test.c))
$(EXECUTOR_TESTS): WRAP := kube_send kube_cancel watch_start watch_free pod_log_follow pod_log_finish pod_log_free \
    timer_new timer_start timer_stop timer_free log_event
$(EXECUTOR_TESTS): $(BUILD)/tests/unit/executor_fixture.o

$(BUILD)/tests/bench/run_bench: WRAP := kube_send kube_cancel kube_client_loop watch_start

# Here a world of Lua tables plays the API server.
$(BUILD)/tests/sim/faults: WRAP := kube_client_new kube_client_free kube_client_config kube_client_loop \
    kube_client_skew kube_send kube_cancel
$(BUILD)/tests/sim/faults: $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/sim/*.c)) $(CORE_O)
	@echo '  LINK $@'
	@$(CC) $(LDFLAGS_ALL) -o $@ $^ $(PKG_LIBS)

$(BUILD)/tests/unit/%_test: $(BUILD)/tests/unit/%_test.o $(CORE_O)
	@echo '  LINK $@'
	@$(CC) $(LDFLAGS_ALL) -o $@ $^ $(PKG_LIBS) -lcmocka

$(DRIVERS): $(BUILD)/%: $(BUILD)/%.o $(CORE_O)
	@echo '  LINK $@'
	@$(CC) $(LDFLAGS_ALL) -o $@ $^ $(PKG_LIBS)

run: all
	@$(BINARY) run --schedule-name schedule.yml.sample --executor local

test: deps-test
	@$(MAKE) --no-print-directory binary unit-binaries
	@BUILD=$(BUILD) tests/run

test-cluster: deps-test
	@$(MAKE) --no-print-directory binary
	@BUILD=$(BUILD) tests/cluster/run

test-chaos: deps-test
	@$(MAKE) --no-print-directory binary
	@BUILD=$(BUILD) tests/chaos/run --mutants $(if $(SECONDS),--seconds $(SECONDS)) $(if $(SEED),--seed $(SEED)) $(if $(JOBS),--jobs $(JOBS))

screenshots: deps-test
	@$(MAKE) --no-print-directory binary
	@BUILD=$(BUILD) tests/browser/screenshots.py $(BUILD)/screenshots

image: deps
	@$(MAKE) --no-print-directory binary
	@BUILD=$(BUILD) scripts/deploy/image

.PHONY: deb manifests
deb: deps-deb
	@$(MAKE) --no-print-directory binary
	@BUILD=$(BUILD) scripts/deploy/deb
manifests:
	@scripts/deploy/manifests >scripts/deploy/kubernetes.yml.new && mv scripts/deploy/kubernetes.yml.new scripts/deploy/kubernetes.yml

FUZZ_SECONDS ?= 60
FUZZERS := $(patsubst tests/fuzz/%_fuzz.c,build/fuzz/%,$(wildcard tests/fuzz/*_fuzz.c))
fuzz: deps-fuzz
	@$(MAKE) --no-print-directory fuzzers
	@$(foreach f,$(FUZZERS),mkdir -p $f.corpus && $f -max_len=4096 -max_total_time=$(FUZZ_SECONDS) \
	    -artifact_prefix=$f- $f.corpus $(FUZZ_SEEDS_$(notdir $f)) &&) true
fuzzers: $(FUZZERS)
FUZZ_FOLDER_tzif := cron
FUZZ_SEEDS_tzif := /usr/share/zoneinfo/America
build/fuzz/%: tests/fuzz/%_fuzz.c $(wildcard core/*/*.[ch])
	@mkdir -p $(@D)
	clang -std=c11 -D_GNU_SOURCE -Icore -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined \
	    $(PKG_CFLAGS) -o $@ $< $(wildcard core/$(or $(FUZZ_FOLDER_$*),$*)/*.c) $(wildcard core/base/*.c) $(PKG_LIBS) -lm

LIBCRON_O := $(patsubst %.c,$(BUILD)/%.o,$(wildcard core/cron/*.c) core/base/buf.c core/base/err.c)
libcron: $(BUILD)/libcron/libcron.a
$(BUILD)/libcron/libcron.a: $(LIBCRON_O)
	@install -D -t $(@D)/include/cron -m 644 core/cron/cron.h
	@install -D -t $(@D)/include/base -m 644 core/base/buf.h core/base/err.h
	@rm -f $@
	ar rcs $@ $^

$(BUILD)/tests/bench/%_bench: $(BUILD)/tests/bench/%_bench.o $(CORE_O)
	@echo '  LINK $@'
	@$(CC) $(LDFLAGS_ALL) -o $@ $^ $(PKG_LIBS)
$(BUILD)/tests/bench/%_peer: $(BUILD)/tests/bench/%_peer.o
	@$(CC) $(LDFLAGS_ALL) -o $@ $^ $(PKG_LIBS)

bench: all
	@$(MAKE) --no-print-directory $(patsubst %.c,$(BUILD)/%,$(wildcard tests/bench/*_bench.c tests/bench/*_peer.c))
	@BUILD=$(BUILD) tests/bench/run
bench-cluster: binary
	@BUILD=$(BUILD) tests/bench/cluster/run

# C is held to .clang-format and .clang-tidy, Lua to .luacheckrc. clang-tidy takes minutes: what has not changed
# since it passed is not looked at again.
lint: deps-lint
	clang-format --dry-run --Werror $(shell git ls-files '*.c' '*.h')
	luacheck --quiet lua scripts tests/lua tests/sim
	@$(MAKE) --no-print-directory -j2 tidy
.PHONY: tidy
tidy: $(patsubst %.c,build/lint/%,$(wildcard core/*/*.c) core/main.c)
TIDY_CFLAGS = -std=c11 -D_GNU_SOURCE -Icore $(PKG_CFLAGS) -DKS_VERSION='"$(VERSION)"'
build/lint/%: %.c .clang-tidy
	@mkdir -p $(@D)
	@echo '  TIDY $<'
	@clang-tidy --quiet $< -- $(TIDY_CFLAGS) 2>$@.log || { cat $@.log >&2; exit 1; }
	@$(CC) $(TIDY_CFLAGS) -MM -MP -MT $@ -MF $@.d $<
	@touch $@

format: deps-lint
	clang-format -i $(shell git ls-files '*.c' '*.h')

install: all
	@$(MAKE) --no-print-directory install-files
install-files:
	install -D -m 755 $(BINARY) $(DESTDIR)$(PREFIX)/bin/kube-scheduler
	install -D -m 644 scripts/man/kube-scheduler.1 $(DESTDIR)$(PREFIX)/share/man/man1/kube-scheduler.1
	install -D -m 644 scripts/completion/kube-scheduler.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/kube-scheduler
	install -D -m 644 scripts/completion/kube-scheduler.zsh $(DESTDIR)$(PREFIX)/share/zsh/vendor-completions/_kube-scheduler
	install -D -m 644 scripts/completion/kube-scheduler.fish $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/kube-scheduler.fish

clean:
	rm -rf build

-include $(shell find build -type f -name '*.d' 2>/dev/null)
