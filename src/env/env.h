/* SPDX-License-Identifier: MIT */
/*
 * env/env.h - all that the core asks of the world, as tables of functions.
 *
 * linux/ implements them with system calls, sim/ with virtual time and
 * scripted hosts. Nothing here blocks. Failures are negative values of
 * enum env_error, so that the core knows no operating system's numbers.
 *
 * Sockets are named by a small int >= 0 (Linux: the descriptor). Events
 * come back by the owner's handle. Those of streams are edge-triggered:
 * after one, the core reads or writes until ENV_AGAIN, or remembers that
 * there is more. To be given less than there was room for says ENV_AGAIN,
 * too, but not once ENV_ENDED was told: then the end comes behind it; nor
 * once ENV_URGENT was, until that byte is read. Those of datagram sockets
 * repeat, once a turn, for as long as there is something to fetch; they are
 * never ENV_WRITABLE.
 */
#ifndef ENV_ENV_H
#define ENV_ENV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/frame.h"
#include "base/handle.h"
#include "base/log.h"
#include "base/network_blocked.h"
#include "base/span.h"

enum env_error {
	ENV_AGAIN = 1,		/* nothing now; an event will follow */
	ENV_REFUSED,		/* the far end refused the connection */
	ENV_NET_UNREACHABLE,
	ENV_HOST_UNREACHABLE,
	ENV_TIMED_OUT,
	ENV_RESET,		/* the far end reset the connection */
	ENV_ACCESS,		/* the host's rules forbid it */
	ENV_LIMIT,		/* out of descriptors, memory or ports */
	ENV_TOO_BIG,		/* datagram over what the path carries */
	ENV_OTHER,
};

enum env_event {
	ENV_READABLE = 1 << 0,
	ENV_WRITABLE = 1 << 1,
	ENV_FAILED = 1 << 2,	/* an error or a hang-up is to be fetched */
	ENV_ENDED = 1 << 3,	/* a stream's end is to be read */
	ENV_URGENT = 1 << 4,	/* a byte that is to be read is urgent: what is
				   read at once ends before it */
};

/*
 * One end of a byte stream: a host's TCP socket, or a service of the
 * gateway's own behind the same table.
 */
struct stream_ops {
	/*
	 * Outcome of the connect: 0 connected, -ENV_AGAIN still trying,
	 * else why it failed. To be asked after each event of a stream that
	 * connects; ENV_WRITABLE without ENV_FAILED says that it has.
	 */
	int (*connected)(void *ctx, int id);
	/* Bytes taken (> 0, may be fewer than offered), or -ENV_*. */
	int64_t (*send)(void *ctx, int id, const struct span *v, unsigned n);
	/* Bytes given (> 0), 0 at end of stream, or -ENV_*. */
	int64_t (*recv)(void *ctx, int id, const struct span *v, unsigned n);
	/* No more will be sent. */
	void (*shut)(void *ctx, int id);
	/* Give it back; reset: the far end is to see RST, not FIN. */
	void (*close)(void *ctx, int id, bool reset);
};

enum env_route {
	ENV_ROUTE_NONE,		/* no route to that address */
	ENV_ROUTE_WORLD,	/* elsewhere */
	ENV_ROUTE_HOST,		/* the host itself, in any spelling */
	ENV_ROUTE_OTHER,	/* broadcast, multicast, prohibited, … */
};

/* What there is to a datagram besides its addresses and bytes. */
struct env_mark {
	uint8_t ttl;		/* hop limit; 0: the host's own, or unknown */
	uint8_t tos;		/* traffic class: DSCP and ECN */
	/*
	 * Not 0: a batch. The bytes are datagrams of so many each, but for
	 * the last one, which may be shorter.
	 */
	uint16_t segment;
	/*
	 * Of sockets that were adopted: the host's address that it came to,
	 * or is to come from, and, where the address alone does not say it
	 * (link-local), its interface. All zero: the host's own choice.
	 */
	uint32_t dev;
	struct ip local;
};

/* A network error that the host learned of a datagram, ping or SYN sent. */
struct env_net_error {
	struct endpoint to;	/* where the failed datagram went; for a
				   ping, port is the echo identifier */
	struct ip offender;	/* who reported it; to.ip if the host did */
	uint8_t type, code;	/* ICMP or ICMPv6, as family of `to` */
	uint32_t mtu;		/* for too-big messages; for parameter
				   problems the place in the packet */
	size_t payload_bytes;	/* of the quoted datagram given back */
};

