/* SPDX-License-Identifier: MIT */
/*
 * test/unit/linux_ownerhelper.c - the helper as a process, in its sandbox,
 * asked about sockets of this process, and of one in a network of its own.
 */
#include "linux/ownerhelper.h"

#include <errno.h>
#include <fcntl.h>
#include <dirent.h>
#include <limits.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "linux/channel.h"
#include "linux/messages.h"
#include "linux/procfile.h"
#include "linux/sandbox.h"
#include "linux/sockaddr.h"
#include "linux/userns.h"
#include "test.h"

#define ORDINARY	12345		/* uids that nobody has */
#define FOREIGN		12346
#define PATIENCE_MS	10000

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

/* ---- the sandbox ---- */

static const struct {
	const char *name;
	enum { LIST, READ_FILE, WRITE_FILE, NO_FLAG, OPEN_SOCKET, RUN } act;
	bool may;
} acts[] = {
	{ "list a directory", LIST, true },
	{ "read a file", READ_FILE, false },
	{ "write a file", WRITE_FILE, false },
	{ "open what may be a file", NO_FLAG, false },
	{ "open a socket", OPEN_SOCKET, false },
	{ "run a program", RUN, false },
};

_Noreturn static void act(size_t i)
{
	char *const argv[] = { (char *)(uintptr_t)"true", NULL };
	struct fail fail;
	char buf[4096];
	int fd = -1;

	if (sandbox_enter(SANDBOX_OWNERS, &fail))
		_exit(1);
	switch (acts[i].act) {
	case LIST:
		fd = openat(AT_FDCWD, "/proc", O_RDONLY | O_DIRECTORY |
			    O_CLOEXEC);
		_exit(fd < 0 || getdents64(fd, buf, sizeof(buf)) <= 0);
	case READ_FILE:
		fd = openat(AT_FDCWD, "/proc/version", O_RDONLY | O_CLOEXEC);
		break;
	case WRITE_FILE:
		fd = openat(AT_FDCWD, "/tmp", O_RDWR | O_TMPFILE | O_CLOEXEC,
			    0600);
		break;
	case NO_FLAG:
		fd = openat(AT_FDCWD, "/proc", O_RDONLY | O_CLOEXEC);
		break;
	case OPEN_SOCKET:
		fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		break;
	case RUN:
		execv("/bin/true", argv);
		break;
	}
	_exit(2 + (fd >= 0));
}

static void check_act(size_t i)
{
	const pid_t pid = fork();
	int status = 0;

	if (pid == 0)
		act(i);
	waitpid(pid, &status, 0);
	if (acts[i].may)
		CHECK(acts[i].name, status == 0);
	else
		CHECK(acts[i].name, WIFSIGNALED(status) &&
				    WTERMSIG(status) == SIGSYS);
}

/* ---- the helper ---- */

/* A guest: a process in a network of its own, and that. pid 0: none here. */
struct guest {
	pid_t pid;
	int ch;				/* its end says that it is to end */
	int user, net;
	struct endpoint server, client;	/* on its loopback, connected */
};

struct helper {
	pid_t pid;
	int engine, keeper;
	uint32_t last_id;
};

_Noreturn static void serve(int engine, int keeper, const struct guest *g,
			    uid_t uid)
{
	struct ownerhelper o;
	struct fail fail = { "" };

	if (uid && setresuid(uid, uid, uid))
		_exit(1);
	if (ownerhelper_open(&o, engine, keeper, g->user, g->net, &fail) ||
	    sandbox_enter(SANDBOX_OWNERS, &fail)) {
		fprintf(stderr, "%s\n", fail.text);
		_exit(1);
	}
	/* How long a look takes is the machine's, and not what is tested. */
	o.host_ns = o.guest_ns = PATIENCE_MS * UINT64_C(1000000);
	ownerhelper_serve(&o);
	_exit(0);
}

static void start(struct helper *h, const struct guest *g, uid_t uid)
{
	int engine[2], keeper[2];

	if (channel_pair(engine, false) || channel_pair(keeper, false))
		abort();
	h->last_id = 0;
	h->pid = fork();
	if (h->pid == 0) {
		close(engine[0]);
		close(keeper[0]);
		serve(engine[1], keeper[1], g, uid);
	}
	close(engine[1]);
	close(keeper[1]);
	h->engine = engine[0];
	h->keeper = keeper[0];
}

/* By the end of one of the channels. */
static void stop(struct helper *h, bool by_keeper)
{
	int status = 99;

	close(by_keeper ? h->keeper : h->engine);
	waitpid(h->pid, &status, 0);
	CHECK(by_keeper ? "the keeper is gone" : "the engine is gone",
	      status == 0);
	close(by_keeper ? h->engine : h->keeper);
}

