/* SPDX-License-Identifier: MIT */
/*
 * load.c - clients and server of the benchmark, for what iperf3 has not
 *
 *	load serve ADDRESS PORT
 *	load rr|crr|udp-rr ADDRESS PORT SECONDS
 *	load hold ADDRESS PORT CONNECTIONS
 *	load share-up|share-down ADDRESS PORT+1 SECONDS CONNECTIONS
 *	load udp-up|udp-down ADDRESS PORT SECONDS MBIT BYTES BATCH
 */
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

struct address address_of(const char *ip, const char *port)
{
	struct address a = { .len = sizeof(struct sockaddr_in) };
	struct sockaddr_in *in = (void *)&a.sa;
	struct sockaddr_in6 *in6 = (void *)&a.sa;
	const uint16_t number = htons((uint16_t)atoi(port));

	if (inet_pton(AF_INET, ip, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		in->sin_port = number;
	} else if (inet_pton(AF_INET6, ip, &in6->sin6_addr) == 1) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = number;
		a.len = sizeof(*in6);
	} else {
		errno = EINVAL;
		fail(ip);
	}
	return a;
}

static int by_value(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

void print_latencies(uint64_t *ns, size_t n, uint64_t took_ns)
{
	if (!n) {
		errno = ENODATA;
		fail("nothing was answered");
	}
	qsort(ns, n, sizeof(*ns), by_value);
	printf("per_s %.1f p50_us %.2f p99_us %.2f n %zu\n",
	       (double)n * 1e9 / (double)took_ns, (double)ns[n / 2] / 1e3,
	       (double)ns[n * 99 / 100] / 1e3, n);
}

static int tcp_listener(const struct address *at)
{
	const int on = 1, fd = socket(at->sa.ss_family, SOCK_STREAM, 0);

	must(fd, "socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	must(bind(fd, (const void *)&at->sa, at->len), "bind");
	must(listen(fd, 4096), "listen");
	return fd;
}

/* Both protocols, and bulk at the port after it, each in its process. */
static void serve(const char *ip, const char *port)
{
	const struct address at = address_of(ip, port);
	const int room = 4 << 20, tcp = tcp_listener(&at);
	const int udp = socket(at.sa.ss_family, SOCK_DGRAM, 0);
	char next[8];
	struct address at_next;
	int bulk;

	snprintf(next, sizeof(next), "%d", atoi(port) + 1);
	at_next = address_of(ip, next);
	bulk = tcp_listener(&at_next);
	must(udp, "socket");
	setsockopt(udp, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	must(bind(udp, (const void *)&at.sa, at.len), "bind");
	printf("listening\n");
	fflush(stdout);
	if (must(fork(), "fork") == 0)
		serve_udp(udp);
	if (must(fork(), "fork") == 0)
		serve_bulk(bulk);
	serve_tcp(tcp);
}

static void all_descriptors(void)
{
	struct rlimit rl;

	getrlimit(RLIMIT_NOFILE, &rl);
	rl.rlim_cur = rl.rlim_max;
	setrlimit(RLIMIT_NOFILE, &rl);
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "";
	struct address to;

	all_descriptors();
	if (argc < 4)
		goto usage;
	if (!strcmp(mode, "serve"))
		serve(argv[2], argv[3]);
	to = address_of(argv[2], argv[3]);
	if (argc < 5)
		goto usage;
	if (!strcmp(mode, "rr")) {
		tcp_rr(&to, atof(argv[4]));
	} else if (!strcmp(mode, "crr")) {
		tcp_crr(&to, atof(argv[4]));
	} else if (!strcmp(mode, "hold")) {
		tcp_hold(&to, strtoul(argv[4], NULL, 10));
	} else if (argc == 6 && !strncmp(mode, "share-", 6)) {
		tcp_share(&to, atof(argv[4]), strtoul(argv[5], NULL, 10),
			  mode[6] == 'd');
	} else if (!strcmp(mode, "udp-rr")) {
		udp_rr(&to, atof(argv[4]));
	} else if (argc == 8 && !strncmp(mode, "udp-", 4)) {
		const struct stream s = {
			.seconds = atof(argv[4]), .mbit_s = atof(argv[5]),
			.bytes = (uint32_t)atoi(argv[6]),
			.batch = (uint32_t)atoi(argv[7]),
		};

		(mode[4] == 'u' ? udp_up : udp_down)(&to, &s);
	} else {
		goto usage;
	}
	return 0;
usage:
	fprintf(stderr, "usage: load serve ADDRESS PORT | "
		"rr|crr|udp-rr ADDRESS PORT SECONDS | hold ADDRESS PORT N | "
		"share-up|share-down ADDRESS PORT+1 SECONDS N | "
		"udp-up|udp-down ADDRESS PORT SECONDS MBIT BYTES BATCH\n");
	return 2;
}
