/* SPDX-License-Identifier: MIT */
/* keeper/process.h - what the files of the keeper's process share. */
#ifndef KEEPER_PROCESS_H
#define KEEPER_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "keeper/agents.h"
#include "keeper/blocked.h"
#include "keeper/clients.h"
#include "keeper/conflict.h"
#include "keeper/firewalling.h"
#include "keeper/forwards.h"
#include "keeper/front.h"
#include "keeper/roster.h"
#include "keeper/hits.h"
#include "keeper/hostroute.h"
#include "keeper/instance.h"
#include "keeper/linkmtu.h"
#include "keeper/mirrors.h"
#include "keeper/published.h"
#include "keeper/whose.h"
#include "linux/guestns.h"
#include "linux/hostif.h"
#include "linux/messages.h"

#define MS_NS		UINT64_C(1000000)
#define NEVER		UINT64_MAX

enum phase { GUEST, ENGINE, UP, OVER };

struct keeper {
	enum phase phase;
	struct instance in;
	struct clients clients;
	struct hostports ports;
	struct forwards forwards;	/* of localhost */
	uint32_t next_port;		/* number of the last that was lent */
	struct mirrored mirrored;	/* the host's, */
	struct mirrors mirrors;		/* on the guest's */
	struct published published;
	struct conflict conflict;
	struct firewalling firewall;
	struct whose whose;
	struct agents agents;		/* of machines */
	struct blocked blocked;
	struct hits hits;
	struct guest_ns ns;
	struct hostroute route;
	struct linkmtu mtu;
	struct hostif hostif;		/* fd: until the engine has it */
	struct msg_engine_ready engine_ready;	/* once engine_up */
	bool engine_up;
	pid_t inside, engine;
	int front_ch, inside_ch, engine_ch;	/* our ends */
	int helper_end, engine_end;	/* engine's ends, until it has them */
	unsigned n_links;		/* of machines; 0: there is none */
	int link_fds[CONFIG_LINKS_MAX];	/* until the engine has them */
	bool machine;			/* the guests are, not a command */
	struct roster roster;		/* the others */
	int join_fd;			/* to the network of ours; -1: that is
					   our own (keeper/joining.h) */
	int signal_fd;
	unsigned fds;			/* that we may have */
	bool stopping, bye;
	uint64_t stop_ns;		/* when to end all; NEVER */
	uint64_t stats_ns;		/* when to answer without; NEVER */
	uint64_t flows_ns;		/* likewise, keeper/flows.h */
	json_t *flows;			/* told so far; owned; NULL */
	struct front_failed failed;	/* kind 0: it did not */
};

/* Of the monotonic clock. */
uint64_t keeper_now_ns(void);

/* Have as many as may be; how many. */
unsigned keeper_raise_limit(void);

/* Of all descriptors, only those of these that there are, from 3 on. */
void keeper_keep_only(int *const fds[], size_t n);

/* Let the front end its command, and then us; once. */
void keeper_begin_stop(struct keeper *k);

#endif
