/* SPDX-License-Identifier: MIT */
#include "linux/ownerhelper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "linux/channel.h"
#include "linux/messages.h"

#define GUEST_DEV	"eth0"		/* what linux/guestns.c calls it */

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* ---- start ---- */

#define SOCKFIND_FDS	5

/* The descriptors come with it: those that there are. */
struct entered {
	int32_t error;
	uint32_t dev, mask;
};

static void list_fds(struct sockfind *f, int *all[SOCKFIND_FDS])
{
	int *const fds[SOCKFIND_FDS] = { &f->diag, &f->ping[0], &f->ping[1],
					 &f->raw[0], &f->raw[1] };

	memcpy(all, fds, sizeof(fds));
}

static int enter(int user, int net)
{
	if (user >= 0 && setns(user, CLONE_NEWUSER))
		return -errno;
	return setns(net, CLONE_NEWNET) ? -errno : 0;
}

/* The child's whole life: nobody in there is to get hold of it. */
_Noreturn static void open_inside(int ch, int user, int net)
{
	struct sockfind f = SOCKFIND_NONE;
	struct entered m = { .mask = 0 };
	int *all[SOCKFIND_FDS], fds[SOCKFIND_FDS];
	size_t n = 0;

	prctl(PR_SET_DUMPABLE, 0);
	m.error = -enter(user, net);
	if (!m.error)
		m.error = -sockfind_open(&f, GUEST_DEV);
	m.dev = f.dev;
	list_fds(&f, all);
	for (unsigned i = 0; i < SOCKFIND_FDS; i++) {
		if (*all[i] < 0)
			continue;
		fds[n++] = *all[i];
		m.mask |= 1u << i;
	}
	_exit(channel_send(ch, &m, sizeof(m), fds, n) < 0);
}

/* What the child sends. 0 or -errno. */
static int take_entered(int ch, struct sockfind *out)
{
	struct entered m = { .error = EIO };
	int fds[CHANNEL_MAX_FDS], *all[SOCKFIND_FDS];
	struct sockfind f = SOCKFIND_NONE;
	size_t n_fds, at = 0;
	const ssize_t n = channel_recv(ch, &m, sizeof(m), fds, &n_fds);

	if (n < 0)
		return (int)n;
	if (n != sizeof(m))
		return -EIO;
	f.dev = m.dev;
	list_fds(&f, all);
	for (unsigned i = 0; i < SOCKFIND_FDS && at < n_fds; i++)
		if (m.mask & 1u << i)
			*all[i] = fds[at++];
	*out = f;
	return -m.error;
}

static int open_guest(struct sockfind *out, int user, int net)
{
	int ch[2], rc = channel_pair(ch, false);
	pid_t pid;

	if (rc < 0)
		return rc;
	pid = fork();
	if (pid == 0) {
		close(ch[0]);
		open_inside(ch[1], user, net);
	}
	rc = pid < 0 ? -errno : 0;
	close(ch[1]);
	if (!rc)
		rc = take_entered(ch[0], out);
	close(ch[0]);
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return rc;
}

static int open_host(struct ownerhelper_side *host)
{
	const int net = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	const int rc = net < 0 || !procscan_name(net, host->net) ? -errno :
								   0;

	if (net >= 0)
		close(net);
	return rc ? rc : sockfind_open(&host->sockets, "");
}

int ownerhelper_open(struct ownerhelper *o, int engine, int keeper, int user,
		     int net, struct fail *fail)
{
	int rc;

	*o = (struct ownerhelper){
		.engine = engine, .keeper = keeper,
		.host.sockets = SOCKFIND_NONE,
		.guest.sockets = SOCKFIND_NONE,
		.host_ns = OWNERHELPER_HOST_NS,
		.guest_ns = OWNERHELPER_GUEST_NS,
	};
	o->proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	rc = o->proc < 0 || fcntl(engine, F_SETFL, O_NONBLOCK) ? -errno :
								 0;
	if (!rc)
		rc = open_host(&o->host);
	if (!rc && net >= 0)
		rc = procscan_name(net, o->guest.net) ?
		     open_guest(&o->guest.sockets, user, net) : -errno;
	return rc ? fail_set(fail, "programs cannot be told: %s; rules that "
			     "name one match nothing", strerror(-rc)) : 0;
}

