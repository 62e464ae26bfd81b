# Submitter: a grading service's back end. `make help` lists what can be made.

VERSION := 0.1.0

BUILD   ?= build
CC      ?= gcc
PREFIX  ?= /usr/local
DESTDIR ?=
LUADIR  ?= $(PREFIX)/share/submitter/lua
SQLDIR  ?= $(PREFIX)/share/submitter/postgres
UNITDIR ?= $(PREFIX)/lib/systemd/system

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

PACKAGES_BUILD := gcc libc6-dev make pkg-config liblua5.4-dev libuv1-dev libseccomp-dev libssl-dev \
                  libcurl4-openssl-dev libpq-dev lua-cjson lua-expat lua-argparse python3-minimal
PACKAGES_TEST  := lua-busted python3 uidmap openssl nghttp2-server
PACKAGES_V2    := qemu-system-x86 mmdebstrap busybox-static e2fsprogs cpio
PACKAGES_PEERS := postgresql postgresql-client exim4-daemon-light radosgw ceph-mon ceph-osd ceph-common ceph-base $(if $(shell command -v npm),,npm)
# An engine that comes from elsewhere is left alone: Debian's package would take its place.
has = $(shell PATH=/usr/sbin:/usr/bin:/sbin:/bin command -v $(1))
PACKAGES_CONTAINERS := mmdebstrap $(if $(call has,dockerd),,docker.io) $(if $(call has,podman),,podman containernetworking-plugins) \
                       $(if $(call has,runc),,runc)
# What reads docker/k8s and docker/systemd.
PACKAGES_DEPLOYMENT := systemd $(if $(call has,kubectl),,kubernetes-client)
# Compose, which reads docker/compose.yaml, and what reads what it prints.
PACKAGES_COMPOSE := docker-compose python3-yaml
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

HOST_SOURCES    := csrc/main.c $(wildcard csrc/bind/*.c csrc/host/*.c csrc/io/*.c csrc/aws/*.c csrc/protocol/*.c csrc/base/*.c)
SANDBOX_SOURCES := $(wildcard csrc/sandbox/*.c)
RUNNER_SOURCES  := $(wildcard csrc/runner/*.c csrc/protocol/*.c)
FILTERS         := $(BUILD)/obj/filters/filters.c
PROGRAMS        := $(BUILD)/submitter $(BUILD)/submitter-sandbox $(BUILD)/submitter-runner
# For containers' engines: what of the kernel a container with the sandbox in it may use.
PROFILE         := $(BUILD)/seccomp.json

objects = $(patsubst csrc/%.c,$(BUILD)/obj/%.o,$(1))

HOST_PACKAGES := lua5.4 libuv libcrypto
# Of two the headers only: the host loads them when it first needs them (csrc/io/curl_library.h, pq_library.h).
HOST_HEADERS  := $(HOST_PACKAGES) libcurl libpq

.DEFAULT_GOAL := all
.PHONY: all
all: packages-build programs

.PHONY: programs
programs: $(PROGRAMS) $(PROFILE)

# The two programs of an image in which submissions run, and what its engine is given: docker/runner.Dockerfile. Needs gcc, make,
# pkg-config, libseccomp's and the C library's files for building, and nothing else of this machine's.
.PHONY: walls
walls: $(BUILD)/submitter-sandbox $(BUILD)/submitter-runner $(PROFILE)

.PHONY: packages-build packages-test packages-lint
packages-build:
	$(call need,$(PACKAGES_BUILD))
packages-test:
	$(call need,$(PACKAGES_BUILD) $(PACKAGES_TEST))
packages-lint:
	$(call need,$(PACKAGES_BUILD) $(PACKAGES_TEST) $(PACKAGES_LINT))

$(call objects,$(HOST_SOURCES)): PACKAGES := $(HOST_HEADERS)
$(BUILD)/obj/sandbox/rules/rules.o: PACKAGES := libseccomp

$(BUILD)/obj/%.o: csrc/%.c Makefile
	@mkdir -p $(@D)
	@echo "  compile $<"
	@$(CC) $(CFLAGS_ALL) $(if $(PACKAGES),$$(pkg-config --cflags $(PACKAGES))) -c -o $@ $<

$(BUILD)/submitter: $(call objects,$(HOST_SOURCES))
	@echo "  link    $@"
	@$(CC) $(LDFLAGS_ALL) -o $@ $^ $$(pkg-config --libs $(HOST_PACKAGES)) -Wl,--export-dynamic

# These two are static: they start faster, and fit any root or image.
LINK_STATIC = $(CC) $(if $(SANITIZE),$(LDFLAGS_ALL),$(LDFLAGS) -static)

$(BUILD)/submitter-sandbox: $(call objects,$(SANDBOX_SOURCES)) $(FILTERS:.c=.o)
	@echo "  link    $@"
	@$(LINK_STATIC) -o $@ $^

$(BUILD)/submitter-runner: $(call objects,$(RUNNER_SOURCES))
	@echo "  link    $@"
	@$(LINK_STATIC) -o $@ $^

# libseccomp compiles the system call filters here, once: for each sandbox anew it would take it 3 ms.
$(BUILD)/obj/filters/rules: $(call objects,$(wildcard csrc/sandbox/rules/*.c))
	@mkdir -p $(@D)
	@$(CC) $(LDFLAGS_ALL) -o $@ $^ $$(pkg-config --libs libseccomp)

$(FILTERS): $(BUILD)/obj/filters/rules
	@echo "  filters $@"
	@$< >$@.new && mv $@.new $@

$(PROFILE): $(BUILD)/obj/filters/rules
	@echo "  profile $@"
	@$< --container >$@.new && mv $@.new $@

$(FILTERS:.c=.o): $(FILTERS) csrc/sandbox/filter_programs.h
	@$(CC) $(CFLAGS_ALL) -Icsrc/sandbox -c -o $@ $<

-include $(wildcard $(BUILD)/obj/*.d $(BUILD)/obj/*/*.d $(BUILD)/obj/*/*/*.d)

