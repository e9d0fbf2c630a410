/* SPDX-License-Identifier: MIT */
#include "keeper/ending.h"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "keeper/process.h"
#include "linux/channel.h"
#include "linux/messages.h"

#define END_NS		(500 * MS_NS)
#define LAST_WORDS	1024		/* of the engine's */

/* Wait for a child until then; true if it has gone. */
static bool reap(const struct keeper *k, pid_t pid, uint64_t until_ns)
{
	struct pollfd p = { .fd = k->signal_fd, .events = POLLIN };
	struct signalfd_siginfo si;

	for (;;) {
		const uint64_t now = keeper_now_ns();

		if (pid <= 0 || waitpid(pid, NULL, WNOHANG) != 0)
			return true;
		if (now >= until_ns)
			return false;
		poll(&p, 1, (int)((until_ns - now) / MS_NS) + 1);
		while (read(k->signal_fd, &si, sizeof(si)) > 0)
			;
	}
}

/* What an allow list has kept from the command, for its terminal. */
static void sum_up(struct keeper *k)
{
	static struct front_summary m = { .kind = FRONT_SUMMARY };

	if (!k->in.config->quiet &&
	    blocked_summary(&k->blocked, m.text, sizeof(m.text)))
		(void)!channel_send(k->front_ch, &m, sizeof(m), NULL, 0);
}

/* What the engine has said and we have not heard: the last that it blocked. */
static void hear_out(struct keeper *k)
{
	int fds[CHANNEL_MAX_FDS];
	size_t n_fds = 0;
	union {
		struct msg_blocked blocked;
		struct msg_hits longest;
	} m;

	for (unsigned i = 0; i < LAST_WORDS; i++) {
		const ssize_t n = channel_recv(k->engine_ch, &m, sizeof(m),
					       fds, &n_fds);

		while (n_fds)
			close(fds[--n_fds]);
		if (n <= 0)
			break;
		if (n == sizeof(m.blocked) && m.blocked.kind == MSG_BLOCKED)
			firewalling_blocked(k, &m.blocked.what);
	}
	logwriter_close(&k->blocked.log);
}

_Noreturn void ending(struct keeper *k)
{
	const struct front_head gone = { .kind = FRONT_GONE };
	uint64_t until_ns;

	forwards_shut(&k->forwards);
	mirrors_shut(&k->mirrors);
	agents_shut(k);
	published_shut(&k->published);
	if (k->engine_up)
		hear_out(k);
	/* Whoever joins next may have the name at once. */
	if (k->join_fd >= 0)
		close(k->join_fd);
	instance_close(&k->in, k->in.config->verbose || k->failed.kind);
	if (k->failed.kind)
		(void)!channel_send(k->front_ch, &k->failed,
				    sizeof(k->failed), NULL, 0);
	if (!k->failed.kind && k->bye) {
		sum_up(k);
		(void)!channel_send(k->front_ch, &gone, sizeof(gone), NULL,
				    0);
	}
	close(k->front_ch);
	close(k->engine_ch);
	close(k->inside_ch);
	if (k->whose.ch >= 0)
		close(k->whose.ch);
	until_ns = keeper_now_ns() + END_NS;
	if (!reap(k, k->engine, until_ns))
		kill(k->engine, SIGKILL);
	if (!reap(k, k->inside, until_ns))
		kill(k->inside, SIGKILL);
	if (!reap(k, k->blocked.log.pid, until_ns))
		kill(k->blocked.log.pid, SIGKILL);
	if (!reap(k, k->whose.pid, until_ns))
		kill(k->whose.pid, SIGKILL);
	/* Clients of `stop` see end of file now: all is gone. */
	_exit(0);
}
