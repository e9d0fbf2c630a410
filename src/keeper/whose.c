/* SPDX-License-Identifier: MIT */
#include "keeper/whose.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <string.h>
#include <unistd.h>

#include "keeper/process.h"
#include "linux/channel.h"
#include "linux/messages.h"
#include "linux/ownerhelper.h"
#include "linux/sandbox.h"

/* Its ends of the channels, and the guest's namespaces. */
struct ends {
	int engine, keeper, user, net;
};

_Noreturn static void be_helper(struct ends *e)
{
	static struct ownerhelper helper;
	struct msg_failed failed = { .kind = MSG_OWNERS_FAILED };
	int *const kept[] = { &e->engine, &e->keeper, &e->user, &e->net };
	sigset_t none;

	/* The name's lock and ports of the host above all are not ours. */
	keeper_keep_only(kept, sizeof(kept) / sizeof(kept[0]));
	prctl(PR_SET_NAME, "slipway-owners");
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (ownerhelper_open(&helper, e->engine, e->keeper, e->user, e->net,
			     &failed.fail) ||
	    sandbox_enter(SANDBOX_OWNERS, &failed.fail)) {
		(void)!channel_send(e->keeper, &failed, sizeof(failed), NULL,
				    0);
		_exit(1);
	}
	if (e->user >= 0)
		close(e->user);
	if (e->net >= 0)
		close(e->net);
	ownerhelper_serve(&helper);
	_exit(0);
}

int whose_want(struct keeper *k)
{
	const struct msg_head m = { .kind = MSG_OWNERS };
	int ends[2], rc;

	if (k->whose.end >= 0 || k->whose.ch >= 0)
		return 0;
	rc = channel_pair(ends, false);
	if (rc < 0)
		return rc;
	rc = channel_send(k->engine_ch, &m, sizeof(m), &ends[0], 1);
	close(ends[0]);
	if (rc < 0) {
		close(ends[1]);
		return rc;
	}
	k->whose.end = ends[1];
	if (k->machine || k->ns.net >= 0)
		whose_start(k);
	return 0;
}

/* 0 or -errno. */
static int start(struct keeper *k)
{
	struct ends e = { .engine = k->whose.end, .user = k->ns.user,
			  .net = k->ns.net };
	int ch[2];
	int rc = channel_pair(ch, false);
	pid_t pid;

	if (rc < 0)
		return rc;
	e.keeper = ch[1];
	pid = fork();
	if (pid == 0)
		be_helper(&e);
	rc = pid < 0 ? -errno : 0;
	close(ch[1]);
	if (rc < 0) {
		close(ch[0]);
		return rc;
	}
	k->whose.pid = pid;
	k->whose.ch = ch[0];
	return 0;
}

void whose_start(struct keeper *k)
{
	int rc;

	if (k->whose.end < 0)
		return;
	rc = start(k);
	if (rc < 0)
		log_print(&k->in.log, LOG_ERROR, "the helper that tells "
			  "programs cannot be started: %s; rules that name "
			  "one match nothing", strerror(-rc));
	/* What waits in it for an answer is told so by its end. */
	close(k->whose.end);
	k->whose.end = -1;
}

void whose_event(struct keeper *k)
{
	struct msg_failed m;
	int fds[CHANNEL_MAX_FDS];
	size_t n_fds;
	const ssize_t n = channel_recv(k->whose.ch, &m, sizeof(m), fds,
				       &n_fds);

	while (n_fds > 0)
		close(fds[--n_fds]);
	if (n == sizeof(m) && m.kind == MSG_OWNERS_FAILED)
		log_print(&k->in.log, LOG_ERROR, "%s", m.fail.text);
	else
		log_write(&k->in.log, LOG_ERROR, "the helper that tells "
			  "programs has ended unexpectedly: killed, or a bug; "
			  "rules that name one match nothing until they are "
			  "changed, or the guest is started again");
	close(k->whose.ch);
	k->whose.ch = -1;
}
