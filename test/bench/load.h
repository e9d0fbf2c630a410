/* SPDX-License-Identifier: MIT */
/*
 * load.h - what the benchmark's clients and server share. What they found
 * they print as one line of names and values.
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <stddef.h>
#include <sys/socket.h>

#include "common.h"

struct address {
	struct sockaddr_storage sa;
	socklen_t len;
};

/* Numeric text only. Ends the program if it is none. */
struct address address_of(const char *ip, const char *port);

/* Latencies in nanoseconds, in no order: sorts them, prints p50 and p99. */
void print_latencies(uint64_t *ns, size_t n, uint64_t took_ns);

/* Each serves until the program is ended. */
_Noreturn void serve_tcp(int listener);
_Noreturn void serve_bulk(int listener);
_Noreturn void serve_udp(int sock);

/* One request of a byte after the other, on one connection each, or each
 * on one of its own. */
void tcp_rr(const struct address *to, double seconds);
void tcp_crr(const struct address *to, double seconds);

/* n connections, then a line, then end of input, then one byte each. */
void tcp_hold(const struct address *to, unsigned long n);

/*
 * n streams the same way at once, for `seconds` until they are at speed and
 * for as long again: what arrived of each in the second half.
 */
void tcp_share(const struct address *to, double seconds, unsigned long n,
	       int down);

/* A blocking socket, connected, without delay. Ends the program if not. */
int tcp_connected(const struct address *to);

void udp_rr(const struct address *to, double seconds);

struct stream {
	double seconds, mbit_s;
	uint32_t bytes;		/* of one datagram */
	uint32_t batch;		/* datagrams per call with UDP_SEGMENT; 0: none */
};

void udp_up(const struct address *to, const struct stream *s);
void udp_down(const struct address *to, const struct stream *s);

#endif
