/* SPDX-License-Identifier: MIT */
#include "linux/nlmsg.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PART_BYTES	32768	/* the kernel's largest part of a dump */
#define HEAD		sizeof(struct nlmsghdr)
#define ATTR_HEAD	sizeof(struct nlattr)

_Static_assert(NLMSG_ALIGNTO == NLA_ALIGNTO && !(HEAD % NLMSG_ALIGNTO) &&
	       !(ATTR_HEAD % NLA_ALIGNTO), "all are aligned alike");

static size_t aligned(size_t bytes)
{
	return (bytes + NLMSG_ALIGNTO - 1) & ~((size_t)NLMSG_ALIGNTO - 1);
}

int nlmsg_open(int protocol)
{
	const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);

	return fd < 0 ? -errno : fd;
}

/* ---- questions ---- */

/* Room for so many bytes more, all zero, and as many as align the next. */
static void *extend(struct nlmsg *q, size_t bytes)
{
	const size_t at = q->h.nlmsg_len;

	ASSERT(at <= sizeof(*q) && aligned(bytes) <= sizeof(*q) - at);
	q->h.nlmsg_len += (uint32_t)aligned(bytes);
	return memset((uint8_t *)q + at, 0, aligned(bytes));
}

void *nlmsg_begin(struct nlmsg *q, uint16_t type, uint16_t flags,
		  size_t bytes)
{
	q->h = (struct nlmsghdr){
		.nlmsg_len = NLMSG_HDRLEN,
		.nlmsg_type = type,
		.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags),
	};
	return extend(q, bytes);
}

void nlmsg_put(struct nlmsg *q, uint16_t type, const void *data, size_t len)
{
	struct nlattr *a = extend(q, ATTR_HEAD + len);

	a->nla_type = type;
	a->nla_len = (uint16_t)(ATTR_HEAD + len);
	memcpy((uint8_t *)a + ATTR_HEAD, data, len);
}

void nlmsg_put_u32(struct nlmsg *q, uint16_t type, uint32_t value)
{
	nlmsg_put(q, type, &value, sizeof(value));
}

struct nlattr *nlmsg_nest(struct nlmsg *q, uint16_t type)
{
	struct nlattr *a = extend(q, ATTR_HEAD);

	a->nla_type = (uint16_t)(type | NLA_F_NESTED);
	return a;
}

void nlmsg_unnest(struct nlmsg *q, struct nlattr *nest)
{
	nest->nla_len = (uint16_t)((uint8_t *)q + q->h.nlmsg_len -
				   (uint8_t *)nest);
}

/* ---- answers ---- */

ssize_t nlmsg_receive(int fd, void *buf, size_t cap)
{
	struct sockaddr_nl from = { .nl_family = AF_NETLINK };
	struct iovec v = { .iov_base = buf, .iov_len = cap };
	struct msghdr m;
	ssize_t n;

	do {
		m = (struct msghdr){ .msg_name = &from,
				     .msg_namelen = sizeof(from),
				     .msg_iov = &v, .msg_iovlen = 1 };
		n = recvmsg(fd, &m, 0);
	} while ((n < 0 && errno == EINTR) || (n >= 0 && from.nl_pid != 0));
	if (n < 0)
		return -errno;
	return m.msg_flags & MSG_TRUNC ? -EMSGSIZE : n;
}

int nlmsg_ask(int fd, struct nlmsg *q, nlmsg_fn *each, void *arg)
{
	static uint32_t last;
	_Alignas(struct nlmsghdr) uint8_t buf[PART_BYTES];
	const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct nlmsg_answer a = { .each = each, .arg = arg };
	int more = 1;

	last += last == UINT32_MAX ? 2 : 1;	/* never 0 */
	a.seq = q->h.nlmsg_seq = last;
	if (sendto(fd, q, q->h.nlmsg_len, 0, (const void *)&kernel,
		   sizeof(kernel)) < 0)
		return -errno;
	while (more > 0) {
		const ssize_t n = nlmsg_receive(fd, buf, sizeof(buf));

		more = n < 0 ? (int)n : nlmsg_read(&a, buf, (size_t)n);
	}
	return more;
}

/* What stands in an error, an acknowledgement (0) or at a dump's end. */
static int error_of(const struct nlmsghdr *h)
{
	int error = 0;
	const int *said = nlmsg_body(h, sizeof(error));

	if (said)
		memcpy(&error, said, sizeof(error));
	else if (h->nlmsg_type == NLMSG_ERROR)
		error = -EBADMSG;
	return error < 0 ? error : 0;
}

/* One message. As nlmsg_read(). */
static int heed(struct nlmsg_answer *a, const struct nlmsghdr *h)
{
	int error;

	if (a->seq && h->nlmsg_seq != a->seq)
		return 1;
	a->changed |= h->nlmsg_flags & NLM_F_DUMP_INTR;
	switch (h->nlmsg_type) {
	case NLMSG_NOOP: case NLMSG_OVERRUN:
		return 1;
	case NLMSG_ERROR: case NLMSG_DONE:
		error = error_of(h);
		return !error && a->changed ? -EINTR : error;
	default:
		if (a->each)
			a->each(a->arg, h);
		return !a->seq || (h->nlmsg_flags & NLM_F_MULTI);
	}
}

int nlmsg_read(struct nlmsg_answer *a, const void *buf, size_t len)
{
	const uint8_t *at = buf;
	int more = 1;

	while (more > 0 && len >= HEAD) {
		const struct nlmsghdr *h = (const void *)at;
		const size_t whole = h->nlmsg_len;

		if (whole < HEAD || whole > len)
			return -EBADMSG;
		more = heed(a, h);
		if (aligned(whole) >= len)
			break;
		at += aligned(whole);
		len -= aligned(whole);
	}
	return more;
}

const void *nlmsg_body(const struct nlmsghdr *h, size_t bytes)
{
	return h->nlmsg_len - HEAD < bytes ? NULL :
	       (const uint8_t *)h + HEAD;
}

struct view nlmsg_attrs(const struct nlmsghdr *h, size_t bytes)
{
	const size_t skip = HEAD + aligned(bytes);

	if (h->nlmsg_len < skip)
		return (struct view){ .len = 0 };
	return (struct view){ .p = (const uint8_t *)h + skip,
			      .len = h->nlmsg_len - skip };
}

bool nlmsg_attr_next(struct view *left, struct nlmsg_attr *out)
{
	struct nlattr a;
	size_t whole;

	if (left->len < sizeof(a))
		return false;
	memcpy(&a, left->p, sizeof(a));
	if (a.nla_len < ATTR_HEAD || a.nla_len > left->len)
		return false;
	out->type = (uint16_t)(a.nla_type & (unsigned)NLA_TYPE_MASK);
	out->value = (struct view){ .p = left->p + ATTR_HEAD,
				    .len = a.nla_len - ATTR_HEAD };
	whole = aligned(a.nla_len);
	whole = whole < left->len ? whole : left->len;
	left->p += whole;
	left->len -= whole;
	return true;
}

uint32_t nlmsg_attr_u32(const struct nlmsg_attr *a)
{
	uint32_t value = 0;

	if (a->value.len == sizeof(value))
		memcpy(&value, a->value.p, sizeof(value));
	return value;
}

uint8_t nlmsg_attr_u8(const struct nlmsg_attr *a)
{
	return a->value.len == 1 ? a->value.p[0] : 0;
}
