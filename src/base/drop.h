/* SPDX-License-Identifier: MIT */
/* base/drop.h - why an input was refused; one counter per reason. */
#ifndef BASE_DROP_H
#define BASE_DROP_H

#include "base/check.h"

#define DROP_LIST(X)							\
	X(OK,		"accepted")					\
	X(SHORT,	"input ends before the format does")		\
	X(LENGTH,	"a length field is not one the format allows")	\
	X(VALUE,	"a field has a value the format does not allow")	\
	X(CHECKSUM,	"a checksum is wrong")				\
	X(NOTOURS,	"well formed, but not for this parser")		\
	X(ETHERTYPE,	"an Ethernet type that is not carried")		\
	X(NOTFORUS,	"Ethernet destination is another station")	\
	X(SOURCE,	"source address is not the guest's")		\
	X(DEST,		"destination address cannot be reached")	\
	X(PROTO,	"an IP protocol that is not carried")		\
	X(FRAGMENT,	"fragments that never made a datagram")		\
	X(POLICY,	"refused by host access")			\
	X(FIREWALL,	"blocked by the firewall")			\
	X(FLOWS,	"the flow table is full")			\
	X(NOFLOW,	"belongs to no flow")				\
	X(SEQUENCE,	"outside the receive window")			\
	X(SYSTEM,	"the host refused it")				\
	X(LINKFULL,	"the link took no more")			\
	X(AWAY,		"for a guest that is on no link now")		\
	X(ISOLATED,	"between guests that are isolated")		\
	X(ROLE,		"what only the gateway may say on a link")	\
	X(TOOBIG,	"the path takes no packet of that size")	\
	X(LIMIT,	"a limit was reached")

enum drop {
#define X(id, text) DROP_##id,
	DROP_LIST(X)
#undef X
	DROP_MAX
};

/* The text of a reason, for a table or a log; never NULL. */
const char *drop_text(enum drop drop);

/* The name of a reason as listed above ("SHORT"), for counters; never NULL. */
const char *drop_name(enum drop drop);

#endif
