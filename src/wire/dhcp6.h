/* SPDX-License-Identifier: MIT */
/*
 * wire/dhcp6.h - DHCPv6 messages: a client's parsed, a server's emitted.
 *
 * Source: RFC 8415 sections 7, 8, 11 and 21, RFC 3646 (23, 24). Relayed
 * messages are not read. Pure: no I/O, no state.
 */
#ifndef WIRE_DHCP6_H
#define WIRE_DHCP6_H

#include "base/addr.h"
#include "base/drop.h"
#include "base/span.h"
#include "base/wr.h"

#define DHCP6_CLIENT_PORT	546
#define DHCP6_SERVER_PORT	547
#define DHCP6_DUID_MAX		130	/* RFC 8415 section 11.1 */
#define DHCP6_IAS_MAX		8	/* in one message */
#define DHCP6_ADDRS_MAX		8	/* in one message, of all its IAs */
#define DHCP6_REPLY_BYTES	1200	/* longest reply: room in the least MTU */

enum dhcp6_type {			/* RFC 8415 section 7.3 */
	DHCP6_SOLICIT = 1,
	DHCP6_ADVERTISE,
	DHCP6_REQUEST,
	DHCP6_CONFIRM,
	DHCP6_RENEW,
	DHCP6_REBIND,
	DHCP6_REPLY,
	DHCP6_RELEASE,
	DHCP6_DECLINE,
	DHCP6_RECONFIGURE,
	DHCP6_INFORMATION,
};

enum dhcp6_option {			/* RFC 8415 section 21 unless noted */
	DHCP6_OPT_CLIENT_ID = 1, DHCP6_OPT_SERVER_ID = 2,
	DHCP6_OPT_IA_NA = 3, DHCP6_OPT_IA_TA = 4, DHCP6_OPT_IA_ADDR = 5,
	DHCP6_OPT_ORO = 6, DHCP6_OPT_PREFERENCE = 7, DHCP6_OPT_STATUS = 13,
	DHCP6_OPT_RAPID_COMMIT = 14,
	DHCP6_OPT_DNS = 23, DHCP6_OPT_SEARCH = 24,	/* RFC 3646 */
	DHCP6_OPT_IA_PD = 25, DHCP6_OPT_REFRESH = 32,
};

enum dhcp6_status {			/* RFC 8415 section 21.13 */
	DHCP6_SUCCESS = 0,
	DHCP6_NO_ADDRS = 2,
	DHCP6_NO_BINDING = 3,
	DHCP6_NOT_ON_LINK = 4,
	DHCP6_USE_MULTICAST = 5,
	DHCP6_NO_PREFIX = 6,
};

/* An association that a client asks for or has (RFC 8415 section 12). */
struct dhcp6_ia {
	uint16_t kind;			/* DHCP6_OPT_IA_NA, _TA or _PD */
	uint32_t id;
	uint8_t first, n;		/* its addresses, in dhcp6.addr */
};

/* One message from a client. */
struct dhcp6 {
	enum dhcp6_type type;		/* of a client's */
	uint32_t xid;			/* 24 bits, echoed */
	struct view client_id;		/* .p NULL: absent */
	struct view server_id;		/* likewise */
	bool rapid_commit;
	bool has_oro, wants_dns, wants_search, wants_refresh;
	unsigned n_ia, n_addr;
	struct dhcp6_ia ia[DHCP6_IAS_MAX];
	struct ip addr[DHCP6_ADDRS_MAX];
};

/**
 * dhcp6_parse() - read one message of a client from a UDP payload
 * @msg:	UDP payload, borrowed; anything, no bytes included
 * @out:	filled on success only; its views point into msg
 *
 * Unknown options are skipped. What the sections 16.2 to 16.12 of RFC 8415
 * want discarded for what it holds or lacks, whoever the server is, is
 * refused here.
 *
 * Return: DROP_OK, or
 *   DROP_SHORT		message or option cut off
 *   DROP_LENGTH	option length other than RFC 8415 gives for it, or an
 *			identifier longer than it allows
 *   DROP_VALUE		an identifier missing, given twice or where none may
 *			be; an address of IPv4
 *   DROP_LIMIT		more than DHCP6_IAS_MAX or DHCP6_ADDRS_MAX
 *   DROP_NOTOURS	a server's or a relay's message
 */
MUST enum drop dhcp6_parse(struct view msg, struct dhcp6 *out);

/* What becomes of one association. */
struct dhcp6_grant {
	uint16_t kind;
	uint32_t id;
	bool has_addr;			/* granted, of the lifetimes below */
	enum dhcp6_status status;	/* else the reason, unless success */
	uint8_t first, n;		/* in dhcp6.addr: no longer valid */
};

/* One message from the server. */
struct dhcp6_reply {
	enum dhcp6_type type;		/* ADVERTISE or REPLY */
	struct mac server;		/* our DUID-LL (RFC 8415 section 11.4) */
	bool has_status;		/* of the message as a whole */
	enum dhcp6_status status;
	bool rapid_commit;
	struct ip addr;			/* of each grant that has one */
	uint32_t preferred_s, valid_s;
	unsigned n_grants;
	struct dhcp6_grant grant[DHCP6_IAS_MAX];
	struct ip dns;			/* :: none */
	const char *search;		/* borrowed; "" or NULL none */
	uint32_t refresh_s;		/* 0: none */
};

/*
 * Write a reply to m, whose transaction and client identifier it echoes;
 * DHCP6_REPLY_BYTES always suffice.
 */
void dhcp6_emit(struct wr *w, const struct dhcp6 *m,
		const struct dhcp6_reply *r);

/* Is that the DUID of the server with this MAC? */
bool dhcp6_is_server(struct view duid, const struct mac *server);

#endif