static void ask(struct helper *h, bool in_guest, bool listens,
		const struct endpoint *local, const struct endpoint *remote)
{
	const struct msg_owner_ask m = {
		.kind = MSG_OWNER_ASK, .id = ++h->last_id,
		.in_guest = in_guest, .listens = listens,
		.protocol = IPPROTO_TCP, .local = *local, .remote = *remote,
	};

	CHECK("asked", channel_send(h->engine, &m, sizeof(m), NULL, 0) == 0);
}

/* The next answer. false: none came. */
static bool answer(const struct helper *h, struct msg_owner *m)
{
	struct pollfd p = { .fd = h->engine, .events = POLLIN };
	int fds[CHANNEL_MAX_FDS];
	size_t n;

	return poll(&p, 1, PATIENCE_MS) == 1 &&
	       channel_recv(h->engine, m, sizeof(*m), fds, &n) ==
		       sizeof(*m) && m->kind == MSG_OWNER;
}

static bool is_told(struct helper *h, bool in_guest, bool listens,
		    const struct endpoint *local,
		    const struct endpoint *remote, const char *path)
{
	struct msg_owner m = { .known = false };

	ask(h, in_guest, listens, local, remote);
	if (!answer(h, &m) || m.id != h->last_id || m.late ||
	    m.known != !!path)
		return false;
	return path ? !strcmp(m.path, path) : !m.path[0];
}

