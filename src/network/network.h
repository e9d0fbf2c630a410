/* SPDX-License-Identifier: MIT */
/*
 * network/network.h - one virtual network: its guests, gateway and flows.
 *
 * The core's face to its driver (engine/ on Linux, sim/ in tests). The
 * driver calls in with frames, socket events and time; the core answers
 * through struct env. Nothing here blocks, reads a clock or allocates but
 * through env. All times are monotonic nanoseconds that never go back.
 *
 * One turn of the driver's loop: any number of network_frame() and
 * network_sock_event(), network_timers() if due, then network_turn_end().
 */
#ifndef NETWORK_NETWORK_H
#define NETWORK_NETWORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/hosts.h"
#include "base/frame.h"
#include "base/handle.h"
#include "base/network_guest.h"
#include "base/network_stats.h"
#include "base/ports.h"
#include "env/env.h"

#define NETWORK_RESOLVERS_MAX 8
#define NETWORK_UDP_OFFERS_MAX 4096

/* Guest 0 is there from the start: guest_mac, guest4 ..., on link 0. */
struct network_setup {
	struct mac gateway_mac, guest_mac;
	bool learn_mac;			/* guest_mac: until it says its own */
	struct prefix net4, net6;
	struct ip gateway4, guest4;
	bool v6;			/* IPv6 carried; else gateway6… unused */
	struct ip gateway6, guest6;
	bool own_ip6;			/* it may have another, or none */
	unsigned mtu;			/* of the guest's link: 68..65520 */
	bool agent;			/* gateway's AGENT_PORT is env's agent */
	bool host_access;		/* gateway address reaches the host */
	struct port_list host_ports;	/* and of it only these; n 0: all */
	bool host_port;			/* network_host_packet(), env's
					   host_send() are in use */
	bool link_local;		/* 169.254/16, fe80::/10 carried */
	bool keep_flows;		/* see network_routes_changed() */
	uint32_t max_flows;		/* 16..2^20 */
	char guest_name[64];		/* DNS name of the guest; "" none */
	char search[256];		/* domains for it; blanks between */
	bool isolate;			/* guests do not reach each other */
};

/* One more guest. */
struct network_guest_setup {
	uint8_t link;			/* NETWORK_LINK_ANY: wherever its MAC
					   is seen, which it must have then */
	struct mac mac;
	bool learn_mac;			/* mac: until it says its own */
	struct ip ip4, ip6;		/* of the network, nobody's else */
	bool own_ip6;			/* it may have another, or none */
	char name[NETWORK_NAME_BYTES];	/* DNS name; "" none */
	char rule_name[NETWORK_NAME_BYTES];	/* as rules name it; "" none */
};

/* The rules in force; all is lent until the next ones. */
struct network_rules {
	const struct firewall *firewall;	/* NULL: nothing passes */
	uint64_t *hits;			/* of each rule: counted on; NULL */
	const char *guest;		/* guest 0, as rules name it; NULL: no
					   name */
	uint32_t generation;		/* told with what is blocked */
	bool off;			/* everything passes */
	bool refuse;			/* who is blocked is told so */
	bool keep_flows;		/* those that live are left alone */
};

enum network_judgement { NETWORK_PASS, NETWORK_BLOCK, NETWORK_WAIT };

/* A connection or exchange on localhost, which the driver relays itself. */
struct network_relay {
	bool to_host;			/* the guest began it, else the host */
	bool udp, v6;
	uint8_t guest;			/* whose localhost */
	uint16_t client_port, port;	/* of who began it; of the server */
};

struct network;

/* Bytes of memory that network_init() wants for that setup. */
size_t network_bytes(const struct network_setup *setup);

/*
 * Make a network in mem (zeroed, network_bytes() long, aligned to 64, the
 * caller's for the network's whole life). env is copied. Never fails.
 */
struct network *network_init(void *mem, const struct network_setup *setup,
			     const struct env *env, uint64_t now_ns);

/* Reset every flow towards the host, close every socket, free stores. */
void network_fini(struct network *net);

/*
 * One more guest, from now on: its number, below NETWORK_GUESTS_MAX, which is
 * the lowest that is free; or -ENV_LIMIT: they are too many, or -ENV_OTHER:
 * an address, a MAC or a link's own guest that there is already, or what
 * cannot be one. A link has one guest of its own (learn_mac), and any number
 * that is known by its MAC.
 */
int network_guest_add(struct network *net,
		      const struct network_guest_setup *setup,
		      uint64_t now_ns);

/* It has gone, with its flows. Not guest 0. */
void network_guest_remove(struct network *net, unsigned id, uint64_t now_ns);

/*
 * Whose address that is: the only guest that there is has all. false: nobody's.
 */
bool network_guest_at(const struct network *net, const struct ip *ip,
		      struct network_guest *out);

/* Guests from *id on, n at most; *id is where to go on. How many. */
unsigned network_guests(const struct network *net, unsigned *id,
			struct network_guest *out, unsigned n);

/*
 * The link was joined anew, by the same machine or another one: the IPv6
 * address that its own guest is known by may not be the one that it has.
 */
void network_rejoined(struct network *net, unsigned link);

/* A link that was full (env_ops.link_send) may have room again. */
void network_link_ready(struct network *net, unsigned link, uint64_t now_ns);

