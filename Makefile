# Submitter: a grading service's back end. `make help` lists what can be made.

VERSION := 0.1.0

BUILD   ?= build
CC      ?= gcc
PREFIX  ?= /usr/local
DESTDIR ?=

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
PACKAGES_TEST  := lua-busted
PACKAGES_LINT  := clang clang-format clang-tidy cppcheck lua-check shellcheck

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
