/* SPDX-License-Identifier: MIT */
/*
 * test/fuzz/fuzz.h - the fuzz targets.
 *
 * A target reads any bytes and traps if a property does not hold. libFuzzer
 * runs one of them (test/fuzz/entry.c, -Dfuzz=true); test/fuzz/replay.c runs
 * all of them over test/fuzz/corpus/, with any compiler, as a test.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define FUZZ_TARGETS(X)							\
	X(addr)								\
	X(agent)							\
	X(arp)								\
	X(config)							\
	X(core)								\
	X(dhcp4)							\
	X(dhcp6)							\
	X(dns)								\
	X(doctor)							\
	X(eth)								\
	X(firewall)							\
	X(firewall_import)						\
	X(hostfw)							\
	X(http)								\
	X(icmp)								\
	X(ip)								\
	X(ndp)								\
	X(nlmsg)							\
	X(nsswitch)							\
	X(tcp)								\
	X(town)								\
	X(udp)								\
	X(vhost)							\
	X(vhost_msg)

/* data: borrowed, exactly size bytes. */
#define X(name) void fuzz_##name(const uint8_t *data, size_t size);
FUZZ_TARGETS(X)
#undef X

/* What must hold whatever the input is. */
#define PROPERTY(cond)							\
	do {								\
		if (!(cond)) {						\
			fprintf(stderr, "%s:%d: does not hold: %s\n",	\
				__FILE__, __LINE__, #cond);		\
			abort();					\
		}							\
	} while (0)

#endif