# ---- tests ----------------------------------------------------------------------------------------------------------

# All that isn't a main, in one archive, and what the tests share: a test takes what it needs.
TESTED_SOURCES := $(filter-out %/main.c,$(SANDBOX_SOURCES) $(RUNNER_SOURCES) $(wildcard csrc/base/*.c csrc/aws/*.c)) \
                  csrc/io/text.c csrc/io/pattern.c csrc/io/session.c csrc/io/sandbox_child.c csrc/io/attach_frames.c \
                  csrc/io/http_fields.c csrc/io/postgres_text.c csrc/io/child.c csrc/io/loop.c \
                  csrc/sandbox/rules/container.c csrc/sandbox/rules/lists.c
TEST_LIBRARIES := libseccomp libcrypto libuv
TEST_SUPPORT   := $(filter-out $(wildcard csrc/test/test_*.c csrc/test/fuzz_*.c) csrc/test/replay.c csrc/test/http_server.c, \
                    $(wildcard csrc/test/*.c))
TEST_PROGRAMS  := $(patsubst csrc/test/%.c,$(BUILD)/test/%,$(wildcard csrc/test/test_*.c))

$(BUILD)/obj/tested.a: $(call objects,$(TESTED_SOURCES) $(TEST_SUPPORT)) $(FILTERS:.c=.o)
	@rm -f $@ && ar rcs $@ $^

$(BUILD)/test/%: $(BUILD)/obj/test/%.o $(BUILD)/obj/tested.a
	@mkdir -p $(@D)
	@echo "  link    $@"
	@$(CC) $(LDFLAGS_ALL) -o $@ $^ $$(pkg-config --libs $(TEST_LIBRARIES))

# The fuzz targets without a fuzzer: each kept input once more.
FUZZERS := $(patsubst csrc/test/%.c,%,$(wildcard csrc/test/fuzz_*.c))
REPLAYS := $(FUZZERS:fuzz_%=$(BUILD)/test/replay_%)

$(BUILD)/test/replay_%: $(BUILD)/obj/test/fuzz_%.o $(BUILD)/obj/test/replay.o $(BUILD)/obj/tested.a
	@mkdir -p $(@D)
	@echo "  link    $@"
	@$(CC) $(LDFLAGS_ALL) -o $@ $^ $$(pkg-config --libs $(TEST_LIBRARIES))

.SECONDARY: $(patsubst csrc/%.c,$(BUILD)/obj/%.o,$(wildcard csrc/test/*.c))

RUN   := $(BUILD)/submitter run
# An ordinary user's control groups come from systemd, where there is one: spec/delegated.sh.
SUITE := SUBMITTER_BUILD=$(BUILD) spec/delegated.sh spec/suites.sh $(BUILD)/logs

# A command that needs root, or what only some users have (cgroup, rlimit), or else one skipped test. $(1): need, name, command
where_able = '$(2): if $(RUN) spec/able.lua $(1) $(2); then $(3); fi'
WALLED   := $(BUILD)/test/test_alone $(BUILD)/test/test_runner $(BUILD)/test/test_walls
# Containers in little: they take root.
CONTAINED := $(BUILD)/test/test_container
C_SUITES := $(foreach program,$(filter-out $(WALLED) $(CONTAINED),$(TEST_PROGRAMS)),'$(notdir $(program)): $(program)') \
            $(foreach program,$(WALLED),$(call where_able,cgroup,$(notdir $(program)),$(program)) \
                $(call where_able,rlimit,$(notdir $(program))-rlimit,$(program) --accounting rlimit)) \
            $(call where_able,root,test_container,$(CONTAINED)) \
            $(call where_able,root,test_runner-container,$(BUILD)/test/test_runner --accounting container) \
            $(foreach name,$(FUZZERS:fuzz_%=%),'replay_$(name): $(BUILD)/test/replay_$(name) spec/regress/fuzz_$(name)')

.PHONY: test
test: packages-test programs $(TEST_PROGRAMS) $(REPLAYS)
	@$(SUITE) $(C_SUITES) \
	    'specs: $(RUN) spec/run.lua' \
	    $(call where_able,cgroup,attacks,$(RUN) spec/sandbox/run.lua) \
	    $(call where_able,root,attacks-user,spec/sandbox/as_user.sh $(BUILD) build/submitter run spec/sandbox/run.lua) \
	    $(call where_able,rlimit,attacks-rlimit,$(RUN) spec/sandbox/run.lua --accounting rlimit) \
	    $(call where_able,root,demo-user,spec/integration/ordinary.sh $(BUILD)) \
	    'apparmor: spec/integration/apparmor.sh' \
	    'crowd: $(RUN) spec/integration/crowd.lua 60' \
	    'bad-input: $(RUN) spec/integration/bad_input.lua' \
	    'kill: $(RUN) spec/integration/kill.lua 5 24'

# Servers and clients that other people wrote, put into $(BUILD)/peers: spec/support/README.md.
.PHONY: peers
peers:
	$(call need,$(PACKAGES_PEERS))
	@spec/support/install.sh $(BUILD)/peers

# What starts engines for tests, the image that submissions run in, and the attacks in containers of it.
ENGINE_SUITES := $(call where_able,root,engine,$(RUN) spec/integration/engine.lua) \
                 $(call where_able,root,engine-specs,$(RUN) spec/run.lua spec/with_engine) \
                 $(call where_able,root,runner-image,$(RUN) spec/integration/runner_image.lua) \
                 $(call where_able,root,attacks-docker,$(RUN) spec/sandbox/run.lua --engine docker) \
                 $(call where_able,root,attacks-podman,$(RUN) spec/sandbox/run.lua --engine podman)
# A worker whose programs run in containers, what can go wrong with its engine, and kill -9 of both.
CONTAINER_SUITES := $(call where_able,root,containers,$(RUN) spec/integration/containers.lua) \
                    $(call where_able,root,containers-podman,$(RUN) spec/integration/containers.lua podman 12) \
                    $(call where_able,root,container-faults,$(RUN) spec/integration/container_faults.lua)
KILLS        ?= 8
KILL_SUITES  := $(call where_able,root,kill-engine,$(RUN) spec/integration/kill_engine.lua $(KILLS) 50)
# The worker's image, and the services of docker/compose.yaml.
IMAGE_SUITES := $(call where_able,root,images,$(RUN) spec/integration/images.lua) \
                $(call where_able,root,compose,$(RUN) spec/integration/compose.lua)
.PHONY: images
images: packages-test programs
	$(if $(filter 0,$(shell id -u)),$(call need,$(PACKAGES_CONTAINERS) $(PACKAGES_COMPOSE) postgresql postgresql-client))
	@$(SUITE) $(IMAGE_SUITES)

.PHONY: containers kill-engine
containers: packages-test programs
	$(if $(filter 0,$(shell id -u)),$(call need,$(PACKAGES_CONTAINERS) curl))
	@$(SUITE) $(CONTAINER_SUITES)
kill-engine: packages-test programs
	$(if $(filter 0,$(shell id -u)),$(call need,$(PACKAGES_CONTAINERS)))
	@$(SUITE) $(KILL_SUITES)

.PHONY: engines
engines: packages-test programs
	$(if $(filter 0,$(shell id -u)),$(call need,$(PACKAGES_CONTAINERS)))
	@$(SUITE) $(ENGINE_SUITES)

# docker/k8s against published schemas and the product, a pod without a cluster, docker/systemd by what systemd says of it.
DEPLOYMENT_SUITES := 'manifests: $(BUILD)/peers/node $(BUILD)/peers/manifests.mjs . $(BUILD)/submitter' \
                     $(call where_able,root,pod,$(RUN) spec/integration/pod.lua) \
                     'unit: spec/integration/unit.sh $(BUILD)'
.PHONY: deployment
deployment: packages-test programs peers
	$(call need,$(PACKAGES_DEPLOYMENT) $(if $(filter 0,$(shell id -u)),$(PACKAGES_CONTAINERS)))
	@$(SUITE) $(DEPLOYMENT_SUITES)

# What takes longer, or real parts that a machine may not have: a class of 200 with two workers, twenty kills, the other compiler,
# the installed tree, S3 and SQS with the AWS SDK as the front end, PostgreSQL and a mail server, and the virtual machine of test-v2.
.PHONY: test-peers
test-peers: packages-test packages-lint programs peers $(WALLED) $(CONTAINED)
	$(call need,luarocks git $(PACKAGES_DEPLOYMENT) \
	    $(if $(filter 0,$(shell id -u)),$(PACKAGES_V2) $(PACKAGES_CONTAINERS) $(PACKAGES_COMPOSE) curl))
	@SUITE_SECONDS=2700 $(SUITE) 'beside v2: spec/virtual/machine.sh $(BUILD)' \
	    'peers: $(BUILD)/peers/node $(BUILD)/peers/check.mjs $(BUILD)/integration/peers' \
	    'signatures: $(RUN) spec/integration/signatures.lua 10000' \
	    'cloud: $(RUN) spec/integration/cloud.lua 100' \
	    'cloud-trials: $(RUN) spec/integration/cloud_trials.lua' \
	    'cloud-faults: $(RUN) spec/integration/cloud_faults.lua 300 24' \
	    'cloud-moto: $(RUN) spec/integration/cloud_moto.lua' \
	    'postgres: $(RUN) spec/run.lua spec/with_postgres' \
	    'database: $(RUN) spec/integration/database.lua 500 100' \
	    'class: $(RUN) spec/integration/class.lua' \
	    'kill-database: $(RUN) spec/integration/kill_database.lua 30 24' \
	    'mail: $(RUN) spec/integration/mail.lua' \
	    $(DEPLOYMENT_SUITES) \
	    'installed: spec/integration/installed.sh $(BUILD)' \
	    wait \
	    'crowd-200: $(RUN) spec/integration/crowd.lua 200' \
	    'kill-20: $(RUN) spec/integration/kill.lua 20 60' \
	    $(ENGINE_SUITES) $(IMAGE_SUITES) \
	    $(CONTAINER_SUITES) $(KILL_SUITES) \
	    'clang: $(MAKE) BUILD=$(BUILD)/clang CC=clang programs && echo "1 passed, 0 failed"'

# Version 2 of control groups, and systemd that delegates them, in a virtual machine: spec/virtual/README.md.
.PHONY: test-v2
test-v2: packages-test programs $(WALLED) $(CONTAINED)
	$(if $(filter 0,$(shell id -u)),$(call need,$(PACKAGES_V2)))
	@SUITE_SECONDS=2700 $(SUITE) 'v2: spec/virtual/machine.sh $(BUILD)'

# The specs and C tests under AddressSanitizer and UndefinedBehaviorSanitizer, those that need PostgreSQL among them.
.PHONY: sanitize sanitize-run
sanitize: packages-test
	$(call need,postgresql postgresql-client)
	@$(MAKE) BUILD=$(BUILD)/sanitize SANITIZE=1 sanitize-run
sanitize-run: programs $(TEST_PROGRAMS) $(REPLAYS)
	@ASAN_OPTIONS=detect_leaks=1:abort_on_error=1 UBSAN_OPTIONS=print_stacktrace=1 $(SUITE) \
	    $(C_SUITES) 'specs: $(RUN) spec/run.lua' 'postgres: $(RUN) spec/run.lua spec/with_postgres'

# Faults, one at a time: each must turn a test red.
.PHONY: faults
faults: packages-test programs
	$(call need,postgresql postgresql-client)
	@$(RUN) spec/faults.lua

# Any bytes through the parsers and through both ends of the protocol, from the kept inputs on; see spec/regress/README.md.
FUZZ_SECONDS ?= 20

$(BUILD)/fuzz_%: $(BUILD)/obj/test/fuzz_%.o $(BUILD)/obj/tested.a
	@echo "  link    $@"
	@$(CC) $(LDFLAGS_ALL) -fsanitize=fuzzer -o $@ $^ $$(pkg-config --libs $(TEST_LIBRARIES))

.PHONY: fuzz fuzz-keep fuzz-programs
fuzz: fuzz-programs
	@spec/fuzz.sh run $(BUILD)/fuzz $(FUZZ_SECONDS) $(FUZZERS)
# Adds to spec/regress what the fuzzers found since that reaches code which nothing there does.
fuzz-keep: fuzz-programs
	@spec/fuzz.sh keep $(BUILD)/fuzz $(FUZZERS)
fuzz-programs:
	$(call need,$(PACKAGES_BUILD) clang libclang-rt-14-dev)
	@$(MAKE) BUILD=$(BUILD)/fuzz CC=clang SANITIZE=1 CFLAGS=-fsanitize=fuzzer-no-link $(FUZZERS:%=$(BUILD)/fuzz/%)

.PHONY: demo
demo: packages-build programs
	$(if $(filter docker podman,$(RUNNER)),$(if $(filter 0,$(shell id -u)),$(call need,$(PACKAGES_CONTAINERS))))
	@spec/delegated.sh $(RUN) spec/demo.lua $(RUNNER)

.PHONY: bench
bench: packages-build programs $(BUILD)/test/http_server
	$(call need,lua5.4 bubblewrap curl)
	@spec/delegated.sh $(RUN) spec/bench/bench.lua
	@echo
	@spec/delegated.sh $(RUN) spec/bench/walls.lua
	@echo
	@$(RUN) spec/bench/signing.lua
	@echo
	@$(RUN) spec/bench/http.lua
	@echo
	$(if $(filter 0,$(shell id -u)),$(call need,$(PACKAGES_CONTAINERS)))
	@spec/delegated.sh $(RUN) spec/bench/containers.lua

# ---- order ----------------------------------------------------------------------------------------------------------

C_FILES := $(wildcard csrc/*.c csrc/*/*.c csrc/*/*/*.c csrc/*/*.h csrc/*/*/*.h)

# The path-sensitive analyzer doesn't know that luaL_error never returns: it sees the rooms without Lua.
USING_LUA := csrc/main.c $(wildcard csrc/bind/*.c csrc/host/*.c)
ANALYZED  := $(wildcard csrc/base/*.c csrc/aws/*.c csrc/io/*.c csrc/protocol/*.c csrc/sandbox/*.c csrc/sandbox/rules/*.c \
                        csrc/runner/*.c)
TIDY_FLAGS = -std=gnu11 -D_GNU_SOURCE -DSUBMITTER_VERSION=\"x\" $$(pkg-config --cflags $(HOST_HEADERS) libseccomp)

.PHONY: lint
lint: packages-lint
	@$(SUITE) 'format: clang-format --dry-run -Werror $(C_FILES) && echo "1 passed, 0 failed"' \
	    'luacheck: luacheck -q --no-color lua spec docker rockspec/*.rockspec && echo "1 passed, 0 failed"' \
	    'shellcheck: shellcheck .ci/run spec/*.sh spec/*/*.sh docker/*/*.sh docker/lambda/bootstrap && echo "1 passed, 0 failed"' \
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
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(LUADIR) $(DESTDIR)$(PREFIX)/share/submitter/apparmor
	install -m 0755 $(PROGRAMS) $(DESTDIR)$(PREFIX)/bin
	install -m 0644 $(PROFILE) $(DESTDIR)$(PREFIX)/share/submitter/seccomp.json
	install -m 0644 docker/worker-seccomp.json $(DESTDIR)$(PREFIX)/share/submitter
	cp -R lua/. $(DESTDIR)$(LUADIR)/
	install -d $(DESTDIR)$(SQLDIR)
# Whatever another version left there would count.
	rm -f $(DESTDIR)$(SQLDIR)/*.sql
	install -m 0644 docker/postgres/*.sql docker/postgres/README.md $(DESTDIR)$(SQLDIR)
	sed 's|/usr{,/local}/bin/submitter-sandbox|$(PREFIX)/bin/submitter-sandbox|' docker/apparmor/submitter-sandbox \
	    >$(DESTDIR)$(PREFIX)/share/submitter/apparmor/submitter-sandbox
	install -d $(DESTDIR)$(UNITDIR) $(DESTDIR)$(PREFIX)/lib/sysusers.d
	sed 's|/usr/local/bin/|$(PREFIX)/bin/|' docker/systemd/submitter.service >$(DESTDIR)$(UNITDIR)/submitter.service
	install -m 0644 docker/systemd/submitter.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/submitter.conf

.PHONY: clean
clean:
	rm -rf $(BUILD)

.PHONY: help
help:
	@echo "make             build the programs into $(BUILD)/"
	@echo "make walls       the two static programs and the profile for containers alone: submitter-sandbox, submitter-runner, seccomp.json"
	@echo "make demo        grade the fixtures on the embedded default and show the reports; RUNNER=docker: in containers"
	@echo "make test        C tests, specs, attack suite, embedded integration"
	@echo "make test-peers  what takes longer or needs more: real S3 and SQS, PostgreSQL, a mail server, 200 submissions, 20 kills,"
	@echo "                 the other compiler, installation, test-v2"
	@echo "make engines     of test-peers: the attacks in containers of Docker and Podman, and the image that those are made of"
	@echo "make peers       what test-peers talks to on S3 and SQS, below $(BUILD)/peers"
	@echo "make test-v2     sandbox and worker with version 2 of control groups and systemd, in a virtual machine"
	@echo "make lint        format, luacheck, shellcheck, cppcheck, clang-tidy, who may call whom"
	@echo "make sanitize    C tests and specs under ASan and UBSan"
	@echo "make fuzz        parsers and both ends of the protocol, FUZZ_SECONDS=$(FUZZ_SECONDS) each; fuzz-keep keeps what it found"
	@echo "make faults      seeds faults, each must turn a test red"
	@echo "make containers  of test-peers: a worker whose programs run in containers, and what can go wrong with an engine"
	@echo "make kill-engine of test-peers: engine and worker killed at random moments, KILLS=$(KILLS)"
	@echo "make images      of test-peers: the worker's image in an engine, and the services of docker/compose.yaml"
	@echo "make deployment  of test-peers: docker/k8s by published schemas and as a pod without a cluster, docker/systemd by systemd"
	@echo "make bench       figures against a bare interpreter, the walls' beside bubblewrap's, signing, HTTP beside curl's,"
	@echo "                 containers beside one docker run a submission"
	@echo "make install     PREFIX=$(PREFIX), DESTDIR"
	@echo "make format      clang-format"
	@echo "make clean       removes $(BUILD)/"
