/* SPDX-License-Identifier: MIT */
/*
 * test/unit/engine_owners.c - questions to a helper that this test plays: it
 * answers in any order, twice, late, nonsense, not at all, and dies.
 */
#include "engine/owners.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "linux/channel.h"
#include "linux/messages.h"
#include "test.h"

#define SECOND	UINT64_C(1000000000)
#define BEGIN	77u

/* What was told, of the last; and how often in all. */
struct told {
	unsigned n;
	uint32_t id;
	enum owners_answer answer;
	char path[2 * MSG_PROGRAM_BYTES];
	struct owners *ask_again;	/* within telling; NULL: not */
	bool refused;			/* that was */
};

struct scene {
	struct owners o;
	int helper;			/* its end; -1 */
	struct told told;
};

static const struct owners_socket what = {
	.in_guest = true, .listens = true, .protocol = 6,
	.local = { .port = 80 }, .remote = { .port = 1000 },
};

static void tell(void *ctx, uint32_t id, enum owners_answer answer,
		 const char *path, uint64_t now_ns)
{
	struct told *t = ctx;

	t->n++;
	t->id = id;
	t->answer = answer;
	snprintf(t->path, sizeof(t->path), "%s", path ? path : "");
	CHECK("a path of a known one", !!path == (answer == OWNER_KNOWN));
	if (t->ask_again)
		t->refused = !owners_ask(t->ask_again, 1000 + id, &what,
					 now_ns);
}

static void give_helper(struct scene *s, uint64_t now_ns)
{
	int ends[2];

	CHECK("a channel", channel_pair(ends, false) == 0);
	(void)!fcntl(ends[1], F_SETFL, O_NONBLOCK);
	s->helper = ends[1];
	owners_set_helper(&s->o, ends[0], now_ns);
}

static void begin(struct scene *s)
{
	s->told = (struct told){ .n = 0 };
	owners_init(&s->o, tell, &s->told);
	give_helper(s, BEGIN);
}

static void done(struct scene *s)
{
	if (s->helper >= 0)
		close(s->helper);
	if (s->o.ch >= 0)
		close(s->o.ch);
}

/* The next question that the helper reads; kind 0: none. */
static struct msg_owner_ask asked(const struct scene *s)
{
	struct msg_owner_ask m = { .kind = 0 };
	int fds[CHANNEL_MAX_FDS];
	size_t n;

	if (channel_recv(s->helper, &m, sizeof(m), fds, &n) != sizeof(m))
		m.kind = 0;
	return m;
}

static void answer(struct scene *s, uint32_t number, const char *path,
		   bool late)
{
	struct msg_owner m = { .kind = MSG_OWNER, .id = number,
			       .known = path, .late = late };

	snprintf(m.path, sizeof(m.path), "%s", path ? path : "");
	CHECK("sent", channel_send(s->helper, &m, sizeof(m), NULL, 0) == 0);
	CHECK("alive", owners_event(&s->o, BEGIN));
}

static bool was_told(const struct scene *s, unsigned n, uint32_t id,
		     enum owners_answer answer)
{
	return s->told.n == n && s->told.id == id &&
	       s->told.answer == answer;
}

static void check_answers(void)
{
	struct scene s;
	struct msg_owner_ask a, b, c;

	begin(&s);
	CHECK("nothing to wait for", owners_next_timer(&s.o) == UINT64_MAX);
	CHECK("asked", owners_ask(&s.o, 7, &what, BEGIN) &&
		       owners_ask(&s.o, 8, &what, BEGIN + 1) &&
		       owners_ask(&s.o, 9, &what, BEGIN + 2));
	a = asked(&s);
	b = asked(&s);
	c = asked(&s);
	CHECK("as it is", a.kind == MSG_OWNER_ASK && a.in_guest && a.listens &&
			  a.protocol == 6 && a.local.port == 80 &&
			  a.remote.port == 1000);
	CHECK("told apart", a.id != b.id && b.id != c.id && a.id != c.id);
	CHECK("no more", asked(&s).kind == 0);
	CHECK("the first one's", owners_next_timer(&s.o) ==
				 BEGIN + OWNERS_PATIENCE_NS);

	answer(&s, b.id, "/bin/b", false);
	CHECK("the second first", was_told(&s, 1, 8, OWNER_KNOWN) &&
				  !strcmp(s.told.path, "/bin/b"));
	answer(&s, b.id, "/bin/b", false);
	CHECK("not twice", s.told.n == 1);
	answer(&s, b.id + 7, "/bin/b", false);
	answer(&s, a.id - 1, "/bin/b", false);
	answer(&s, a.id + OWNERS_MAX, "/bin/b", false);
	CHECK("not asked", s.told.n == 1);
	answer(&s, a.id, NULL, false);
	CHECK("unknown", was_told(&s, 2, 7, OWNER_UNKNOWN));
	CHECK("the third one's", owners_next_timer(&s.o) ==
				 BEGIN + 2 + OWNERS_PATIENCE_NS);
	answer(&s, c.id, NULL, true);
	CHECK("late", was_told(&s, 3, 9, OWNER_LATE));
	CHECK("all told", owners_next_timer(&s.o) == UINT64_MAX &&
			  s.o.asked == 3 && s.o.late == 1 && !s.o.refused);
	done(&s);
}

