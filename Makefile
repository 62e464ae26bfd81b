# Submitter: a grading service's back end. `make help` lists what can be made.

VERSION := 0.1.0

BUILD   ?= build
CC      ?= gcc
PREFIX  ?= /usr/local
DESTDIR ?=
LUADIR  ?= $(PREFIX)/share/submitter/lua

WARNINGS := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla
OPTIMIZE := -O2 -g
HARDEN   := -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIE
SANITIZE ?=

ifneq ($(SANITIZE),)
OPTIMIZE := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
HARDEN   :=
endif

CFLAGS_ALL = -std=gnu11 -D_GNU_SOURCE -DSUBMITTER_VERSION='"$(VERSION)"' $(WARNINGS) $(OPTIMIZE) $(HARDEN) \
             $(CFLAGS) -MMD -MP
LDFLAGS_ALL = $(LDFLAGS) $(if $(SANITIZE),-fsanitize=address$(comma)undefined,-pie -Wl$(comma)-z$(comma)relro$(comma)-z$(comma)now)
comma := ,

# ---- what the machine must have -------------------------------------------------------------------------------------

PACKAGES_BUILD := gcc libc6-dev make pkg-config liblua5.4-dev libuv1-dev libseccomp-dev libssl-dev lua-cjson \
                  lua-argparse python3-minimal
PACKAGES_TEST  := lua-busted python3
PACKAGES_LINT  := lua5.4 clang clang-format clang-tidy cppcheck lua-check shellcheck

# Installs what is missing of the packages named (as root), or prints the one line to run. $(1): packages
define need
@missing=; for package in $(1); do \
    dpkg-query -W -f '$${db:Status-Status}' $$package 2>/dev/null | grep -qx installed || missing="$$missing $$package"; \
done; \
if [ -n "$$missing" ]; then \
    if ! command -v apt-get >/dev/null; then \
        echo "These packages of Debian (or what your system calls them) are needed:$$missing" >&2; exit 3; \
    elif [ "$$(id -u)" = 0 ]; then \
        echo "installing:$$missing"; \
        { apt-get install -y -qq --no-install-recommends $$missing </dev/null >/dev/null 2>&1 || \
          { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing \
            </dev/null >/dev/null; }; } || exit 3; \
    else \
        echo "Packages are missing. Run this, then make again:" >&2; \
        echo "    sudo apt-get install -y --no-install-recommends$$missing" >&2; exit 3; \
    fi; \
fi
endef

# ---- programs -------------------------------------------------------------------------------------------------------

HOST_SOURCES    := csrc/main.c $(wildcard csrc/bind/*.c csrc/host/*.c csrc/io/*.c csrc/protocol/*.c csrc/base/*.c)
SANDBOX_SOURCES := $(wildcard csrc/sandbox/*.c)
RUNNER_SOURCES  := $(wildcard csrc/runner/*.c csrc/protocol/*.c)
PROGRAMS        := $(BUILD)/submitter $(BUILD)/submitter-sandbox $(BUILD)/submitter-runner

objects = $(patsubst csrc/%.c,$(BUILD)/obj/%.o,$(1))

HOST_PACKAGES := lua5.4 libuv libcrypto

.DEFAULT_GOAL := all
.PHONY: all
all: packages-build programs

.PHONY: programs
programs: $(PROGRAMS)

.PHONY: packages-build packages-test packages-lint
packages-build:
	$(call need,$(PACKAGES_BUILD))
packages-test:
	$(call need,$(PACKAGES_BUILD) $(PACKAGES_TEST))
packages-lint:
	$(call need,$(PACKAGES_BUILD) $(PACKAGES_TEST) $(PACKAGES_LINT))

$(call objects,$(HOST_SOURCES)): PACKAGES := $(HOST_PACKAGES)
$(call objects,$(SANDBOX_SOURCES)): PACKAGES := libseccomp

$(BUILD)/obj/%.o: csrc/%.c Makefile
	@mkdir -p $(@D)
	@echo "  compile $<"
	@$(CC) $(CFLAGS_ALL) $(if $(PACKAGES),$$(pkg-config --cflags $(PACKAGES))) -c -o $@ $<

$(BUILD)/submitter: $(call objects,$(HOST_SOURCES))
	@echo "  link    $@"
	@$(CC) $(LDFLAGS_ALL) -o $@ $^ $$(pkg-config --libs $(HOST_PACKAGES)) -Wl,--export-dynamic

$(BUILD)/submitter-sandbox: $(call objects,$(SANDBOX_SOURCES))
	@echo "  link    $@"
	@$(CC) $(LDFLAGS_ALL) -o $@ $^ $$(pkg-config --libs libseccomp)

# Static: it starts faster, and fits any root or image.
$(BUILD)/submitter-runner: $(call objects,$(RUNNER_SOURCES))
	@echo "  link    $@"
	@$(CC) $(if $(SANITIZE),$(LDFLAGS_ALL),$(LDFLAGS) -static) -o $@ $^

-include $(wildcard $(BUILD)/obj/*.d $(BUILD)/obj/*/*.d)

