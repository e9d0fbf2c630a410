/* SPDX-License-Identifier: MIT */
/*
 * test/unit/linux_procscan.c - who has a socket: paths as text, and then real
 * processes that hold one.
 */
#include "linux/procscan.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

#define PATH_BYTES	1024
#define CAT		"/bin/cat"

static const struct {
	const char *name, *link, *want;	/* NULL: none */
} links[] = {
	{ "a path", "/usr/bin/cat", "/usr/bin/cat" },
	{ "removed", "/usr/bin/cat (deleted)", "/usr/bin/cat" },
	{ "removed twice", "/a (deleted) (deleted)", "/a (deleted)" },
	{ "only looks so", "/a (deleted)b", "/a (deleted)b" },
	{ "no blank", "/a(deleted)", "/a(deleted)" },
	{ "with a newline", "/a\nb", "/a\nb" },
	{ "the root", "/", "/" },
	{ "no name left", "/ (deleted)", "/ (deleted)" },

	{ "memory", "/memfd:cat (deleted)", NULL },
	{ "memory, not removed", "/memfd:", NULL },
	{ "no path", "cat", NULL },
	{ "no path, removed", "cat (deleted)", NULL },
	{ "nothing", "", NULL },
};

static void check_link(size_t i)
{
	char link[64];

	strcpy(link, links[i].link);
	CHECK(links[i].name, procscan_path(link) == !!links[i].want);
	CHECK(links[i].name, !links[i].want || !strcmp(link, links[i].want));
}

/* ---- processes ---- */

/* What is told of one socket. */
struct told {
	unsigned n;
	uint32_t inode;			/* of the socket */
	bool nameless;
	char first[PATH_BYTES];
	char path[PATH_BYTES];		/* of the last */
	bool differ;
};

static void tell(void *ctx, uint32_t of, const char *path, int dir,
		 unsigned fd)
{
	struct told *t = (struct told *)ctx + of;

	if (path)
		CHECK("still", procscan_still(dir, fd, t->inode, path) &&
			       !procscan_still(dir, fd + 1000, t->inode,
					       path) &&
			       !procscan_still(dir, fd, t->inode + 1, path) &&
			       !procscan_still(dir, fd, t->inode, "/x"));

	if (!path) {
		t->nameless = true;
	} else {
		if (!t->path[0])
			snprintf(t->first, sizeof(t->first), "%s", path);
		t->differ |= t->path[0] && strcmp(t->path, path);
		snprintf(t->path, sizeof(t->path), "%s", path);
	}
	t->n++;
}

struct scene {
	int proc;
	int s;				/* the socket that they have */
	uint32_t inode;			/* of that */
	char dir[64];
	char net[PROCSCAN_NET_BYTES];
};

static void new_socket(struct scene *s)
{
	struct stat st;

	s->s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (s->s < 0 || fstat(s->s, &st))
		abort();
	s->inode = (uint32_t)st.st_ino;
}

static struct told scan(const struct scene *s)
{
	/* Others that nobody has are wanted, too, before and behind. */
	struct procscan_want want[] = { { .of = 1 }, { .of = 0 },
					{ .of = 1 } };
	struct procscan_net net = { .n = 3, .want = want };
	struct told t[2] = { { .inode = s->inode }, { .n = 0 } };

	want[0].inode = UINT32_MAX;
	want[1].inode = s->inode;
	want[2].inode = 1;
	strcpy(net.name, s->net);
	procscan_sort(&net);
	CHECK("in time", procscan(s->proc, &net, PATH_BYTES, UINT64_MAX, tell,
				  t));
	for (unsigned i = 0; i < 3; i++)
		CHECK("found", want[i].found == (want[i].of == 0 && t[0].n));
	CHECK("nobody's", t[1].n == 0);
	return t[0];
}

/* A child that has the socket, until it is told to end. */
struct child {
	pid_t pid;
	int stop;			/* to be closed */
};

/* In the child: its standard input ends when it is to end. */
_Noreturn static void live(const char *path, int fd, int s, int began,
			   bool elsewhere)
{
	char *const argv[] = { (char *)(uintptr_t)"cat", NULL };

	dup2(fd, STDIN_FILENO);
	fcntl(s, F_SETFD, 0);
	if (!elsewhere || unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0)
		execv(path, argv);
	(void)!write(began, "", 1);
	_exit(1);
}

/*
 * began: its end says that the program has been executed. elsewhere: in a
 * network namespace of its own. false: it could not be.
 */
static bool start(struct child *c, const char *path, int s, bool elsewhere)
{
	int stop[2], began[2];
	char byte;
	bool ok;

	if (pipe2(stop, O_CLOEXEC) || pipe2(began, O_CLOEXEC))
		abort();
	c->pid = fork();
	if (c->pid == 0)
		live(path, stop[0], s, began[1], elsewhere);
	close(stop[0]);
	close(began[1]);
	c->stop = stop[1];
	ok = c->pid > 0 && read(began[0], &byte, 1) == 0;
	close(began[0]);
	return ok;
}

static void stop(struct child *c)
{
	close(c->stop);
	waitpid(c->pid, NULL, 0);
}