/* ---- questions ---- */

struct asked {
	struct msg_owner_ask what;
	unsigned sockets;		/* that it may be about */
	uint32_t inode;			/* the first of them */
	bool answered, late;
	bool differ;			/* more than one program has it */
	int dir;			/* of a process that has it; -1 */
	unsigned fd;			/* and there it is */
	struct msg_owner answer;
};

struct kept {
	bool in_guest;
	uint32_t inode;			/* 0: none */
	int dir;			/* of a process that has it, owned; -1:
					   unknown, and that until then */
	unsigned fd;
	uint64_t until_ns;
	struct msg_owner answer;
};

/* Static, for its size; a process has one of these. */
static struct {
	unsigned n;
	struct asked asked[OWNERHELPER_BATCH];
	struct procscan_net net;	/* wants what is yet to be found */
	struct procscan_want want[OWNERHELPER_BATCH * SOCKFIND_MAX];
	unsigned next_kept;
	struct kept kept[OWNERHELPER_KEPT];
} desk;

/* Those that have come. false: somebody is gone. */
static bool take_all(const struct ownerhelper *o)
{
	int fds[CHANNEL_MAX_FDS];
	size_t n_fds;

	for (desk.n = 0; desk.n < OWNERHELPER_BATCH; ) {
		struct asked *a = &desk.asked[desk.n];
		const ssize_t n = channel_recv(o->engine, &a->what,
					       sizeof(a->what), fds, &n_fds);

		if (n == -EAGAIN)
			break;
		if (n <= 0)
			return false;
		while (n_fds > 0)
			close(fds[--n_fds]);
		if (n != sizeof(a->what) || a->what.kind != MSG_OWNER_ASK)
			continue;
		a->sockets = 0;
		a->dir = -1;
		a->answered = a->late = a->differ = false;
		a->answer.kind = MSG_OWNER;
		a->answer.known = a->answer.late = false;
		a->answer.path[0] = '\0';
		desk.n++;
	}
	return true;
}

/* Wait until there is room. false: somebody is gone. */
static bool answer(const struct ownerhelper *o, struct asked *a)
{
	struct pollfd p[] = { { .fd = o->engine, .events = POLLOUT },
			      { .fd = o->keeper, .events = POLLIN } };
	int rc;

	a->answered = true;
	a->answer.id = a->what.id;
	while ((rc = channel_send(o->engine, &a->answer, sizeof(a->answer),
				  NULL, 0)) == -EAGAIN)
		if (poll(p, 2, -1) > 0 && p[1].revents)
			return false;
	return rc == 0;
}

/* ---- what was said before ---- */

static bool may_keep(const struct asked *a)
{
	return a->what.listens && a->sockets == 1;
}

static void forget(struct kept *k)
{
	if (k->inode && k->dir >= 0)
		close(k->dir);
	k->inode = 0;
}

/* Whose that socket was, if he still has it; NULL: nothing is known of it. */
static const struct kept *recall(const struct asked *a, uint64_t now)
{
	for (unsigned i = 0; i < OWNERHELPER_KEPT; i++) {
		struct kept *k = &desk.kept[i];

		if (k->inode != a->inode || k->in_guest != a->what.in_guest)
			continue;
		if (k->dir < 0 ? now < k->until_ns :
		    procscan_still(k->dir, k->fd, k->inode, k->answer.path))
			return k;
		forget(k);
	}
	return NULL;
}

static void keep(struct asked *a, uint64_t now)
{
	struct kept *k = &desk.kept[desk.next_kept % OWNERHELPER_KEPT];

	if (!may_keep(a) || a->answer.late ||
	    (a->answer.known && a->dir < 0) || recall(a, now))
		return;
	desk.next_kept++;
	forget(k);
	*k = (struct kept){
		.in_guest = a->what.in_guest, .inode = a->inode,
		.dir = a->answer.known ? a->dir : -1, .fd = a->fd,
		.until_ns = now + OWNERHELPER_KEPT_NS, .answer = a->answer,
	};
	if (a->answer.known)
		a->dir = -1;
}