# ---- tests ----------------------------------------------------------------------------------------------------------

# All that isn't a main, in one archive, and what the tests share: a test takes what it needs.
TESTED_SOURCES := $(filter-out %/main.c,$(SANDBOX_SOURCES) $(wildcard csrc/protocol/*.c csrc/base/*.c)) csrc/io/text.c csrc/io/pattern.c
TEST_SUPPORT   := $(filter-out $(wildcard csrc/test/test_*.c csrc/test/fuzz_*.c),$(wildcard csrc/test/*.c))
TEST_PROGRAMS  := $(patsubst csrc/test/%.c,$(BUILD)/test/%,$(wildcard csrc/test/test_*.c))

$(BUILD)/obj/tested.a: $(call objects,$(TESTED_SOURCES) $(TEST_SUPPORT))
	@rm -f $@ && ar rcs $@ $^

$(BUILD)/test/%: $(BUILD)/obj/test/%.o $(BUILD)/obj/tested.a
	@mkdir -p $(@D)
	@echo "  link    $@"
	@$(CC) $(LDFLAGS_ALL) -o $@ $^ $$(pkg-config --libs libseccomp)

.SECONDARY: $(patsubst csrc/%.c,$(BUILD)/obj/%.o,$(wildcard csrc/test/*.c))

RUN   := $(BUILD)/submitter run
SUITE := SUBMITTER_BUILD=$(BUILD) spec/suites.sh $(BUILD)/logs
C_SUITES := $(foreach program,$(TEST_PROGRAMS),'$(notdir $(program)): $(program)')

.PHONY: test
test: packages-test programs $(TEST_PROGRAMS)
	@$(SUITE) $(C_SUITES) \
	    'specs: $(RUN) spec/run.lua' \
	    'attacks: $(RUN) spec/sandbox/run.lua' \
	    'attacks-rlimit: $(RUN) spec/sandbox/run.lua --accounting rlimit' \
	    'crowd: $(RUN) spec/integration/crowd.lua 60' \
	    'bad-input: $(RUN) spec/integration/bad_input.lua' \
	    'kill: $(RUN) spec/integration/kill.lua 5 24'

# What takes longer: a class of 200 with two workers, twenty kills, the other compiler, the installed tree.
.PHONY: test-peers
test-peers: packages-lint programs
	$(call need,luarocks git)
	@$(SUITE) 'crowd-200: $(RUN) spec/integration/crowd.lua 200' \
	    'kill-20: $(RUN) spec/integration/kill.lua 20 60' \
	    'installed: spec/integration/installed.sh $(BUILD)' \
	    'clang: $(MAKE) BUILD=$(BUILD)/clang CC=clang programs && echo "1 passed, 0 failed"'

# The specs and C tests under AddressSanitizer and UndefinedBehaviorSanitizer.
.PHONY: sanitize sanitize-run
sanitize: packages-test
	@$(MAKE) BUILD=$(BUILD)/sanitize SANITIZE=1 sanitize-run
sanitize-run: programs $(TEST_PROGRAMS)
	@ASAN_OPTIONS=detect_leaks=1:abort_on_error=1 UBSAN_OPTIONS=print_stacktrace=1 $(SUITE) \
	    $(C_SUITES) 'specs: $(RUN) spec/run.lua'

# Twenty faults, one at a time: each must turn a test red.
.PHONY: faults
faults: packages-test programs
	@$(RUN) spec/faults.lua

FUZZ_SECONDS ?= 20
FUZZERS := $(patsubst csrc/test/%.c,$(BUILD)/fuzz/%,$(wildcard csrc/test/fuzz_*.c))

$(BUILD)/fuzz/%: csrc/test/%.c $(TESTED_SOURCES)
	@mkdir -p $(@D)
	@echo "  fuzzer  $@"
	@clang -std=gnu11 -D_GNU_SOURCE -O1 -g -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
	    $$(pkg-config --cflags libseccomp) -o $@ $< $(TESTED_SOURCES) $$(pkg-config --libs libseccomp)

.PHONY: fuzz
fuzz:
	$(call need,$(PACKAGES_BUILD) clang libclang-rt-14-dev)
	@$(MAKE) $(FUZZERS)
	@for fuzzer in $(FUZZERS); do \
	    name=$$(basename $$fuzzer); new=$(BUILD)/fuzz/corpus/$$name; mkdir -p $$new; echo "== $$name"; \
	    if $$fuzzer -max_total_time=$(FUZZ_SECONDS) -timeout=10 -print_final_stats=1 -artifact_prefix=$$new- $$new \
	        $$([ -d spec/regress/$$name ] && echo spec/regress/$$name) >$(BUILD)/fuzz/$$name.log 2>&1; \
	    then grep -E "^Done" $(BUILD)/fuzz/$$name.log; \
	    else tail -n 40 $(BUILD)/fuzz/$$name.log; echo "$$name: a finding; the input is in $(BUILD)/fuzz/corpus/" >&2; exit 1; fi; \
	done

.PHONY: demo
demo: packages-build programs
	@$(RUN) spec/demo.lua

.PHONY: bench
bench: packages-build programs
	$(call need,lua5.4)
	@$(RUN) spec/bench/bench.lua

# ---- order ----------------------------------------------------------------------------------------------------------

C_FILES := $(wildcard csrc/*.c csrc/*/*.c csrc/*/*.h)

# The path-sensitive analyzer doesn't know that luaL_error never returns: it sees the rooms without Lua.
USING_LUA := csrc/main.c $(wildcard csrc/bind/*.c csrc/host/*.c)
ANALYZED  := $(wildcard csrc/base/*.c csrc/io/*.c csrc/protocol/*.c csrc/sandbox/*.c csrc/runner/*.c)
TIDY_FLAGS = -std=gnu11 -D_GNU_SOURCE -DSUBMITTER_VERSION=\"x\" $$(pkg-config --cflags $(HOST_PACKAGES) libseccomp)

.PHONY: lint
lint: packages-lint
	@$(SUITE) 'format: clang-format --dry-run -Werror $(C_FILES) && echo "1 passed, 0 failed"' \
	    'luacheck: luacheck -q --no-color lua spec rockspec/*.rockspec && echo "1 passed, 0 failed"' \
	    'shellcheck: shellcheck .ci/run spec/*.sh spec/*/*.sh && echo "1 passed, 0 failed"' \
	    'layers: lua5.4 spec/layers.lua' \
	    'cppcheck: cppcheck -q --error-exitcode=1 --std=c11 --inline-suppr --enable=warning,portability \
	        --suppress=missingInclude -DSUBMITTER_VERSION=\"x\" -D__x86_64__ -D__linux__ csrc && echo "1 passed, 0 failed"' \
	    'clang-tidy: clang-tidy --quiet --warnings-as-errors=* $(ANALYZED) -- $(TIDY_FLAGS) && echo "1 passed, 0 failed"' \
	    'clang-tidy-lua: clang-tidy --quiet --warnings-as-errors=* --checks=-clang-analyzer-* $(USING_LUA) -- $(TIDY_FLAGS) \
	        && echo "1 passed, 0 failed"'

.PHONY: format
format:
	clang-format -i $(C_FILES)

.PHONY: install
install: programs
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(LUADIR)
	install -m 0755 $(PROGRAMS) $(DESTDIR)$(PREFIX)/bin
	cp -R lua/. $(DESTDIR)$(LUADIR)/

.PHONY: clean
clean:
	rm -rf $(BUILD)

.PHONY: help
help:
	@echo "make             build the programs into $(BUILD)/"
	@echo "make demo        grade the fixtures on the embedded default and show the reports"
	@echo "make test        C tests, specs, attack suite, embedded integration"
	@echo "make test-peers  what takes longer or needs more: 200 submissions, 20 kills, the other compiler, installation"
	@echo "make lint        format, luacheck, shellcheck, cppcheck, clang-tidy, who may call whom"
	@echo "make sanitize    C tests and specs under ASan and UBSan"
	@echo "make fuzz        the parsers, FUZZ_SECONDS=$(FUZZ_SECONDS) each"
	@echo "make faults      seeds twenty faults, each must turn a test red"
	@echo "make bench       figures against a bare interpreter, in one run"
	@echo "make install     PREFIX=$(PREFIX), DESTDIR"
	@echo "make format      clang-format"
	@echo "make clean       removes $(BUILD)/"
