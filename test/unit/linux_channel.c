/* SPDX-License-Identifier: MIT */
/* test/unit/linux_channel.c - messages whole, descriptors owned once. */
#include "linux/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "test.h"

static int pair(int ends[2])
{
	const int err = channel_pair(ends, true);

	CHECK("pair", err == 0);
	return err;
}

static void done(const int ends[2])
{
	close(ends[0]);
	close(ends[1]);
}

static unsigned count_fds(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void check_messages(void)
{
	int ends[2], fds[CHANNEL_MAX_FDS];
	char buf[8];
	size_t n;

	if (pair(ends))
		return;
	CHECK("empty", channel_recv(ends[1], buf, 8, fds, &n) == -EAGAIN);
	CHECK("send", channel_send(ends[0], "one", 3, NULL, 0) == 0);
	CHECK("send", channel_send(ends[0], "twotwotwo", 9, NULL, 0) == 0);
	CHECK("send", channel_send(ends[0], "three", 5, NULL, 0) == 0);
	CHECK("first", channel_recv(ends[1], buf, 8, fds, &n) == 3 &&
		       n == 0 && memcmp(buf, "one", 3) == 0);
	CHECK("long", channel_recv(ends[1], buf, 8, fds, &n) == -EMSGSIZE);
	CHECK("third", channel_recv(ends[1], buf, 8, fds, &n) == 5);
	done(ends);
}

static void check_descriptors(size_t count)
{
	const unsigned before = count_fds();
	int ends[2], out[CHANNEL_MAX_FDS], fds[CHANNEL_MAX_FDS];
	char buf[8], byte;
	size_t n = 99;

	if (pair(ends))
		return;
	for (size_t i = 0; i < count; i++)
		out[i] = ends[0];
	CHECK("send", channel_send(ends[1], "x", 1, out, count) == 0);
	CHECK("recv", channel_recv(ends[0], buf, 8, fds, &n) == 1);
	CHECK("all came", n == count);
	for (size_t i = 0; i < n; i++) {
		CHECK("not inherited", fcntl(fds[i], F_GETFD) & FD_CLOEXEC);
		CHECK("alive", read(fds[i], &byte, 1) < 0 && errno == EAGAIN);
		close(fds[i]);
	}

	/* Refused for its length: its descriptors are not left open. */
	CHECK("send", channel_send(ends[1], "12345678+", 9, out, count) == 0);
	CHECK("long", channel_recv(ends[0], buf, 8, fds, &n) == -EMSGSIZE);
	CHECK("none", n == 0);
	done(ends);
	CHECK("no leak", count_fds() == before);
}

static void check_end(bool unread)
{
	int ends[2], fds[CHANNEL_MAX_FDS];
	char buf[8];
	size_t n;

	if (pair(ends))
		return;
	CHECK("send", channel_send(ends[1], "last", 4, NULL, 0) == 0);
	if (unread)		/* then the kernel says ECONNRESET first */
		CHECK("send", !channel_send(ends[0], "lost", 4, NULL, 0));
	close(ends[1]);
	CHECK("what was sent", channel_recv(ends[0], buf, 8, fds, &n) == 4);
	CHECK("end", channel_recv(ends[0], buf, 8, fds, &n) == 0);
	CHECK("end", channel_recv(ends[0], buf, 8, fds, &n) == 0);
	CHECK("gone", channel_send(ends[0], "x", 1, NULL, 0) == -EPIPE);
	close(ends[0]);
}

static void check_full(void)
{
	int ends[2], err = 0;
	unsigned sent = 0;

	if (pair(ends))
		return;
	while (sent < 100000 && !err) {
		err = channel_send(ends[0], "x", 1, NULL, 0);
		sent += !err;
	}
	CHECK("full", err == -EAGAIN && sent > 0);
	done(ends);
}

void test_linux_channel(void);
void test_linux_channel(void)
{
	check_messages();
	for (size_t count = 0; count <= CHANNEL_MAX_FDS; count++)
		check_descriptors(count);
	check_end(false);
	check_end(true);
	check_full();
}
