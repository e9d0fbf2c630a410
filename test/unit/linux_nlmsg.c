/* SPDX-License-Identifier: MIT */
/*
 * test/unit/linux_nlmsg.c - messages of netlink: made, read, cut anywhere,
 * and then the kernel's own answers.
 */
#include "linux/nlmsg.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "exact.h"
#include "test.h"

/* ---- questions ---- */

static void check_question(void)
{
	static const uint8_t want[] = {
		5, 0, 1, 0, 'x', 0, 0, 0,		/* padded */
		16, 0, 26, 0x80,			/* a nest of */
		12, 0, 10, 0x80, 5, 0, 8, 0, 1, 0, 0, 0,
		8, 0, 4, 0, 0x12, 0x34, 0x56, 0x78,
	};
	struct nlmsg q;
	struct nlattr *outer, *inner;
	uint32_t number;
	uint8_t *body;

	memset(&q, 0xff, sizeof(q));
	memcpy(&number, "\x12\x34\x56\x78", 4);
	body = nlmsg_begin(&q, RTM_NEWLINK, NLM_F_ACK, 6);
	CHECK("body", !memcmp(body, (uint8_t[8]){ 0 }, 8));
	nlmsg_put(&q, 1, "x", 1);
	outer = nlmsg_nest(&q, 26);
	inner = nlmsg_nest(&q, 10);
	nlmsg_put(&q, 8, "\1", 1);
	nlmsg_unnest(&q, inner);
	nlmsg_unnest(&q, outer);
	nlmsg_put_u32(&q, 4, number);
	CHECK("head", q.h.nlmsg_type == RTM_NEWLINK &&
		      q.h.nlmsg_flags == (NLM_F_REQUEST | NLM_F_ACK) &&
		      q.h.nlmsg_len == sizeof(q.h) + 8 + sizeof(want));
	CHECK("attributes", !memcmp(body + 8, want, sizeof(want)));
}

/* ---- answers ---- */

#define OURS	7
#define DATA	RTM_NEWLINK
#define MULTI	NLM_F_MULTI
#define TORN	(NLM_F_MULTI | NLM_F_DUMP_INTR)

struct part {
	uint16_t type, flags;
	uint32_t seq;
	int value;			/* an error, or which message it is */
	uint32_t len;			/* other than what it has */
};

static const struct {
	const char *name;
	struct part part[4];
	uint32_t seq;
	int want, given;		/* the values given, as digits */
} answers[] = {
	{ "one", { { DATA, 0, OURS, 1, 0 } }, OURS, 0, 1 },
	{ "an acknowledgement", { { NLMSG_ERROR, 0, OURS, 0, 0 } }, OURS, 0,
	  0 },
	{ "an error", { { NLMSG_ERROR, 0, OURS, -ENODEV, 0 } }, OURS, -ENODEV,
	  0 },
	{ "an error cut", { { NLMSG_ERROR, 0, OURS, 0, 18 } }, OURS, -EBADMSG,
	  0 },
	{ "a dump", { { DATA, MULTI, OURS, 1, 0 }, { DATA, MULTI, OURS, 2, 0 },
	  { NLMSG_DONE, MULTI, OURS, 0, 0 } }, OURS, 0, 12 },
	{ "part of a dump", { { DATA, MULTI, OURS, 1, 0 } }, OURS, 1, 1 },
	{ "a dump that failed", { { DATA, MULTI, OURS, 1, 0 },
	  { NLMSG_DONE, MULTI, OURS, -ENOENT, 0 } }, OURS, -ENOENT, 1 },
	{ "a dump of what changed", { { DATA, TORN, OURS, 1, 0 },
	  { DATA, MULTI, OURS, 2, 0 }, { NLMSG_DONE, MULTI, OURS, 0, 0 } },
	  OURS, -EINTR, 12 },
	{ "an older answer", { { DATA, MULTI, 6, 1, 0 },
	  { NLMSG_DONE, MULTI, 6, 0, 0 }, { NLMSG_ERROR, 0, 6, -EPERM, 0 },
	  { DATA, 0, OURS, 2, 0 } }, OURS, 0, 2 },
	{ "nothing", { { NLMSG_NOOP, 0, OURS, 0, 0 },
	  { DATA, 0, OURS, 1, 0 } }, OURS, 0, 1 },
	{ "unasked", { { DATA, 0, 0, 1, 0 }, { DATA, 0, 9, 2, 0 } }, 0, 1, 12 },
	{ "shorter than its head", { { DATA, MULTI, OURS, 1, 0 },
	  { DATA, MULTI, OURS, 2, 15 } }, OURS, -EBADMSG, 1 },
	{ "longer than it is", { { DATA, MULTI, OURS, 1, 999 } }, OURS,
	  -EBADMSG, 0 },
};

struct message {
	struct nlmsghdr h;
	int value;
};

static void give(void *arg, const struct nlmsghdr *h)
{
	const int *value = nlmsg_body(h, sizeof(*value));
	int *given = arg;

	*given = 10 * *given + (value ? *value : 9);
}

