/* SPDX-License-Identifier: MIT */
/* engine/state.h - what the files of the engine's process share. */
#ifndef ENGINE_STATE_H
#define ENGINE_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/log.h"
#include "engine/agents.h"
#include "engine/engine.h"
#include "engine/exchanges.h"
#include "engine/links.h"
#include "engine/owners.h"
#include "engine/patience.h"
#include "engine/slept.h"
#include "engine/relay.h"
#include "engine/rules.h"
#include "linux/hostenv.h"
#include "linux/tap.h"
#include "network/network.h"

/* Handles of the engine's own. */
#define SLOT_LINK	0xf0000000u	/* gen: its number, of all three */
#define SLOT_LISTEN	0xf0000003u
#define SLOT_KEEPER	0xf0000001u
#define SLOT_INSIDE	0xf0000002u
#define SLOT_TIMER	0xf0000004u
#define SLOT_HOST	0xf0000005u
#define SLOT_ADDRESSES	0xf0000006u
#define SLOT_MACHINE	0xf0000007u
#define SLOT_OWNERS	0xf0000008u

struct engine {
	struct engine_setup setup;
	struct hostenv host;
	struct network *net;
	struct relays *relays;
	struct exchanges *exchanges;
	bool host_ready;
	struct netlink *addresses;	/* tells of changes, routes' too */
	int timer_fd;
	uint64_t timer_ns;		/* what it is set to; UINT64_MAX: not */
	uint64_t active_ns;		/* when something but it happened last */
	struct patience patience;
	struct slept slept;
	uint64_t slept_due_ns;		/* when to ask it next */
	struct view hosts;		/* mapped; .p NULL: none */
	struct env_ops ops;
	struct engine_rules rules;
	struct owners owners;
	struct agents agents;
	uint8_t frame[TAP_HEADER_BYTES + FRAME_MAX_BYTES];
	uint32_t links_used, links_ready;	/* a bit of each */
	struct engine_link links[LINKS_MAX];
	uint8_t guest_id[NETWORK_GUESTS_MAX];	/* the core's, by the keeper's
						   number; 0: none (but the
						   first) */
};

/* Of the monotonic clock. */
uint64_t engine_now_ns(void);

/* A log sink's write(); ctx is the engine. */
void engine_log(void *ctx, enum log_level level, const char *text);

/* Memory that costs nothing until it is touched. Ends us on failure. */
void *engine_reserve(size_t bytes);

/* Be told of events at fd, as one of the slots above. false with errno set. */
MUST bool engine_watch(const struct engine *e, int fd, uint32_t slot,
		       uint32_t events);

/* The keeper's number of the guest that the core calls id. */
unsigned engine_keepers_number(const struct engine *e, unsigned id);

/* One message of the keeper's. false: it is gone. */
bool engine_keeper_message(struct engine *e);

/* One answer of the inside helper's. false: it is gone. */
bool engine_inside_message(struct engine *e);

#endif