static int listen_at(struct endpoint *at)
{
	struct sockaddr_any sa;
	socklen_t len = sockaddr_from(&sa, at);
	const int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const int on = 1;

	setsockopt(s, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
	if (s < 0 || bind(s, &sa.sa, len) || listen(s, 4) ||
	    getsockname(s, &sa.sa, &len) || !sockaddr_to(&sa, at))
		abort();
	return s;
}

static const struct endpoint loopback = {
	.ip.b = { [10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1 },
};

/* ---- a guest ---- */

static int raise_loopback(void)
{
	const int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq r = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	const int rc = ioctl(s, SIOCSIFFLAGS, &r);

	close(s);
	return rc;
}

/* It tells its ends, with its namespaces, and waits. */
_Noreturn static void live(int ch)
{
	struct endpoint ends[2] = { loopback, loopback };
	struct sockaddr_any sa;
	struct fail fail;
	socklen_t len;
	int fds[2], c;
	char byte;

	if (userns_enter(geteuid(), getegid(), &fail) ||
	    unshare(CLONE_NEWNET) || raise_loopback())
		_exit(1);
	(void)listen_at(&ends[0]);
	c = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	len = sockaddr_from(&sa, &ends[0]);
	if (connect(c, &sa.sa, len) || getsockname(c, &sa.sa, &len) ||
	    !sockaddr_to(&sa, &ends[1]))
		_exit(1);
	fds[0] = open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC);
	fds[1] = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (channel_send(ch, ends, sizeof(ends), fds, 2))
		_exit(1);
	(void)!read(ch, &byte, 1);
	_exit(0);
}

static void make_guest(struct guest *g)
{
	int ch[2], fds[CHANNEL_MAX_FDS];
	struct endpoint ends[2];
	size_t n;

	if (channel_pair(ch, false))
		abort();
	g->pid = fork();
	if (g->pid == 0) {
		close(ch[0]);
		live(ch[1]);
	}
	close(ch[1]);
	g->ch = ch[0];
	if (channel_recv(g->ch, ends, sizeof(ends), fds, &n) ==
	    sizeof(ends) && n == 2) {
		g->server = ends[0];
		g->client = ends[1];
		g->user = fds[0];
		g->net = fds[1];
		return;
	}
	waitpid(g->pid, NULL, 0);	/* the machine forbids it */
	g->pid = 0;
}

static void unmake_guest(struct guest *g)
{
	close(g->ch);
	if (!g->pid)
		return;
	waitpid(g->pid, NULL, 0);
	close(g->user);
	close(g->net);
}

/* ---- checks ---- */

static char self[PATH_MAX];

static void check_host(const struct guest *none)
{
	struct endpoint at = loopback, other = { .port = 9 };
	struct helper h;
	int s;

	start(&h, none, 0);
	s = listen_at(&at);		/* the helper has not got it */
	CHECK("this process", is_told(&h, false, true, &at, &other, self));
	CHECK("no guest", is_told(&h, true, true, &at, &other, NULL));
	CHECK("no client", is_told(&h, false, false, &at, &other, NULL));
	CHECK("once more", is_told(&h, false, true, &at, &other, self));
	close(s);
	CHECK("closed", is_told(&h, false, true, &at, &other, NULL));
	stop(&h, false);
}

/* More than one look can take, in one go; each is answered once. */
static void check_many(const struct guest *none)
{
	enum { N = OWNERHELPER_BATCH + 44 };
	struct endpoint at = loopback, far = loopback;
	bool seen[N + 1] = { false };
	struct msg_owner m;
	struct helper h;
	const int s = listen_at(&at);

	start(&h, none, 0);
	for (unsigned i = 1; i <= N; i++) {
		far.port = at.port;
		if (i % 3)
			ask(&h, false, true, &at, &far);
		else
			ask(&h, true, true, &at, &far);
		/* There is room for so many, no more. */
		if (i > N - 100 && !answer(&h, &m))
			break;
		if (i > N - 100)
			seen[m.id] = m.known == !!(m.id % 3);
	}
	for (unsigned i = 0; i < N - 100 && answer(&h, &m); i++)
		seen[m.id] = !seen[m.id] && m.known == !!(m.id % 3);
	for (unsigned i = 1; i <= N; i++)
		CHECK("answered once, and so", seen[i]);
	close(s);
	stop(&h, true);
}

static void check_guest(const struct guest *g)
{
	struct endpoint at = loopback, other = { .port = 9 };
	const int s = listen_at(&at);
	struct helper h;

	start(&h, g, 0);
	CHECK("its server", is_told(&h, true, true, &g->server, &other,
				    self));
	CHECK("its client", is_told(&h, true, false, &g->client, &g->server,
				    self));
	CHECK("not the host's", is_told(&h, false, true, &g->server, &other,
					NULL) || g->server.port == at.port);
	CHECK("the host's", is_told(&h, false, true, &at, &other, self));
	close(s);
	stop(&h, true);
}

/* Nonsense is passed over; descriptors that come with it are closed. */
static void check_nonsense(const struct guest *none)
{
	struct msg_owner_ask m = { .kind = MSG_OWNER };
	struct endpoint at = loopback, other = { .port = 9 };
	struct helper h;
	int s;

	start(&h, none, 0);
	s = listen_at(&at);
	CHECK("sent", !channel_send(h.engine, &m, sizeof(m), &s, 1) &&
		      !channel_send(h.engine, &m, 1, NULL, 0));
	CHECK("as before", is_told(&h, false, true, &at, &other, self));
	close(s);
	CHECK("not held on to", is_told(&h, false, true, &at, &other, NULL));
	stop(&h, true);
}

/*
 * A child that has a socket, and what it is to be else: of another user, with
 * a program of its own, or of another network. began: that it is.
 */
struct holder {
	pid_t pid;
	int stop;			/* to be closed */
};

enum how { PLAIN, FOREIGN_USER, ELSEWHERE };

static bool become(enum how how)
{
	switch (how) {
	case FOREIGN_USER:
		return setresuid(FOREIGN, FOREIGN, FOREIGN) == 0;
	case ELSEWHERE:
		return unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0;
	case PLAIN:
		break;
	}
	return true;
}

_Noreturn static void hold(int s, int stop, int began, enum how how)
{
	char *const argv[] = { (char *)(uintptr_t)"cat", NULL };

	dup2(stop, STDIN_FILENO);
	fcntl(s, F_SETFD, 0);
	if (become(how))
		execv("/bin/cat", argv);
	(void)!write(began, "", 1);
	_exit(1);
}

static bool start_holder(struct holder *h, int s, enum how how)
{
	int stop_pipe[2], began[2];
	char byte;
	bool ok;

	if (pipe2(stop_pipe, O_CLOEXEC) || pipe2(began, O_CLOEXEC))
		abort();
	h->pid = fork();
	if (h->pid == 0)
		hold(s, stop_pipe[0], began[1], how);
	close(stop_pipe[0]);
	close(began[1]);
	h->stop = stop_pipe[1];
	ok = read(began[0], &byte, 1) == 0;
	close(began[0]);
	return ok;
}

static void stop_holder(struct holder *h)
{
	close(h->stop);
	waitpid(h->pid, NULL, 0);
}

/*
 * Root sees whose it is, an ordinary user only what is his. Not to be seen by
 * a root who may become nobody else, as in a container without capabilities.
 */
static void check_users(const struct guest *none)
{
	struct endpoint at = loopback, other = { .port = 9 };
	char cat[PATH_MAX];
	struct holder child;
	struct helper h;
	int s;

	if (geteuid() || !realpath("/bin/cat", cat))
		return;
	s = listen_at(&at);
	if (!start_holder(&child, s, FOREIGN_USER)) {
		close(s);
		stop_holder(&child);
		return;
	}
	close(s);
	start(&h, none, 0);
	CHECK("root", is_told(&h, false, true, &at, &other, cat));
	stop(&h, true);
	start(&h, none, ORDINARY);
	CHECK("another's", is_told(&h, false, true, &at, &other, NULL));
	stop(&h, true);
	stop_holder(&child);
}

/* A port that two sockets share: known if both are one program's. */
static void check_shared(const struct guest *none)
{
	struct endpoint at = loopback, other = { .port = 9 };
	struct holder child;
	struct helper h;
	int a, b;

	start(&h, none, 0);
	a = listen_at(&at);
	b = listen_at(&at);
	CHECK("both", is_told(&h, false, true, &at, &other, self));
	if (start_holder(&child, b, ELSEWHERE)) {
		CHECK("both, and another has one, too",
		      is_told(&h, false, true, &at, &other, self));
		close(b);
		CHECK("one is not to be seen",
		      is_told(&h, false, true, &at, &other, NULL));
		b = -1;
	}
	stop_holder(&child);
	close(a);
	if (b >= 0)
		close(b);
	stop(&h, true);
}

/* A server that hands its socket on is the one until it lets go of it. */
static void check_kept(const struct guest *none)
{
	struct endpoint at = loopback, other = { .port = 9 };
	char cat[PATH_MAX];
	struct holder child;
	struct helper h;
	int s;

	if (!realpath("/bin/cat", cat))
		return;
	start(&h, none, 0);
	s = listen_at(&at);
	CHECK("its own", is_told(&h, false, true, &at, &other, self));
	CHECK("handed on", start_holder(&child, s, PLAIN));
	CHECK("still its own", is_told(&h, false, true, &at, &other, self));
	close(s);
	CHECK("the other's", is_told(&h, false, true, &at, &other, cat));
	stop_holder(&child);
	CHECK("nobody's", is_told(&h, false, true, &at, &other, NULL));
	stop(&h, true);
}

/* How many files has it open? For root to see. */
static unsigned files_of(pid_t pid)
{
	char path[32];
	unsigned n = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	while (dir && readdir(dir))
		n++;
	if (dir)
		closedir(dir);
	return n;
}

/* More than can be kept, each with a directory of /proc. */
static void check_full(const struct guest *none)
{
	enum { N = 3 * OWNERHELPER_KEPT };
	struct endpoint at[N], other = { .port = 9 };
	struct holder child;
	struct helper h;
	unsigned before = 0;
	int s[N];

	start(&h, none, 0);
	for (unsigned i = 0; i < N; i++) {
		at[i] = loopback;
		s[i] = listen_at(&at[i]);
		CHECK("one of many", is_told(&h, false, true, &at[i], &other,
					     self));
		fcntl(s[i], F_SETFD, 0);
	}
	CHECK("so many are kept", files_of(h.pid) < OWNERHELPER_KEPT + 32);
	stop(&h, true);
	/* Now another program has them all, too. */
	start(&h, none, 0);
	for (unsigned i = 0; i < N; i++) {
		close(s[i]);
		at[i] = loopback;
		s[i] = listen_at(&at[i]);
		fcntl(s[i], F_SETFD, 0);
	}
	CHECK("handed on", start_holder(&child, s[0], PLAIN));
	for (unsigned i = 0; i < N; i++) {
		CHECK("two have it", is_told(&h, false, true, &at[i], &other,
					     NULL));
		before = i ? before : files_of(h.pid);
	}
	CHECK("none is kept", files_of(h.pid) == before);
	for (unsigned i = 0; i < N; i++)
		close(s[i]);
	stop_holder(&child);
	stop(&h, true);
}

void test_linux_ownerhelper(void);
void test_linux_ownerhelper(void)
{
	const struct guest none = { .user = -1, .net = -1 };
	struct guest g = none;

	for (size_t i = 0; !SANITIZED && i < sizeof(acts) / sizeof(acts[0]);
	     i++)
		check_act(i);
	if (readlink("/proc/self/exe", self, sizeof(self) - 1) <= 0)
		abort();
	check_host(&none);
	check_many(&none);
	check_nonsense(&none);
	check_users(&none);
	check_shared(&none);
	check_kept(&none);
	check_full(&none);
	make_guest(&g);
	if (g.pid)
		check_guest(&g);
	unmake_guest(&g);
}