/*
 * Nobody is at that link's other end: the MACs that were heard there may come
 * up elsewhere. Flows stay: a machine comes back with its connections, if it
 * does. A frame brings the link up again.
 */
void network_link_down(struct network *net, unsigned link);

/*
 * A frame from a link's other end, link below NETWORK_LINKS_MAX; buf is
 * borrowed for the call. Anything is safe here. A refused frame is counted in
 * stats.drops.
 */
void network_frame(struct network *net, unsigned link,
		   const struct frame_meta *meta,
		   const uint8_t *buf, size_t len, uint64_t now_ns);

/*
 * An IP packet that the host's own stack sends into the subnet, with
 * host_port: as network_frame(), without Ethernet; meta's offsets count from
 * the IP header. Anything is safe here, too.
 */
void network_host_packet(struct network *net, const struct frame_meta *meta,
			 const uint8_t *buf, size_t len, uint64_t now_ns);

/* Events (enum env_event) of the socket whose owner is h; stale h is fine. */
void network_sock_event(struct network *net, struct handle h,
			unsigned events, uint64_t now_ns);

/*
 * A client of the host's asks for a port of the guest's that has the address
 * to->ip: connect the stream id, which the driver has accepted, to it. The
 * guest sees `from` if that
 * is an address at which it could answer, else the gateway: a client on the
 * host's loopback, one of the guest's own subnet, none (all zero). id is
 * taken; if it cannot be done it is reset.
 */
void network_offer(struct network *net, int id, const struct endpoint *from,
		   const struct endpoint *to, uint64_t now_ns);

/*
 * The same for datagrams: what comes to the bound socket id, which is taken,
 * goes to the guest's port `to`, from who sent it, and the guest's answers
 * go back from the address that was spoken to, until network_udp_withdraw()
 * is given the same name. own: datagrams that the guest itself begins at that
 * port leave from there, too (the socket is bound to no address).
 */
void network_udp_offer(struct network *net, uint32_t name, int id,
		       const struct endpoint *to, bool own, uint64_t now_ns);
void network_udp_withdraw(struct network *net, uint32_t name,
			  uint64_t now_ns);

/*
 * An address of the host's has gone: what is bound to one that it has not any
 * more is reset towards the guest, which would wait for minutes. Asks of each
 * TCP flow.
 */
void network_address_gone(struct network *net, uint64_t now_ns);

/*
 * The host's routes, rules, addresses or interfaces have changed. What was
 * learned of paths and names is forgotten; and, once they have settled, each
 * TCP flow is reset towards the guest whose address has gone, or whose packets
 * go another way now than a new one's would (unless setup.keep_flows).
 */
void network_routes_changed(struct network *net, uint64_t now_ns);

/*
 * What the narrowest interface takes of those that are known to be narrow
 * (network/paths.h); 0: none is. Who calls by it is to send no more.
 */
uint16_t network_narrowest(const struct network *net);

/* When network_timers() is due next: absolute, UINT64_MAX for never. */
uint64_t network_next_timer(const struct network *net);
void network_timers(struct network *net, uint64_t now_ns);

/* Send what the turn has made owed: acknowledgements, windows, more data. */
void network_turn_end(struct network *net, uint64_t now_ns);

/* Is there work that only waits for the next turn (fairness cut it)? */
bool network_busy(const struct network *net);

/*
 * The guest's link carries so much from now on, 68..65520: a guest that was
 * told by router advertisements before is told again, DHCP tells who asks.
 */
void network_set_mtu(struct network *net, unsigned mtu, uint64_t now_ns);

/* The host's DNS servers; n 0..NETWORK_RESOLVERS_MAX. */
void network_set_resolvers(struct network *net, const struct endpoint *at,
			   size_t n);

/* Domains with servers of their own (service/dns.h): once, at the start. */
struct dns_zone;
void network_set_zones(struct network *net, const struct dns_zone *zones,
		       size_t n);

/* The host's hosts file, lent until the next call; NULL: none. */
void network_set_hosts(struct network *net, const struct hosts *hosts);

/*
 * The rules from now on. Until they are given nothing passes. Flows that
 * live are asked about within a few turns, unless keep_flows.
 */
void network_set_rules(struct network *net, const struct network_rules *rules,
		       uint64_t now_ns);

/* Flows that were blocked, and how many of them env was not told of. */
void network_get_blocked(const struct network *net, uint64_t *blocked,
			 uint64_t *not_told);

/*
 * The answer to env's ask_program(), not from within that: a full path, lent;
 * NULL: unknown. An id that is not asked about any more is fine.
 */
void network_program(struct network *net, uint32_t id, const char *path,
		     uint64_t now_ns);

/*
 * The same if it could not be found out in time: what waits does not pass, as
 * a guest may have seen to that.
 */
void network_program_late(struct network *net, uint32_t id, uint64_t now_ns);

/*
 * May that be relayed, or go on after a change of rules? NETWORK_WAIT: env's
 * judged() will say so for the ticket.
 */
enum network_judgement network_judge(struct network *net,
				     const struct network_relay *relay,
				     uint32_t ticket, uint64_t now_ns);

void network_get_stats(const struct network *net, struct network_stats *out);

/* Check every invariant, by ASSERT; for tests, between turns. */
void network_check(const struct network *net);

#endif
