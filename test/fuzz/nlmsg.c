/* SPDX-License-Identifier: MIT */
/*
 * test/fuzz/nlmsg.c - what a netlink socket says
 *
 * Each message and attribute that is given lies in the input, whole, behind
 * the one before it.
 */
#include <string.h>

#include "fuzz/fuzz.h"
#include "linux/nlmsg.h"

struct input {
	const uint8_t *at;		/* behind the last one that was given */
	const uint8_t *end;
};

static void check_attributes(const struct nlmsghdr *h, size_t bytes)
{
	const uint8_t *end = (const uint8_t *)h + h->nlmsg_len;
	struct view left = nlmsg_attrs(h, bytes);
	const uint8_t *at = left.p;
	struct nlmsg_attr a;

	while (nlmsg_attr_next(&left, &a)) {
		PROPERTY(a.value.p >= at + sizeof(struct nlattr));
		at = a.value.p + a.value.len;
		PROPERTY(at <= end);
		PROPERTY(a.value.len == 4 || nlmsg_attr_u32(&a) == 0);
		PROPERTY(a.value.len == 1 || nlmsg_attr_u8(&a) == 0);
	}
}

static void check_message(void *arg, const struct nlmsghdr *h)
{
	const uint8_t *first = (const uint8_t *)h;
	struct input *in = arg;

	PROPERTY(first >= in->at && h->nlmsg_len >= sizeof(*h) &&
		 h->nlmsg_len <= (size_t)(in->end - first));
	in->at = first + h->nlmsg_len;
	for (size_t bytes = 0; bytes <= 32; bytes += 8) {
		PROPERTY(!nlmsg_body(h, bytes) ==
			 (h->nlmsg_len < sizeof(*h) + bytes));
		check_attributes(h, bytes);
	}
}

/* The first byte says whether any question's answer is meant. */
void fuzz_nlmsg(const uint8_t *data, size_t size)
{
	const size_t len = size ? size - 1 : 0;
	uint8_t *copy = malloc(len + 1);	/* aligned */
	struct input in = { .at = copy, .end = copy + len };
	struct nlmsg_answer a = { .each = check_message, .arg = &in };
	int rc;

	if (!copy)
		abort();
	if (len)
		memcpy(copy, data + 1, len);
	a.seq = size ? data[0] : 0;
	rc = nlmsg_read(&a, copy, len);
	PROPERTY(rc <= 1);
	free(copy);
}
