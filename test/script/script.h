/* SPDX-License-Identifier: MIT */
/*
 * test/script/script.h - a conformance script, read from its text.
 *
 * Theory of operation
 * ===================
 *
 * In the manner of packetdrill: each line is an event, with its time. The
 * guest and the host are played by the script, the gateway between them is
 * the real core over test/script/fake.c, in virtual time.
 *
 *   # RFC 9293 3.10.7.4: what the script shows   (one or more; the head)
 *   set mtu 1400                                 (before the first event)
 *   0     > S 0:0(0) win 65535 <mss 1460,sackOK> (the guest sends)
 *   +0    host connects                          (the host does)
 *   +0    < S. 0:0(0) ack 1 win ... <mss *>      (the gateway must send)
 *   +0.2  host has 1000                          (the host must have got)
 *   +0    host writes 10 urgent                  (so is the last one)
 *   &     > . 1:1(0) ack 1 win 65535             (in the same turn)
 *
 * Time is in seconds: absolute, "+" relative to the event before, a range
 * "+0.1~0.2" where something is expected. What the gateway sends must be
 * expected, all of it, in its order, with TOLERANCE_NS. In an expectation
 * "*" stands for any word, "..." for anything.
 *
 * Numbers are relative as in packetdrill: the guest's to its first SYN
 * (set iss N), the gateway's to its SYN-ACK, whose timestamp is 0 too; the
 * gateway's are absolute as long as it has sent none, and begin anew with
 * a new connection (not after "set keep-iss"). Every byte carried
 * is checked against a pattern, and every checksum.
 */
#ifndef SCRIPT_H
#define SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"

#define SCRIPT_LINES	200
#define SCRIPT_TEXT	256		/* bytes of a line, with its NUL */
#define TOLERANCE_NS	INT64_C(2100000)	/* two ticks of base/wheel.h */

enum line_kind {
	LINE_GUEST,		/* "> …": text is what follows */
	LINE_EXPECT,		/* "< …" or "host gets …": all of it */
	LINE_HOST,		/* "host …": what follows */
	LINE_GATEWAY,		/* "gateway counts 2 retransmits" */
	LINE_LINK,		/* "link full", "link free" (it does not tell),
				   "link room" (it does), or "link forgets"
				   what was seen and not expected yet */
};

struct line {
	unsigned number;	/* from 1 */
	enum line_kind kind;
	bool same_turn, relative;
	int64_t from_ns, to_ns;
	char text[SCRIPT_TEXT];	/* words parted by one space each */
};

struct script {
	const char *path;	/* borrowed for the script's life */
	unsigned mtu;
	uint32_t iss;		/* the guest's */
	bool v6, host_access;
	bool keep_iss;		/* the gateway's, for later connections */
	unsigned clauses;	/* named in the head */
	unsigned n;
	struct line line[SCRIPT_LINES];
};

/* Read a script; false, and told why on stderr, if it is not one. */
MUST bool script_read(const char *path, struct script *s);

/* Does text match the pattern, with its "*" and "..."? */
bool script_match(const char *pattern, const char *text);

#endif
