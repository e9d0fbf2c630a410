/* SPDX-License-Identifier: MIT */
/*
 * test/unit/engine_start.c - a real engine, without a link: it has done what
 * it was told before it says that it is ready, so whoever begins then finds
 * the name servers and rules in force.
 */
#include "engine/engine.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "linux/channel.h"
#include "linux/messages.h"
#include "test.h"

#define SIGNALS	3

static const int fatal[SIGNALS] = { SIGILL, SIGSEGV, SIGBUS };

/* What it says next; 0: nothing more. */
static uint32_t word(int ch)
{
	union {
		uint32_t kind;
		struct msg_engine_ready ready;
		struct msg_failed failed;
		struct msg_guests guests;
		struct msg_stats stats;
	} m = { .kind = 0 };
	int fds[CHANNEL_MAX_FDS];
	size_t n_fds = 0;

	if (channel_recv(ch, &m, sizeof(m), fds, &n_fds) <= 0)
		return 0;
	if (m.kind == MSG_ENGINE_FAILED)
		fprintf(stderr, "%s\n", m.failed.fail.text);
	return m.kind;
}

/* cmocka's handlers would have a second one of us run the tests. */
static pid_t start(const struct engine_setup *s)
{
	void (*was[SIGNALS])(int);
	pid_t pid;

	for (unsigned i = 0; i < SIGNALS; i++)
		was[i] = signal(fatal[i], SIG_DFL);
	pid = engine_start(s);
	for (unsigned i = 0; i < SIGNALS; i++)
		signal(fatal[i], was[i]);
	return pid;
}

void test_engine_start(void);
void test_engine_start(void)
{
	struct engine_setup s = {
		.gateway_mac = { { 2, 0, 0, 0, 0, 1 } },
		.guest_mac = { { 2, 0, 0, 0, 0, 2 } },
		.net4 = { .ip = ip_from_v4(0xac100000u), .bits = 20 },
		.gateway4 = ip_from_v4(0xac100001u),
		.guest4 = ip_from_v4(0xac100002u),
		.mtu = 1500, .host_fd = -1, .inside_ch = -1,
	};
	const struct msg_resolvers told = { .kind = MSG_RESOLVERS, .n = 1 };
	const struct msg_head asked = { .kind = MSG_STATS_GET };
	int ch[2];
	pid_t pid;

	CHECK("a channel", channel_pair(ch, false) == 0);
	CHECK("told", channel_send(ch[0], &told, sizeof(told), NULL, 0) == 0);
	CHECK("asked", channel_send(ch[0], &asked, sizeof(asked), NULL,
				    0) == 0);
	s.keeper_ch = ch[1];
	pid = start(&s);
	CHECK("an engine", pid > 0);
	close(ch[1]);
	CHECK("its guests", word(ch[0]) == MSG_GUESTS);
	CHECK("its answer", word(ch[0]) == MSG_STATS);
	CHECK("then it is ready", word(ch[0]) == MSG_ENGINE_READY);
	close(ch[0]);
	CHECK("it ends with us", waitpid(pid, NULL, 0) == pid);
}
