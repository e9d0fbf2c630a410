/* SPDX-License-Identifier: MIT */
/*
 * engine/engine.h - the process on the data path: frames and flows.
 */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/addr.h"
#include "base/ports.h"
#include "linux/link.h"

/* A link that there is from the start: number 0 is the first guest's. */
struct engine_link_setup {
	enum link_kind kind;
	int fd;				/* as kind says; taken by the child */
	uint32_t offloads;		/* of a tap: from MSG_GUEST_READY */
};

struct engine_setup {
	struct mac gateway_mac, guest_mac;
	bool learn_mac;			/* the guest brings one of its own */
	struct prefix net4, net6;
	struct ip gateway4, guest4;
	bool v6;
	struct ip gateway6, guest6;
	bool own_ip6;			/* the guest may take another */
	unsigned mtu;
	bool agent;			/* the guest's is heard */
	bool host_access;		/* false: nothing of the host, in any
					   spelling */
	struct port_list host_ports;	/* and of it only these; n 0: all */
	bool link_local;		/* 169.254/16 and fe80::/10 allowed */
	bool keep_flows;		/* also if their route has moved */
	bool isolate;			/* guests do not reach each other */
	uint32_t max_flows;		/* 0: computed from RLIMIT_NOFILE */
	char guest_name[64];		/* resolves to the guest */
	char search[256];		/* domains for it; blanks between */

	unsigned n_links;		/* 0: it relays localhost alone */
	struct engine_link_setup links[LINKS_MAX];
	int host_fd;			/* linux/hostif.h; -1: none. All three
					   are taken by the child */
	unsigned host_index;		/* its interface's */
	uint32_t host_offloads;
	int keeper_ch;
	int inside_ch;			/* -1: the guest has no helper */
};

/**
 * engine_start() - fork the engine
 *
 * The child closes every other descriptor but stderr, sets itself up,
 * enters its sandbox, does what it finds said by the keeper, sends
 * MSG_ENGINE_READY (or MSG_ENGINE_FAILED) and runs until the keeper's channel
 * or the inside helper's reports the end.
 *
 * Return: its pid, or -errno of fork().
 */
pid_t engine_start(const struct engine_setup *setup);

#endif
