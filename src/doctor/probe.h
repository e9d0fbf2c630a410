/* SPDX-License-Identifier: MIT */
/*
 * doctor/probe.h - one thing tried over the network, and what came of it
 *
 * All block, for no longer than they are told, in the caller's network
 * namespace. What comes back is read within bounds and believed only if it
 * holds a word that nobody else knows (TCP), or answers the question (DNS).
 */
#ifndef DOCTOR_PROBE_H
#define DOCTOR_PROBE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/addr.h"
#include "base/check.h"

#define PROBE_WORD_BYTES 17	/* 16 characters and NUL */

/* A word that nobody can guess. */
void probe_word(char word[PROBE_WORD_BYTES]);

/*
 * A listening socket; port 0: one that is free, at *at on return. Descriptor,
 * close-on-exec, or -errno.
 */
MUST int probe_listen(struct endpoint *at);

/*
 * A process that answers whoever connects to one of n sockets with an HTTP
 * response whose body is word. It ends with its parent, or by
 * probe_serve_end(). Its id, or -errno.
 */
MUST pid_t probe_serve(const int *fds, unsigned n, const char *word);
void probe_serve_end(pid_t server);

/**
 * probe_tcp() - connect, and ask who is there
 * @word:	what the server is to say; NULL: to connect is enough
 * @ms:		for how long
 *
 * Return: 0; -EPROTO: somebody else is there; -ETIMEDOUT; -errno of the
 * connect.
 */
MUST int probe_tcp(const struct endpoint *to, const char *word, int ms);

/* The same again and again, for as long as it is refused. */
MUST int probe_tcp_soon(const struct endpoint *to, const char *word, int ms);

#define PROBE_ADDRESSES	4
#define PROBE_NAME_BYTES 64	/* longer ones are left out */

struct probe_answer {
	unsigned rcode;			/* enum dns_rcode, and others */
	unsigned n;
	struct ip ip[PROBE_ADDRESSES];	/* the first of its addresses */
	char name[PROBE_NAME_BYTES];	/* of the first PTR; "" if none */
};

/**
 * probe_dns() - ask a DNS server
 * @name:	without a final dot; "" is the root
 * @type:	enum dns_type
 * @ms:		for how long; over UDP it is asked again after half of that
 *
 * Return: 0, also for an answer that says no; -ETIMEDOUT; -ECONNREFUSED and
 * other errors of sockets; -EPROTO: what answers does not speak DNS.
 */
MUST int probe_dns(const struct endpoint *server, bool tcp, const char *name,
		   uint16_t type, int ms, struct probe_answer *out);

/*
 * Ask a server for what all know, the servers of the root. 0: it answers;
 * -EREMOTEIO: SERVFAIL, those it asks do not; -EACCES: it refuses; else as
 * probe_dns().
 */
MUST int probe_root(const struct ip *server, int ms);

/* What a packet of some size came to. */
enum probe_size {
	SIZE_PASSES,
	SIZE_TOO_BIG,			/* said somebody: *mtu, 0 not said */
	SIZE_SILENT,
	SIZE_UNREACHABLE,
	SIZE_FORBIDDEN,			/* we may not ping */
};

/*
 * Ping with an IP packet of so many bytes that may not be fragmented, up to
 * `tries' times, ms each.
 */
MUST enum probe_size probe_ping(const struct ip *to, unsigned bytes,
				unsigned tries, int ms, unsigned *mtu);

enum path_kind {
	PATH_CLEAR,			/* `bytes' pass, as the route has it */
	PATH_NARROW,			/* `bytes' pass, more is said not to */
	PATH_HOLE,			/* `bytes' pass, more vanishes */
	PATH_SILENT,			/* nothing is answered */
	PATH_UNREACHABLE,
	PATH_FORBIDDEN,
};

struct path {
	enum path_kind kind;
	unsigned bytes;
	unsigned route;			/* what the route has it to carry */
};

/* How large packets may be on the way to an address. */
void probe_path(const struct ip *to, struct path *out);

#endif
