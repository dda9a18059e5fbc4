# SPDX-License-Identifier: Apache-2.0
# Verbs over Meson. 'make run' and 'make test' need nothing but Debian 12, make and a network.

ARGS =
SHELL = /bin/sh
.DEFAULT_GOAL = help
.PHONY: help run build test sim crash planted bench soak fuzz asan tsan cfi lint format clean configured

help: ## what can be made
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/make \1	\2/p' Makefile | expand -t 16

run: ## install what is missing, build, and serve on an embedded store (ARGS="--port 8001")
	@tools/setup run
	@$(MAKE) --no-print-directory build
	@exec build/admit serve $(ARGS)

build: configured ## the program, in release mode: build/admit
	@ninja --quiet -C build/meson
	@ln -f build/meson/admit build/admit

test: ## install what is missing, build, and run all tests (ARGS="base/str story/classic" for some)
	@tools/setup test
	@tools/npm test
	@$(MAKE) --no-print-directory build
	@tools/test build/meson $(ARGS)

crash: ## kill -9 under load, restart, look what is there, again and again (ARGS="--cycles 500"; ARGS=--help)
	@tools/setup test
	@tools/npm test
	@$(MAKE) --no-print-directory build
	@node tests/crash/crash.mjs $(ARGS)

sim: ## the office against a model of it, with faults, from seeds (ARGS="--seeds 100000"; ARGS=--help)
	@tools/setup run
	@$(MAKE) --no-print-directory configured
	@ninja --quiet -C build/meson sim
	@build/meson/sim $(ARGS)

planted: ## bugs planted one by one, which the tests over HTTP must find (ARGS="overtaking number_twice")
	@tools/setup test
	@tools/npm test
	@$(MAKE) --no-print-directory build
	@tests/sim/bugs.py build/meson --outside $(ARGS)

bench: ## measure this machine, admit beside its peers (ARGS="--quick"; ARGS=--help)
	@tools/setup bench
	@$(MAKE) --no-print-directory build
	@cd bench && { [ node_modules/.package-lock.json -nt package-lock.json ] || npm ci; }
	@node bench/bench.mjs $(ARGS)

soak: ## a mixed load for an hour: memory, descriptors, latency (ARGS="--minutes 5"; ARGS=--help)
	@tools/setup test
	@$(MAKE) --no-print-directory build
	@node bench/soak.mjs $(ARGS)

fuzz: ## make up inputs that break something (ARGS="--seconds 600 body token"; ARGS=--help)
	@tools/setup fuzz
	@tools/npm run
	@[ -e build/fuzz/build.ninja ] || CC=clang meson setup build/fuzz --buildtype=debugoptimized \
	    -Doptimization=1 -Db_sanitize=address,undefined -Db_lundef=false -Dtests=disabled -Dfuzz=true
	@ninja --quiet -C build/fuzz
	@tools/fuzz build/fuzz $(ARGS)

asan: ## all tests with AddressSanitizer, LeakSanitizer and UndefinedBehaviorSanitizer
	@$(call sanitized,asan,address$(comma)undefined)

tsan: ## all tests with ThreadSanitizer
	@$(call sanitized,tsan,thread)

cfi: ## all tests with clang's build, in which calls through pointers are checked: build/cfi/admit
	@tools/setup cfi
	@tools/npm test
	@[ -e build/cfi/build.ninja ] || CC=clang meson setup build/cfi -Dtests=enabled
	@tools/test build/cfi $(ARGS)

lint: ## clang-format, clang-tidy, and the rules of the source tree
	@tools/setup lint
	@tools/npm test
	@$(MAKE) --no-print-directory build
	@tools/lint build/meson

format: ## let clang-format write the sources
	@tools/lint --format

clean: ## remove everything that was made, except node_modules
	rm -rf build

# Release mode is meson.build's default. Without cmocka there are no unit tests; when it has come
# since ('make run' first, 'make test' later), Meson has to look again.
configured:
	@tools/npm run
	@if pkg-config --exists cmocka; then tests=enabled; else tests=disabled; fi; \
	[ -e build/meson/.tests-$$tests ] || { \
	    again=; [ ! -e build/meson/build.ninja ] || again=--reconfigure; \
	    meson setup $$again build/meson -Dtests=$$tests && touch build/meson/.tests-$$tests; }

comma = ,
define sanitized
tools/setup test && tools/npm test && \
{ [ -e build/$(1)/build.ninja ] || meson setup build/$(1) --buildtype=debugoptimized \
    -Doptimization=1 -Db_sanitize=$(2) -Db_lundef=false -Dtests=enabled; } && \
tools/test build/$(1) $(ARGS)
endef