/* A socket whose program is asked for. */
struct env_socket {
	bool in_guest;		/* the guest's, else the host's */
	bool listens;		/* it waits for clients at local, or at any
				   address of that port; else it is at local,
				   and of TCP connected to remote */
	uint8_t protocol;	/* of IP */
	struct endpoint local, remote;
};

/* How the host's packets go to an address. */
struct env_path {
	uint32_t dev;		/* by which interface; 0: not known */
	uint32_t mtu;		/* that it says it has */
	bool tunnel;		/* a program carries them on, as a VPN does */
};

struct env_ops {
	/*
	 * TCP. A stream id (connecting) or -ENV_*; events go to owner.
	 * ttl: of its packets; 0: the host's own. mss: bytes in a segment at
	 * most, both ways; 0: as many as the host likes.
	 */
	int (*tcp_connect)(void *ctx, const struct endpoint *to, uint8_t ttl,
			   uint16_t mss, struct handle owner);
	struct stream_ops tcp;
	/*
	 * A connected stream that the driver has accepted gets its owner:
	 * events go there from now on. 0, or -ENV_LIMIT.
	 */
	int (*tcp_adopt)(void *ctx, int id, struct handle owner);
	/*
	 * From now on find out by oneself whether the far end is there, some
	 * minutes after it has gone: the stream fails then.
	 */
	void (*tcp_keepalive)(void *ctx, int id);
	/*
	 * It is one of about n streams that receive in bulk at once: let it
	 * hold its part of the memory that the host has for all of them. 0:
	 * as much as the host likes, as at first.
	 */
	void (*tcp_crowd)(void *ctx, int id, uint32_t n);
	/*
	 * The network's word on why a connect failed; false if there was
	 * none. Ports and payload are not told.
	 */
	bool (*tcp_error)(void *ctx, int id, struct env_net_error *out);

	/*
	 * The guest's agent (wire/agent.h) calls from that port of its: a
	 * stream to whoever hears it, connected, or -ENV_*. Only asked for
	 * with setup.agent.
	 */
	int (*agent_open)(void *ctx, const struct endpoint *from,
			  struct handle owner);
	struct stream_ops agent;

	/*
	 * Send one byte that is urgent (RFC 9293 section 3.8.5), behind what
	 * was sent. 1, or -ENV_*.
	 */
	int (*tcp_send_urgent)(void *ctx, int id, uint8_t byte);
	/* Of a stream that told ENV_URGENT: is that byte the next one? */
	bool (*tcp_at_urgent)(void *ctx, int id);

	/* Bytes that could be read of it now, an urgent one or not. */
	uint32_t (*tcp_unread)(void *ctx, int id);
	/* Read so many of them, for nobody. false: there are not so many. */
	bool (*tcp_skip)(void *ctx, int id, uint32_t bytes);

	/* Has the host lost the address that the stream is bound to? */
	bool (*tcp_stranded)(void *ctx, int id);
	/*
	 * Would a new stream to the same end go out by another interface and
	 * from another address, which this one's packets do not have?
	 */
	bool (*tcp_moved)(void *ctx, int id);
	/*
	 * Does the far end not acknowledge what was sent again and again,
	 * in segments that are larger than a narrow path takes? How often
	 * that was, since it has last; 0: not so.
	 */
	unsigned (*tcp_stalled)(void *ctx, int id);
	/*
	 * Has all that was sent been acknowledged, has nothing come for some
	 * seconds, and never a segment that is larger than a narrow path
	 * takes? Then the length of the packets that the far end may send;
	 * else 0. *gap: it has sent something that never came, as what lies
	 * behind it did.
	 */
	uint32_t (*tcp_waits)(void *ctx, int id, bool *gap);

