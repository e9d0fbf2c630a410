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

test:
	scripts/test

demo:
	scripts/demo

bench: all
	scripts/bench

# make fuzz SECONDS=600 TARGETS=core; scripts/fuzz says more.
SECONDS ?= 60
fuzz:
	scripts/fuzz --seconds $(SECONDS) $(TARGETS)

coverage:
	scripts/coverage

install: all
	meson configure $(BUILD) -Dprefix=$(PREFIX)
	DESTDIR='$(DESTDIR)' meson install -C $(BUILD)

clean:
	rm -rf $(BUILD)

.PHONY: all check test demo bench fuzz coverage install clean