static void check_time(void)
{
	struct scene s;
	struct msg_owner_ask a, b;

	begin(&s);
	CHECK("asked", owners_ask(&s.o, 7, &what, BEGIN) &&
		       owners_ask(&s.o, 8, &what, BEGIN + SECOND / 2));
	a = asked(&s);
	b = asked(&s);
	owners_expire(&s.o, BEGIN + OWNERS_PATIENCE_NS - 1);
	CHECK("not yet", s.told.n == 0);
	owners_expire(&s.o, BEGIN + OWNERS_PATIENCE_NS);
	CHECK("over", was_told(&s, 1, 7, OWNER_LATE));
	answer(&s, a.id, "/bin/a", false);
	CHECK("too late", s.told.n == 1);
	answer(&s, b.id, "/bin/b", false);
	CHECK("in time", was_told(&s, 2, 8, OWNER_KNOWN));
	owners_expire(&s.o, UINT64_MAX - 1);
	CHECK("no more", s.told.n == 2);
	done(&s);
}

static void check_limit(void)
{
	struct scene s;
	struct msg_owner_ask first, m;

	begin(&s);
	for (uint32_t i = 0; i < OWNERS_MAX; i++) {
		CHECK("asked", owners_ask(&s.o, i, &what, BEGIN));
		m = asked(&s);
		first = i ? first : m;
	}
	CHECK("full", !owners_ask(&s.o, 999, &what, BEGIN) &&
		      s.o.refused == 1 && asked(&s).kind == 0);
	answer(&s, m.id, NULL, false);
	CHECK("counted from the oldest",
	      !owners_ask(&s.o, 999, &what, BEGIN));
	answer(&s, first.id, NULL, false);
	CHECK("room for one", owners_ask(&s.o, 999, &what, BEGIN) &&
			      !owners_ask(&s.o, 998, &what, BEGIN));
	/* Numbers go round, and places with them. */
	while (asked(&s).kind)
		;
	for (uint32_t i = 0; i < 3 * OWNERS_MAX; i++) {
		answer(&s, s.o.first, "/bin/x", false);
		CHECK("again", owners_ask(&s.o, i, &what, BEGIN) &&
			       asked(&s).kind == MSG_OWNER_ASK);
	}
	done(&s);
}

/* A helper that does not read: nobody waits for it. */
static void check_deaf(void)
{
	struct scene s;
	const int least = 1;
	unsigned n = 0;

	begin(&s);
	setsockopt(s.o.ch, SOL_SOCKET, SO_SNDBUF, &least, sizeof(least));
	while (n < OWNERS_MAX && owners_ask(&s.o, n, &what, BEGIN))
		n++;
	CHECK("some are sent", n > 0);
	CHECK("not all", n < OWNERS_MAX && s.o.refused == 1);
	owners_expire(&s.o, BEGIN + OWNERS_PATIENCE_NS);
	CHECK("all are late", s.told.n == n && s.o.late == n);
	done(&s);
}

static void check_death(void)
{
	struct scene s;

	begin(&s);
	CHECK("asked", owners_ask(&s.o, 7, &what, BEGIN) &&
		       owners_ask(&s.o, 8, &what, BEGIN));
	s.told.ask_again = &s.o;
	close(s.helper);
	s.helper = -1;
	CHECK("gone", !owners_event(&s.o, BEGIN) && s.o.ch == -1);
	CHECK("unknown", was_told(&s, 2, 8, OWNER_UNKNOWN) && s.told.refused);
	CHECK("nobody to ask", !owners_ask(&s.o, 9, &what, BEGIN));
	CHECK("nothing comes", owners_event(&s.o, BEGIN) &&
			       owners_next_timer(&s.o) == UINT64_MAX);
	s.told.ask_again = NULL;

	give_helper(&s, BEGIN);
	CHECK("another", owners_ask(&s.o, 10, &what, BEGIN) &&
			 asked(&s).kind == MSG_OWNER_ASK);
	close(s.helper);
	give_helper(&s, BEGIN);
	CHECK("what the one before owes", was_told(&s, 3, 10, OWNER_UNKNOWN));
	CHECK("not the new one's", asked(&s).kind == 0);
	done(&s);
}

/* An answer may lead to the next question, about the other end. */
static void check_again(void)
{
	struct scene s;

	begin(&s);
	CHECK("asked", owners_ask(&s.o, 7, &what, BEGIN));
	s.told.ask_again = &s.o;
	answer(&s, asked(&s).id, "/bin/a", false);
	CHECK("asked again", was_told(&s, 1, 7, OWNER_KNOWN) &&
			     !s.told.refused && asked(&s).kind);
	s.told.ask_again = NULL;
	owners_expire(&s.o, BEGIN + OWNERS_PATIENCE_NS);
	CHECK("told again", was_told(&s, 2, 1007, OWNER_LATE));
	done(&s);
}

static void check_nonsense(void)
{
	struct msg_owner m = { .kind = MSG_OWNER, .known = true };
	struct scene s;
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	begin(&s);
	CHECK("asked", owners_ask(&s.o, 7, &what, BEGIN));
	m.id = asked(&s).id;
	memset(m.path, 'x', sizeof(m.path));
	CHECK("cut", channel_send(s.helper, &m, sizeof(m) - 1, NULL, 0) == 0);
	m.kind = MSG_OWNER_ASK;
	CHECK("another", channel_send(s.helper, &m, sizeof(m), &null, 1) == 0);
	CHECK("passed over", owners_event(&s.o, BEGIN) && s.told.n == 0);
	m.kind = MSG_OWNER;
	CHECK("without end", channel_send(s.helper, &m, sizeof(m), NULL, 0) ==
			     0);
	CHECK("ended", owners_event(&s.o, BEGIN) && s.told.n == 1 &&
		       strlen(s.told.path) == MSG_PROGRAM_BYTES - 1);
	close(null);
	done(&s);
}

void test_engine_owners(void);
void test_engine_owners(void)
{
	check_answers();
	check_time();
	check_limit();
	check_deaf();
	check_death();
	check_again();
	check_nonsense();
}
