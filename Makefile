# SPDX-License-Identifier: MIT
# A thin face of Meson and of scripts/.
BUILD ?= build
PREFIX ?= /usr/local

all: $(BUILD)/build.ninja
	ninja -C $(BUILD)

$(BUILD)/build.ninja:
	meson setup $(BUILD)

check: all
	meson test -C $(BUILD) --print-errorlogs

# New seeds for SECONDS, or until ^C.
soak: all
	$(BUILD)/test/sim/sim --soak $(or $(SECONDS),0)

test:
	scripts/test

demo:
	scripts/demo

bench: all
	scripts/bench
	$(BUILD)/test/bench/decide

# make fuzz SECONDS=600 TARGETS=core; scripts/fuzz says more.
fuzz:
	scripts/fuzz --seconds $(or $(SECONDS),60) $(TARGETS)

coverage:
	scripts/coverage

install: all
	meson configure $(BUILD) -Dprefix=$(PREFIX)
	DESTDIR='$(DESTDIR)' meson install -C $(BUILD)

clean:
	rm -rf $(BUILD)

.PHONY: all check soak test demo bench fuzz coverage install clean