static void check_answers(void)
{
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		struct message m[4];
		int given = 0;
		struct nlmsg_answer a = { .seq = answers[i].seq, .each = give,
					  .arg = &given };
		size_t n = 0;

		for (; n < 4 && answers[i].part[n].type; n++) {
			const struct part *p = &answers[i].part[n];

			m[n] = (struct message){
				.h = { .nlmsg_len = p->len ? p->len :
						    sizeof(m[n]),
				       .nlmsg_type = p->type,
				       .nlmsg_flags = p->flags,
				       .nlmsg_seq = p->seq },
				.value = p->value,
			};
		}
		CHECK(answers[i].name,
		      nlmsg_read(&a, m, n * sizeof(m[0])) == answers[i].want);
		CHECK(answers[i].name, given == answers[i].given);
	}
}

static void check_body(void)
{
	const struct nlmsghdr h = { .nlmsg_len = sizeof(h) + 4 };

	CHECK("whole", nlmsg_body(&h, 4) == &h + 1);
	CHECK("cut", !nlmsg_body(&h, 5));
	CHECK("none behind", nlmsg_attrs(&h, 4).len == 0);
	CHECK("nor behind less", nlmsg_attrs(&h, 5).len == 0);
	CHECK("some", nlmsg_attrs(&h, 0).len == 4);
}

/* Two attributes, and how much of them there is to be read. */
static void check_attributes(void)
{
	static const uint8_t two[] = {
		5, 0, 3, 0x40, 9, 0, 0, 0, 8, 0, 4, 0x80, 1, 1, 1, 1,
	};

	for (size_t n = 0; n <= sizeof(two); n++) {
		uint8_t *p = exact(two, n);
		struct view left = { .p = p, .len = n };
		struct nlmsg_attr a = { .type = 0 };
		const bool first = nlmsg_attr_next(&left, &a);

		CHECK("first", first == (n >= 5));
		CHECK("first", !first || (a.type == 3 && a.value.len == 1 &&
					  nlmsg_attr_u8(&a) == 9 &&
					  nlmsg_attr_u32(&a) == 0));
		CHECK("second", nlmsg_attr_next(&left, &a) == (n == 16));
		CHECK("second", n < 16 || (a.type == 4 &&
					   nlmsg_attr_u8(&a) == 0 &&
					   nlmsg_attr_u32(&a) == 0x01010101));
		CHECK("no third", !nlmsg_attr_next(&left, &a));
		free(p);
	}
}

static void check_no_length(void)
{
	static const uint8_t none[] = { 0, 0, 3, 0, 3, 0, 3, 0 };
	struct view left = { .p = none, .len = sizeof(none) };
	struct nlmsg_attr a;

	CHECK("no length", !nlmsg_attr_next(&left, &a));
	left = (struct view){ .p = none + 4, .len = 4 };
	CHECK("less than its head", !nlmsg_attr_next(&left, &a));
}

/* ---- the kernel's ---- */

static void count(void *arg, const struct nlmsghdr *h)
{
	*(unsigned *)arg += h->nlmsg_type == RTM_NEWLINK;
}

static void check_kernel(void)
{
	const int fd = nlmsg_open(NETLINK_ROUTE);
	struct ifinfomsg *ifi;
	unsigned n = 0;
	struct nlmsg q;

	CHECK("socket", fd >= 0 && (fcntl(fd, F_GETFD) & FD_CLOEXEC));
	nlmsg_begin(&q, RTM_GETLINK, NLM_F_DUMP, sizeof(*ifi));
	CHECK("dump", nlmsg_ask(fd, &q, count, &n) == 0 && n > 0);
	ifi = nlmsg_begin(&q, RTM_GETLINK, 0, sizeof(*ifi));
	ifi->ifi_index = 1;
	n = 0;
	CHECK("loopback", nlmsg_ask(fd, &q, count, &n) == 0 && n == 1);
	ifi = nlmsg_begin(&q, RTM_GETLINK, 0, sizeof(*ifi));
	ifi->ifi_index = 0x7fffffff;
	CHECK("none", nlmsg_ask(fd, &q, count, &n) == -ENODEV && n == 1);
	close(fd);
	CHECK("closed", nlmsg_ask(fd, &q, NULL, NULL) == -EBADF);
}

/* On this protocol anybody may send to anybody. */
static void check_others(void)
{
	struct sockaddr_nl at = { .nl_family = AF_NETLINK };
	socklen_t len = sizeof(at);
	const int to = nlmsg_open(NETLINK_USERSOCK);
	const int from = nlmsg_open(NETLINK_USERSOCK);
	char buf[64] = "";

	CHECK("bound", bind(to, (const void *)&at, len) == 0 &&
		       getsockname(to, (void *)&at, &len) == 0 &&
		       fcntl(to, F_SETFL, O_NONBLOCK) == 0);
	CHECK("sent", sendto(from, "word", 4, 0, (const void *)&at, len) == 4);
	CHECK("not taken", nlmsg_receive(to, buf, sizeof(buf)) == -EAGAIN);
	close(to);
	close(from);
}

void test_linux_nlmsg(void);
void test_linux_nlmsg(void)
{
	check_question();
	check_answers();
	check_body();
	check_attributes();
	check_no_length();
	check_kernel();
	check_others();
}