/* ---- one side's ---- */

/* Which socket? What can be answered already is. false: somebody is gone. */
static bool find_socket(const struct ownerhelper *o,
			const struct ownerhelper_side *side, unsigned i)
{
	struct asked *a = &desk.asked[i];
	const struct sockfind_question q = {
		.listens = a->what.listens, .protocol = a->what.protocol,
		.local = a->what.local, .remote = a->what.remote,
	};
	struct procscan_net *net = &desk.net;
	struct sockfind_found found;
	const struct kept *k;

	if (!sockfind(&side->sockets, &q, &found))
		return answer(o, a);
	a->sockets = found.n;
	a->inode = found.inode[0];
	k = may_keep(a) ? recall(a, now_ns()) : NULL;
	if (k) {
		a->answer = k->answer;
		return answer(o, a);
	}
	for (unsigned s = 0; s < found.n; s++)
		net->want[net->n++] = (struct procscan_want){
			.inode = found.inode[s], .of = i,
		};
	return true;
}

static void hit(void *ctx, uint32_t of, const char *path, int dir, unsigned fd)
{
	struct asked *a = &desk.asked[of];

	(void)ctx;
	if (may_keep(a) && a->dir < 0) {
		a->dir = fcntl(dir, F_DUPFD_CLOEXEC, 0);
		a->fd = fd;
	}
	if (!path || (a->answer.known && strcmp(a->answer.path, path))) {
		a->differ = true;
		return;
	}
	a->answer.known = true;
	strcpy(a->answer.path, path);
}

/* One socket of several that nobody has may be anybody's. */
static void look(const struct ownerhelper *o, uint64_t until_ns)
{
	struct procscan_net *net = &desk.net;
	bool done;

	if (!net->n)
		return;
	procscan_sort(net);
	done = procscan(o->proc, net, MSG_PROGRAM_BYTES, until_ns, hit, NULL);
	for (size_t i = 0; i < net->n; i++) {
		struct asked *a = &desk.asked[net->want[i].of];

		a->differ |= !net->want[i].found;
		a->late = !done;
	}
}

/* false: somebody is gone. */
static bool serve_side(const struct ownerhelper *o, bool guest)
{
	const struct ownerhelper_side *side = guest ? &o->guest : &o->host;
	const uint64_t until_ns = now_ns() + (guest ? o->guest_ns :
						      o->host_ns);
	uint64_t now;

	desk.net.n = 0;
	memcpy(desk.net.name, side->net, sizeof(desk.net.name));
	for (unsigned i = 0; i < desk.n; i++) {
		if (desk.asked[i].what.in_guest != guest)
			continue;
		desk.asked[i].late = now_ns() >= until_ns;
		if (!desk.asked[i].late && !find_socket(o, side, i))
			return false;
	}
	look(o, until_ns);
	now = now_ns();
	for (unsigned i = 0; i < desk.n; i++) {
		struct asked *a = &desk.asked[i];

		if (a->answered || a->what.in_guest != guest)
			continue;
		a->answer.late = a->late;
		if (a->late || a->differ)
			a->answer.known = false;
		if (!a->answer.known)
			a->answer.path[0] = '\0';
		keep(a, now);
		if (a->dir >= 0)
			close(a->dir);
		if (!answer(o, a))
			return false;
	}
	return true;
}

void ownerhelper_serve(const struct ownerhelper *o)
{
	struct pollfd p[] = { { .fd = o->engine, .events = POLLIN },
			      { .fd = o->keeper, .events = POLLIN } };

	desk.net.want = desk.want;
	for (;;) {
		if (poll(p, 2, -1) < 0)
			continue;
		if (p[1].revents || !take_all(o) || !serve_side(o, false) ||
		    !serve_side(o, true))
			return;
	}
}
