# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC2034,SC2086,SC2154
# scripts/lib.sh - what the scripts share; POSIX sh, sourced. Needs $top.

# Debian's names.
PACKAGES_BUILD="gcc meson ninja-build pkg-config libc6-dev linux-libc-dev
	libseccomp-dev libinih-dev libjansson-dev
	libcmocka-dev"
PACKAGES_PLAY="python3 curl iproute2 iputils-ping bind9-dnsutils
	util-linux"
PACKAGES_TEST="bash python3-pytest python3-scapy iperf3 nftables procps
	bubblewrap qemu-system-x86 traceroute iputils-tracepath dropbear-bin
	knot-dnsutils mtr-tiny ncat ngtcp2-client ngtcp2-server openssl openvpn
	wireguard-go wireguard-tools"
PACKAGES_CLOUD="cloud-init libyaml-0-2 python3-attr python3-certifi
	python3-chardet python3-charset-normalizer python3-configobj
	python3-idna python3-jinja2 python3-json-pointer python3-jsonpatch
	python3-jsonschema python3-markupsafe python3-netifaces
	python3-oauthlib python3-pyrsistent python3-requests python3-serial
	python3-six python3-urllib3 python3-yaml"
PACKAGES_BENCH="iperf3 nftables passt slirp4netns strace"

# The same as commands and pkg-config modules, for other distributions.
COMMANDS_BUILD="cc meson ninja pkg-config"
COMMANDS_PLAY="python3 curl ip ping dig unshare"
COMMANDS_TEST="bash nft ss"
COMMANDS_BENCH="iperf3 nft"
MODULES="libseccomp inih jansson cmocka"

PATH=$PATH:/usr/sbin:/sbin
export PATH

die() {
	echo "${0##*/}: failed: $*"
	exit 1
}

# Run a command as root: directly, or by sudo.
as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	else
		sudo "$@"
	fi
}

# Print those of the packages given that are not installed.
missing_packages() {
	for package; do
		dpkg-query -W -f '${Status}\n' "$package" 2>/dev/null |
			grep -q '^install ok installed$' || printf ' %s' "$package"
	done
}

# Print those of the commands given, and of the modules, that are missing.
missing_tools() {
	for command; do
		command -v "$command" >/dev/null || printf ' %s' "$command"
	done
	for module in $MODULES; do
		pkg-config --exists "$module" 2>/dev/null ||
			printf ' %s' "$module.pc"
	done
}

# From the package lists at hand, or else from fresh ones.
apt_install() {
	set -- env DEBIAN_FRONTEND=noninteractive apt-get install \
		-y -q --no-install-recommends "$@"
	as_root "$@" </dev/null 2>/dev/null && return
	as_root apt-get update -q </dev/null && as_root "$@" </dev/null
}

# need_packages PACKAGES COMMANDS - install what is not there, or say what
# to install. Quick and offline where all is there.
need_packages() {
	if command -v apt-get >/dev/null && command -v dpkg-query >/dev/null
	then
		missing=$(missing_packages $1)
		[ -z "$missing" ] && return
		echo "installing:$missing"
		apt_install $missing && return
		echo "apt-get could not install them"
	fi
	missing=$(missing_tools $2)
	[ -z "$missing" ] && return
	echo "not found:$missing"
	echo "Please install what your distribution calls, as Debian does:"
	echo $1
	die "packages are missing"
}

# Build into build/, with the compiler's messages only if it fails.
build() {
	if [ ! -f "$top/build/build.ninja" ]; then
		run_quietly meson setup "$top/build" "$top"
	fi
	run_quietly ninja -C "$top/build"
}

run_quietly() {
	echo "\$ $*"
	log=$(mktemp) || die "no temporary file"
	if ! "$@" >"$log" 2>&1 </dev/null; then
		tail -n 60 "$log"
		rm -f "$log"
		die "$1"
	fi
	rm -f "$log"
}

# A kernel for a virtual machine of the tests or of the demo: never installed,
# as its package would change how this machine boots. Sets SLIPWAY_VM.
machine_aside() {
	SLIPWAY_VM=$top/build/aside/vm
	export SLIPWAY_VM
	[ -f "$SLIPWAY_VM/initramfs.gz" ] && return
	mkdir -p "$SLIPWAY_VM"
	(
		cd "$SLIPWAY_VM" &&
		kernel=$(apt-cache depends linux-image-cloud-amd64 |
			sed -n 's/.*Depends: \(linux-image-6.*\)$/\1/p') &&
		apt-get download "$kernel" busybox-static &&
		for package in *.deb; do dpkg -x "$package" .; done &&
		rm -f ./*.deb &&
		/usr/bin/python3 "$top/test/vm/initramfs.py" . initramfs.gz
	) >"$SLIPWAY_VM/log" 2>&1 || {
		echo "no virtual machine: $(tail -n 1 "$SLIPWAY_VM/log")"
		rm -f "$SLIPWAY_VM/initramfs.gz"
	}
}

# cloud-init and what it needs, for a virtual machine of the tests. Never
# installed: it would take the next boot of this machine for its own.
cloud_aside() {
	cloud=$top/build/aside/vm/cloud
	[ -x "$cloud/usr/bin/cloud-init" ] && return
	rm -rf "$cloud.new"
	mkdir -p "$cloud.new"
	(
		cd "$cloud.new" && apt-get download $PACKAGES_CLOUD &&
		for package in *.deb; do dpkg -x "$package" . || exit; done &&
		rm -f ./*.deb &&
		/usr/bin/python3 -m compileall -q usr/lib/python3 &&
		mv "$cloud.new" "$cloud"
	) >/dev/null 2>&1 || echo "no cloud-init: it could not be fetched"
}
