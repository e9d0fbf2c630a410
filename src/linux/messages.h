/* SPDX-License-Identifier: MIT */
/*
 * linux/messages.h - what keeper, engine and inside helper tell each other.
 *
 * Values, not wire formats: all three are one build of one program on one
 * machine. Every message begins with its kind; a receiver checks kind and
 * length. Sent over linux/channel.h.
 */
#ifndef LINUX_MESSAGES_H
#define LINUX_MESSAGES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/dns_zone.h"
#include "base/fail.h"
#include "base/network_blocked.h"
#include "base/network_flow.h"
#include "base/network_guest.h"
#include "base/network_stats.h"
#include "linux/listeners.h"

#define MSG_RESOLVERS_MAX	8
#define MSG_SEARCH_BYTES	256
#define MSG_FLOWS_MAX		64
#define MSG_HITS_MAX		2048
#define MSG_PROGRAM_BYTES	1024

enum msg_kind {
	/* inside helper -> keeper */
	MSG_GUEST_READY = 1,	/* struct msg_guest_ready + descriptors */
	MSG_GUEST_FAILED,	/* struct msg_failed */
	MSG_LISTENER,		/* struct msg_listener: began or ended */
	/* engine -> inside helper, or, for an agent, keeper; and back */
	MSG_CONNECT,		/* struct msg_open */
	MSG_CONNECTED,		/* struct msg_opened + socket, or errno */
	/* keeper -> inside helper, and back */
	MSG_BIND,		/* struct msg_open */
	MSG_BOUND,		/* struct msg_opened + socket, or errno */
	/* keeper -> engine */
	MSG_RESOLVERS,		/* struct msg_resolvers: all of them */
	MSG_MTU,		/* struct msg_mtu */
	MSG_ZONES,		/* struct msg_zones: all of them, once */
	MSG_HOSTS,		/* struct msg_hosts + a file, unless empty */
	MSG_FORWARD_ADD,	/* struct msg_forward + listening socket */
	MSG_FORWARD_DEL,	/* struct msg_forward: id only; + a descriptor
				   to be closed when its socket has been */
	MSG_STATS_GET,		/* struct msg_head */
	MSG_FLOWS_GET,		/* struct msg_flows_get */
	MSG_FIREWALL,		/* struct msg_firewall + a file: all rules */
	MSG_OWNERS,		/* struct msg_head + channel to a helper */
	MSG_HITS_GET,		/* struct msg_hits_get */
	MSG_GUEST_ADD,		/* struct msg_guest */
	MSG_GUEST_DEL,		/* struct msg_guest: at only */
	MSG_LINK_ADD,		/* struct msg_link + a tap */
	MSG_LINK_DEL,		/* struct msg_link: link only */
	/* engine -> keeper */
	MSG_ENGINE_READY,	/* struct msg_engine_ready: sandboxed, running */
	MSG_ENGINE_FAILED,	/* struct msg_failed */
	MSG_LOG,		/* struct msg_log */
	MSG_STATS,		/* struct msg_stats */
	MSG_GUESTS,		/* struct msg_guests, before each MSG_STATS */
	MSG_FLOWS,		/* struct msg_flows */
	MSG_BLOCKED,		/* struct msg_blocked */
	MSG_HITS,		/* struct msg_hits */
	MSG_AGENT,		/* struct msg_agent + a connected stream */
	/* engine -> owner helper, and back */
	MSG_OWNER_ASK,		/* struct msg_owner_ask */
	MSG_OWNER,		/* struct msg_owner */
	/* owner helper -> keeper */
	MSG_OWNERS_FAILED,	/* struct msg_failed: it cannot begin */
};

struct msg_head {
	uint32_t kind;		/* enum msg_kind */
};

struct msg_failed {
	uint32_t kind;
	struct fail fail;
};

/* Descriptors: tap; then, unless it joined what there was, network and mount
   namespace, and user and UTS if it has its own. See guest_ready_take(). */
struct msg_guest_ready {
	uint32_t kind;
	uint32_t offloads;	/* TUN_F_* that the kernel accepted */
	bool joined, own_user, own_uts;
};

struct msg_listener {
	uint32_t kind;
	bool gone;		/* false: a listener began */
	struct listener what;
};

struct msg_open {
	uint32_t kind;
	uint32_t id;		/* echoed */
	struct endpoint at;	/* in the guest's namespace: where to connect
				   to, or what to bind (and listen at) */
	bool udp;
	uint8_t guest;		/* keeper's number, for an agent's */
};

struct msg_opened {
	uint32_t kind;
	uint32_t id;
	int32_t error;		/* 0: one descriptor, non-blocking, connect
				   done or in progress; else errno */
};