	/* Datagrams: one unconnected socket. An id or -ENV_*. */
	int (*udp_open)(void *ctx, bool v6, struct handle owner);
	/*
	 * A datagram socket that the driver has bound gets its owner: events
	 * go there from now on, and marks tell `local`. 0, or -ENV_LIMIT.
	 */
	int (*udp_adopt)(void *ctx, int id, struct handle owner);
	/* Echo: the host chooses the identifier. -ENV_ACCESS: not allowed. */
	int (*ping_open)(void *ctx, bool v6, struct handle owner);
	/*
	 * Send one datagram (for a ping socket: ICMP echo message, whose id
	 * the host replaces; mark of NULL: all the host's). 0 or -ENV_*.
	 * A batch is one piece; some of it may have gone when it fails.
	 */
	int (*dgram_send)(void *ctx, int id, const struct endpoint *to,
			  const struct env_mark *mark, const struct span *v,
			  unsigned n);
	/*
	 * May what is sent be cut into fragments where the path is narrow,
	 * of IPv4 by routers, too? Else -ENV_TOO_BIG, and dgram_error()
	 * tells the MTU. At first: yes.
	 * mtu, of IPv6, where the sender alone cuts: into pieces of so many
	 * bytes, if what is sent must be cut at all; 0: as the path says.
	 */
	void (*dgram_fragment)(void *ctx, int id, bool v6, bool allowed,
			       uint16_t mtu);
	/*
	 * Receive one: its bytes (>= 0, cut to cap) or -ENV_*. -ENV_AGAIN
	 * ends the series; any other error may be followed by more.
	 */
	int64_t (*dgram_recv)(void *ctx, int id, struct endpoint *from,
			      struct env_mark *mark, void *buf, size_t cap);
	/* Next queued network error; false when there is none. */
	bool (*dgram_error)(void *ctx, int id, struct env_net_error *out,
			    void *payload, size_t cap);
	void (*dgram_close)(void *ctx, int id);

	/*
	 * Number n, from 0, of the host's own addresses: first those of the
	 * family asked for, then the others; neither loopback nor link-local.
	 * false: it has no more, or n is more than are told.
	 */
	bool (*host_address)(void *ctx, bool v6, unsigned n, struct ip *out);

	/* Where would the host send a packet for ip now? */
	enum env_route (*route)(void *ctx, const struct ip *ip);
	/* And how? What is not worth a care is told as not known. */
	void (*path)(void *ctx, const struct ip *ip, struct env_path *out);

	/*
	 * Memory for the stores of flows, zeroed or not. bytes is a power of
	 * two from 4 KiB to 4 MiB. NULL when the pool's limit is reached.
	 */
	void *(*mem_alloc)(void *ctx, size_t bytes);
	void (*mem_free)(void *ctx, void *p, size_t bytes);

	/*
	 * Put one frame on that link: the pieces in a row, starting with the
	 * Ethernet header, FRAME_SPANS_MAX at most. Taken or dropped at once:
	 * 0; ENV_AGAIN if it was taken and the link is full now; or -ENV_AGAIN
	 * if it was full. network_link_ready() follows then, if the link can
	 * tell. What the link cannot carry as it is, a batch or a
	 * checksum that is left to it, the driver cuts and completes; it
	 * carries whatever network_frame() was given, and what meta says of
	 * the frame is true. -ENV_OTHER: not sent, for meta.unread are not all
	 * there, or cannot be had this way.
	 */
	int (*link_send)(void *ctx, unsigned link,
			 const struct frame_meta *meta,
			 const struct span *v, unsigned n);
	/* Are bytes for it best left unread until it takes them? */
	bool (*link_takes_unread)(void *ctx, unsigned link);

	/*
	 * Put one IP packet on the host's own interface (network_setup.
	 * host_port): as link_send, but without Ethernet, and the offsets of
	 * meta count from the IP header.
	 */
	int (*host_send)(void *ctx, const struct frame_meta *meta,
			 const struct span *v, unsigned n);
	/*
	 * Does a socket of the host's own wait for clients at that port, at
	 * that address or at all of the family's?
	 */
	bool (*host_listens)(void *ctx, const struct endpoint *at, bool udp);

	/*
	 * Find out whose it is: network_program() will be given that id.
	 * false: nobody can, and it will not.
	 */
	bool (*ask_program)(void *ctx, uint32_t id,
			    const struct env_socket *what);
	/* network_judge() has made up its mind. */
	void (*judged)(void *ctx, uint32_t ticket, bool pass);
	/* The firewall has kept that from passing; what is borrowed. */
	void (*blocked)(void *ctx, const struct network_blocked *what);

	/* Unpredictable bytes. */
	void (*random)(void *ctx, void *buf, size_t len);
};

struct env {
	const struct env_ops *ops;
	void *ctx;
	struct log_sink log;
};

#endif