static void copy_of_cat(const char *path)
{
	char buf[65536];
	const int from = open(CAT, O_RDONLY | O_CLOEXEC);
	const int to = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	ssize_t n;

	while ((n = read(from, buf, sizeof(buf))) > 0)
		if (write(to, buf, (size_t)n) != n)
			abort();
	CHECK("a copy", from >= 0 && to >= 0);
	close(from);
	close(to);
}

/* A program of that name, alone with the socket; NULL: it has no name. */
static void check_one(struct scene *s, const char *name, const char *want,
		      bool removed)
{
	char path[2200], full[2200];
	struct child c;
	struct told t;

	snprintf(path, sizeof(path), "%s/%s", s->dir, name);
	snprintf(full, sizeof(full), "%s/%s", s->dir, want ? want : "");
	copy_of_cat(path);
	CHECK(name, start(&c, path, s->s, false));
	if (removed)
		unlink(path);
	t = scan(s);
	/* This process and its child, whose pid may be lower. */
	CHECK(name, t.n == 2 && t.differ == !!want);
	CHECK(name, want ? !strcmp(t.path, full) || !strcmp(t.first, full) :
			   t.nameless);
	stop(&c);
	unlink(path);
	CHECK(name, scan(s).n == 1);
}

/* A path longer than anybody cares for. */
static void check_long(struct scene *s)
{
	char name[2048], sub[2200];
	size_t len = 0;

	for (unsigned i = 0; i < 5; i++) {
		len += (size_t)snprintf(name + len, sizeof(name) - len,
					"%0200u/", i);
		snprintf(sub, sizeof(sub), "%s/%s", s->dir, name);
		CHECK("a directory", mkdir(sub, 0755) == 0);
	}
	strcpy(name + len, "cat");
	check_one(s, name, NULL, false);
	while ((len = (size_t)(strrchr(name, '/') - name))) {
		name[len] = '\0';
		snprintf(sub, sizeof(sub), "%s/%s", s->dir, name);
		rmdir(sub);
		if (!strchr(name, '/'))
			break;
	}
}

/* A program that is in no file system. */
static void check_memory(struct scene *s)
{
	char path[64];
	struct child c;
	const int fd = memfd_create("cat", 0);
	struct told t;

	if (fd < 0)
		return;
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", getpid(), fd);
	copy_of_cat(path);
	/* Not while somebody may write to it. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (start(&c, path, s->s, false)) {
		t = scan(s);
		CHECK("memory", t.n == 2 && t.nameless);
	}
	stop(&c);
	close(fd);
}

/* Two of one program, and one of another: this. */
static void check_shared(struct scene *s)
{
	struct child a, b;
	struct told t;

	CHECK("one", start(&a, CAT, s->s, false));
	CHECK("two", start(&b, CAT, s->s, false));
	t = scan(s);
	CHECK("all three", t.n == 3 && t.differ);
	close(s->s);
	t = scan(s);
	CHECK("without this one", t.n == 2 && !t.differ);
	stop(&a);
	CHECK("without the first", scan(s).n == 1);
	stop(&b);
	CHECK("nobody", scan(s).n == 0);
	new_socket(s);
}

/* In another network: not looked into. */
static void check_hidden(struct scene *s)
{
	struct child c;

	if (start(&c, CAT, s->s, true))
		CHECK("hidden", scan(s).n == 1);
	stop(&c);
}

static void check_sort(void)
{
	struct procscan_want want[100];
	struct procscan_net net = { .want = want };

	for (uint32_t n = 0; n < 100; n++) {
		net.n = n;
		for (uint32_t i = 0; i < n; i++)
			want[i] = (struct procscan_want){
				.inode = i * 37 % n / 2, .of = i,
			};
		procscan_sort(&net);
		for (uint32_t i = 0; i < n; i++) {
			CHECK("in order", !i || want[i - 1].inode <=
						want[i].inode);
			CHECK("whole", want[i].inode ==
				       want[i].of * 37 % n / 2);
		}
	}
}

static void check_time(const struct scene *s)
{
	struct procscan_want want = { .inode = 1 };
	struct procscan_net net = { .n = 1, .want = &want };
	struct told t = { .n = 0 };

	strcpy(net.name, s->net);
	CHECK("no time", !procscan(s->proc, &net, PATH_BYTES, 1, tell, &t));
	strcpy(net.name, "net:[1]");
	CHECK("nor elsewhere", !procscan(s->proc, &net, PATH_BYTES, 1, tell,
					 &t));
	CHECK("nobody there", procscan(s->proc, &net, PATH_BYTES, UINT64_MAX,
				       tell, &t) && t.n == 0);
}

void test_linux_procscan(void);
void test_linux_procscan(void)
{
	struct scene s = {
		.proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC),
		.dir = "/tmp/slipway-procscan-XXXXXX",
	};
	const int net = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
		check_link(i);
	new_socket(&s);
	check_sort();
	if (s.proc < 0 || !procscan_name(net, s.net) ||
	    !mkdtemp(s.dir))
		abort();
	CHECK("no namespace", !procscan_name(-1, (char[32]){ 0 }));
	CHECK("this one", scan(&s).n == 1);
	check_one(&s, "cat", "cat", false);
	check_one(&s, "a\nb \001", "a\nb \001", false);
	check_one(&s, "gone", "gone", true);
	check_long(&s);
	check_memory(&s);
	check_shared(&s);
	check_hidden(&s);
	check_time(&s);
	rmdir(s.dir);
	close(net);
	close(s.s);
	close(s.proc);
}