struct msg_resolvers {
	uint32_t kind;
	uint32_t n;		/* 0: none known; DNS answers SERVFAIL */
	struct endpoint at[MSG_RESOLVERS_MAX];
};

struct msg_zones {
	uint32_t kind;
	uint32_t n;
	struct dns_zone at[DNS_ZONES_MAX];
};

/* Of the guest's link, from now on. */
struct msg_mtu {
	uint32_t kind;
	uint32_t mtu;
};

struct msg_hosts {
	uint32_t kind;
	uint64_t bytes;		/* of the table (base/hosts.h) in the file */
};

struct msg_forward {
	uint32_t kind;
	uint32_t id;		/* keeper's; unique while in use */
	struct endpoint to;	/* address to connect to, of the guest, or */
	bool to_host;		/* of the host: it is bound in the guest */
	bool by_frames;		/* over the link, not by the inside helper:
				   the guest is to see who connects */
	bool udp;
	bool own;		/* UDP by frames: see network_udp_offer() */
	uint8_t guest;		/* keeper's number; 0: the first */
};

struct msg_engine_ready {
	uint32_t kind;
	bool ping4, ping6;	/* host lets us ping */
};

struct msg_log {
	uint32_t kind;
	uint32_t level;		/* enum log_level */
	char text[240];		/* NUL-terminated */
};

struct msg_stats {
	uint32_t kind;
	struct network_stats now;
};

/* One of several guests, but not the first: see network_guest_add(). */
struct msg_guest {
	uint32_t kind;
	uint32_t at;		/* keeper's number, from 1 on */
	uint8_t link;
	bool learn_mac, own_ip6;
	struct mac mac;
	struct ip ip4, ip6;
	char name[NETWORK_NAME_BYTES];
	char rule_name[NETWORK_NAME_BYTES];
};

/* A tap that joins while the network runs. */
struct msg_link {
	uint32_t kind;
	uint32_t link;		/* its number, not in use */
	uint32_t offloads;	/* TUN_F_* that it has */
};

struct msg_guests {
	uint32_t kind;
	uint32_t n;
	struct network_guest at[NETWORK_GUESTS_MAX];	/* id: keeper's */
};

/* Some of the flows; the keeper asks again for the next ones. */
struct msg_flows_get {
	uint32_t kind;
	uint32_t from;		/* 0, or `next` of the last answer */
};

struct msg_flows {
	uint32_t kind;
	uint32_t n;
	uint32_t next;		/* where to go on; 0: these were the last */
	uint32_t all;		/* how many there are now, about */
	struct network_flow at[MSG_FLOWS_MAX];
};

/*
 * The rules in force from now on; until the first of these nothing passes.
 * The file is the block of a set, for rules_adopt() (firewall/rule.h).
 */
struct msg_firewall {
	uint32_t kind;
	uint32_t generation;	/* echoed where a rule is named by number */
	uint32_t rules, items, text_bytes;	/* struct rules_size */
	uint8_t profile;	/* enum rule_profile */
	bool in_from_guest, in_from_host, in_from_lan, out;	/* defaults */
	bool off;		/* everything passes */
	bool refuse;		/* what is blocked is told so */
	bool keep_flows;	/* flows that live are not asked about */
	char network[64];	/* its name, NUL-terminated */
};

/* How often rules have decided, from a number on. */
struct msg_hits_get {
	uint32_t kind;
	uint32_t from;
};

struct msg_hits {
	uint32_t kind;
	uint32_t generation;
	uint32_t from, n;
	uint32_t rules;		/* in all */
	uint64_t blocked;	/* flows, by whatever rule or default */
	uint64_t not_told;	/* of them, for which no MSG_BLOCKED was sent */
	uint64_t at[MSG_HITS_MAX];
};

struct msg_blocked {
	uint32_t kind;
	struct network_blocked what;
};

/* The guest's agent, or one that says so, calls. */
struct msg_agent {
	uint32_t kind;
	struct endpoint from;	/* its end, in the guest */
	uint32_t guest;		/* keeper's number; 0: the first */
};

/* Which program has that socket? */
struct msg_owner_ask {
	uint32_t kind;
	uint32_t id;		/* echoed */
	bool in_guest;		/* in its network namespace, else the host's */
	bool listens;		/* one that waits at local, or at any address
				   of its port; else one that is at local and,
				   of TCP, connected to remote */
	uint8_t protocol;	/* of IP: 6, 17, 1, 58 */
	struct endpoint local, remote;
};

struct msg_owner {
	uint32_t kind;
	uint32_t id;
	bool known;
	bool late;		/* it might be, but there was no time */
	char path[MSG_PROGRAM_BYTES];	/* of its executable; full, with NUL */
};

#endif
