/* SPDX-License-Identifier: MIT */
/*
 * wire/dhcp4.h - DHCPv4 messages: a client's parsed, a server's emitted.
 *
 * Source: RFC 2131 sections 2, 3 and 4.1 (format), RFC 2132 (options),
 * RFC 3046 (82), RFC 3397 (119), RFC 3442 (121), RFC 4039 (rapid commit),
 * RFC 6842 (client identifier echoed). Pure: no I/O, no state.
 */
#ifndef WIRE_DHCP4_H
#define WIRE_DHCP4_H

#include "base/addr.h"
#include "base/drop.h"
#include "base/span.h"
#include "base/wr.h"

#define DHCP4_FIXED_BYTES	240	/* BOOTP header plus magic cookie */
#define DHCP4_MIN_BYTES		300	/* of a reply: RFC 1542 section 2.1 */
#define DHCP4_MAX_BYTES		1472	/* of a reply; at MTU 1500 */
#define DHCP4_IP_BYTES		576	/* the datagram anybody must take */
#define DHCP4_SERVER_PORT	67
#define DHCP4_CLIENT_PORT	68

enum dhcp4_type {			/* option 53, RFC 2132 section 9.6 */
	DHCP4_DISCOVER = 1,
	DHCP4_OFFER,
	DHCP4_REQUEST,
	DHCP4_DECLINE,
	DHCP4_ACK,
	DHCP4_NAK,
	DHCP4_RELEASE,
	DHCP4_INFORM,
};

enum dhcp4_option {			/* RFC 2132 unless noted */
	DHCP4_OPT_PAD = 0, DHCP4_OPT_MASK = 1, DHCP4_OPT_ROUTER = 3,
	DHCP4_OPT_DNS = 6, DHCP4_OPT_HOSTNAME = 12, DHCP4_OPT_DOMAIN = 15,
	DHCP4_OPT_MTU = 26, DHCP4_OPT_BROADCAST = 28,
	DHCP4_OPT_REQUESTED_IP = 50, DHCP4_OPT_LEASE = 51,
	DHCP4_OPT_OVERLOAD = 52, DHCP4_OPT_TYPE = 53,
	DHCP4_OPT_SERVER_ID = 54, DHCP4_OPT_PARAMS = 55,
	DHCP4_OPT_MAX_SIZE = 57, DHCP4_OPT_T1 = 58, DHCP4_OPT_T2 = 59,
	DHCP4_OPT_CLIENT_ID = 61, DHCP4_OPT_RAPID_COMMIT = 80,
	DHCP4_OPT_AGENT = 82, DHCP4_OPT_SEARCH = 119,
	DHCP4_OPT_ROUTES = 121, DHCP4_OPT_END = 255,
};

/* One message from a client. Integers are in host byte order. */
struct dhcp4 {
	enum dhcp4_type type;
	uint32_t xid;			/* echoed in the reply */
	uint16_t flags;			/* echoed in the reply */
	bool broadcast;			/* client cannot take unicast yet */
	struct ip ciaddr;		/* 0.0.0.0 unless client is bound */
	struct ip giaddr;		/* 0.0.0.0 unless relayed */
	struct mac chaddr;
	struct ip requested;		/* option 50; 0.0.0.0 if absent */
	struct ip server_id;		/* option 54; 0.0.0.0 if absent */
	uint16_t max_bytes;		/* option 57, IP header on; 576 if absent */
	bool rapid_commit;		/* option 80 */
	struct view params;		/* option 55: codes wanted, in order */
	struct view client_id;		/* option 61: type byte, then id */
	struct view agent;		/* option 82 */
};

/**
 * dhcp4_parse() - read one BOOTREQUEST from a UDP payload
 * @msg:	UDP payload, borrowed; anything, no bytes included
 * @out:	filled on success only; its views point into msg
 *
 * Options go on in the fields `file` and `sname` if option 52 says so.
 * Unknown options are skipped. Bytes after the end option are ignored.
 * An option given twice is refused (RFC 2131 section 4.1: options may
 * appear only once); RFC 3396 concatenation is not supported, and no
 * option read here needs it.
 *
 * Return: DROP_OK, or
 *   DROP_SHORT		message or option cut off, or no end option
 *   DROP_LENGTH	option length other than RFC 2132 gives for it
 *   DROP_VALUE		bad cookie, hardware type, message type, overload;
 *			the client's Ethernet address is a group's;
 *			duplicate
 *   DROP_NOTOURS	a BOOTREPLY, a server's message, or plain BOOTP
 *			(no option 53)
 */
MUST enum drop dhcp4_parse(struct view msg, struct dhcp4 *out);

/* Does the client ask for that option? Without a list it asks for all. */
bool dhcp4_wants(const struct dhcp4 *m, enum dhcp4_option code);

/* One message from the server. What is 0 or empty is left out. */
struct dhcp4_reply {
	enum dhcp4_type type;		/* OFFER, ACK or NAK */
	struct ip ciaddr, yiaddr;	/* as the fields; may be 0.0.0.0 */
	struct ip server_id;
	uint32_t lease_s, t1_s, t2_s;	/* all or none */
	bool rapid_commit;
	struct ip mask, router, dns, broadcast, default_route;
	uint16_t mtu;
	const char *hostname, *search;	/* borrowed; NULL or "" none */
};

/**
 * dhcp4_emit() - write a reply
 * @w:		gets the UDP payload, DHCP4_MIN_BYTES at least
 * @m:		what is answered: xid, flags, chaddr, client identifier and
 *		agent's option are echoed
 * @r:		the answer
 * @max_bytes:	of the payload, DHCP4_MIN_BYTES or more; options that do not
 *		fit are left out, the less important ones first
 */
void dhcp4_emit(struct wr *w, const struct dhcp4 *m,
		const struct dhcp4_reply *r, size_t max_bytes);

#endif
