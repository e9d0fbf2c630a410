/* SPDX-License-Identifier: MIT */
/*
 * test/unit/linux_unread.c - a real socket's bytes, copied and left there
 */
#include "linux/unread.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "test.h"

#define BYTES	60000u

static uint8_t pattern(uint32_t i)
{
	return (uint8_t)(i % 251);
}

/* Two ends of a TCP connection: to write, and to read. */
static void connected(int family, int fd[2])
{
	struct sockaddr_storage a = { .ss_family = (sa_family_t)family };
	socklen_t len = sizeof(a);
	const int l = socket(family, SOCK_STREAM, 0);

	if (family == AF_INET6)
		((struct sockaddr_in6 *)(void *)&a)->sin6_addr =
			in6addr_loopback;
	else
		((struct sockaddr_in *)(void *)&a)->sin_addr.s_addr =
			htonl(INADDR_LOOPBACK);
	len = family == AF_INET6 ? sizeof(struct sockaddr_in6) :
				   sizeof(struct sockaddr_in);
	fd[0] = socket(family, SOCK_STREAM, 0);
	if (l < 0 || fd[0] < 0 || bind(l, (void *)&a, len) < 0 ||
	    listen(l, 1) < 0 || getsockname(l, (void *)&a, &len) < 0 ||
	    connect(fd[0], (void *)&a, len) < 0)
		abort();
	fd[1] = accept(l, NULL, NULL);
	if (fd[1] < 0)
		abort();
	close(l);
}

/* Until so many bytes are there. */
static void await(int fd, int bytes)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	if (setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &bytes,
		       sizeof(bytes)) < 0 || poll(&p, 1, 10000) != 1)
		abort();
}

/* Copied in two pieces, of which the first is odd: are they those? */
static bool copies(int fd, bool seek, uint32_t at, uint32_t bytes,
		   uint32_t begins)
{
	static uint8_t a[BYTES], b[BYTES];
	const uint32_t first = bytes / 3;
	const struct span v[2] = { { a, first }, { b, bytes - first } };
	const struct frame_unread what = {
		.id = fd, .seek = seek, .at = at, .bytes = bytes,
	};

	memset(a, 0, sizeof(a));
	memset(b, 0, sizeof(b));
	if (unread_copy(&what, v, 2) < 0)
		return false;
	for (uint32_t i = 0; i < bytes; i++)
		if ((i < first ? a[i] : b[i - first]) != pattern(begins + i))
			return false;
	return true;
}

static void check_family(int family)
{
	static uint8_t data[BYTES];
	int fd[2];

	for (uint32_t i = 0; i < BYTES; i++)
		data[i] = pattern(i);
	connected(family, fd);
	CHECK("written", write(fd[0], data, BYTES) == BYTES);
	await(fd[1], BYTES);
	CHECK("from the start", copies(fd[1], true, 0, 1000, 0));
	CHECK("on from there", copies(fd[1], false, 1000, 20000, 1000));
	CHECK("further on", copies(fd[1], true, 30000, 10000, 30000));
	CHECK("once more", copies(fd[1], true, 500, 700, 500));
	CHECK("some are read",
	      recv(fd[1], NULL, 900, MSG_TRUNC | MSG_DONTWAIT) == 900);
	CHECK("on, though", copies(fd[1], false, 300, 5000, 1200));
	CHECK("from what is next", copies(fd[1], true, 0, 300, 900));
	CHECK("to the end", copies(fd[1], true, BYTES - 1000, 100,
				   BYTES - 100));
	CHECK("not behind it", !copies(fd[1], false, BYTES - 900, 1, 0));
	CHECK("nor over it", !copies(fd[1], true, BYTES - 950, 51, 0));
	CHECK("all are still there",
	      recv(fd[1], data, BYTES, MSG_DONTWAIT) == BYTES - 900 &&
	      data[0] == pattern(900));
	close(fd[0]);
	CHECK("nothing at the end", !copies(fd[1], true, 0, 1, 0));
	close(fd[1]);
	CHECK("of no socket", !copies(fd[1], true, 0, 1, 0));
}

void test_linux_unread(void);
void test_linux_unread(void)
{
	if (!unread_is_sound())
		return;
	check_family(AF_INET);
	check_family(AF_INET6);
}
