/* SPDX-License-Identifier: MIT */
/* test/unit/engine_framed.c - datagrams over a stream. */
#include "engine/framed.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "test.h"

static struct framed from, to;		/* large for a stack */
static uint8_t data[65536];

/* Each byte by itself, as a stream may well bring them. */
static void check_parts(void)
{
	static const uint8_t wire[] = { 0, 3, 'a', 'b', 'c', 0, 0, 0, 1, 'd' };
	static const struct { size_t behind; const char *is; } whole[] = {
		{ 5, "abc" }, { 7, "" }, { 10, "d" },
	};
	unsigned n = 0;
	void *p;

	for (size_t i = 0; i < sizeof(wire); i++) {
		CHECK("sent", send(from.fd, &wire[i], 1, 0) == 1);
		if (i + 1 < whole[n].behind) {
			CHECK("part", framed_recv(&to, &p) == -EAGAIN);
			continue;
		}
		CHECK("length", framed_recv(&to, &p) ==
		      (ssize_t)strlen(whole[n].is));
		CHECK("bytes", !memcmp(p, whole[n].is, strlen(whole[n].is)));
		CHECK("no more", framed_recv(&to, &p) == -EAGAIN);
		n++;
	}
	CHECK("all", n == 3);
}

/* Until there is no room: what is lost is lost whole, and is said to be. */
static void check_full(void)
{
	unsigned sent = 0, lost = 0, got = 0;
	ssize_t len;
	void *p;

	for (unsigned i = 0; i < 1000; i++) {
		memset(data, (int)i, 60000);
		if (framed_send(&from, data, 60000))
			sent++;
		else
			lost++;
	}
	CHECK("some of each", sent && lost);
	do {
		while ((len = framed_recv(&to, &p)) >= 0) {
			const uint8_t *b = p;

			CHECK("whole", len == 60000 && b[0] == b[59999] &&
			      !memcmp(b, b + 1, 59999));
			got++;
		}
		CHECK("no end", len == -EAGAIN);
		framed_flush(&from);
	} while (from.n_out || got < sent);
	CHECK("each", got == sent);
}

void test_engine_framed(void);
void test_engine_framed(void)
{
	int pair[2];
	void *p;

	CHECK("pair", socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0,
				 pair) == 0);
	from.fd = pair[0];
	to.fd = pair[1];
	check_parts();
	check_full();
	CHECK("too long", !framed_send(&from, data, sizeof(data)));
	CHECK("longest", framed_send(&from, data, 65507) &&
	      framed_recv(&to, &p) == 65507);
	CHECK("a part", send(from.fd, "\0\3a", 3, 0) == 3);
	close(from.fd);
	CHECK("its end", framed_recv(&to, &p) == -EPIPE);
	from.fd = to.fd;
	from.n_out = 0;
	CHECK("nobody", !framed_send(&from, data, 10));
	close(to.fd);
}
