/* SPDX-License-Identifier: MIT */
#include "linux/mark.h"

#include <netinet/udp.h>
#include <string.h>

static size_t put_int(uint8_t *at, int level, int type, int value)
{
	struct cmsghdr *c = (void *)at;

	c->cmsg_level = level;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(sizeof(value));
	memcpy(CMSG_DATA(c), &value, sizeof(value));
	return CMSG_SPACE(sizeof(value));
}

/* The one that the kernel wants to be two bytes long. */
static size_t put_segment(uint8_t *at, uint16_t segment)
{
	struct cmsghdr *c = (void *)at;

	c->cmsg_level = SOL_UDP;
	c->cmsg_type = UDP_SEGMENT;
	c->cmsg_len = CMSG_LEN(sizeof(segment));
	memcpy(CMSG_DATA(c), &segment, sizeof(segment));
	return CMSG_SPACE(sizeof(segment));
}

/* From which of the host's addresses. */
static size_t put_local(uint8_t *at, const struct env_mark *mark)
{
	const bool v4 = ip_is4(&mark->local);
	struct in6_pktinfo six = { .ipi6_ifindex = mark->dev };
	const struct in_pktinfo four = {
		.ipi_spec_dst.s_addr = v4 ? htonl(ip_to_v4(mark->local)) : 0,
	};
	const size_t len = v4 ? sizeof(four) : sizeof(six);
	struct cmsghdr *c = (void *)at;

	memcpy(&six.ipi6_addr, mark->local.b, sizeof(six.ipi6_addr));
	c->cmsg_level = v4 ? IPPROTO_IP : IPPROTO_IPV6;
	c->cmsg_type = v4 ? IP_PKTINFO : IPV6_PKTINFO;
	c->cmsg_len = CMSG_LEN(len);
	memcpy(CMSG_DATA(c), v4 ? (const void *)&four : &six, len);
	return CMSG_SPACE(len);
}

size_t mark_put(union mark_control *control, bool v4,
		const struct env_mark *mark)
{
	const int level = v4 ? IPPROTO_IP : IPPROTO_IPV6;
	size_t n = 0;

	if (mark && mark->ttl)
		n += put_int(control->room + n, level,
			     v4 ? IP_TTL : IPV6_HOPLIMIT, mark->ttl);
	if (mark && mark->tos)
		n += put_int(control->room + n, level,
			     v4 ? IP_TOS : IPV6_TCLASS, mark->tos);
	if (mark && mark->segment)
		n += put_segment(control->room + n, mark->segment);
	if (mark && !ip_is_unspecified(&mark->local))
		n += put_local(control->room + n, mark);
	return n;
}

/* The kernel gives IP_TOS as a byte, all else as an int. */
static int cmsg_value(const struct cmsghdr *c)
{
	int value;

	if (c->cmsg_len < CMSG_LEN(sizeof(value)))
		return *CMSG_DATA(c);
	memcpy(&value, CMSG_DATA(c), sizeof(value));
	return value;
}

/* Which of the host's addresses it came to; the interface if that matters. */
static void get_local(const struct cmsghdr *c, struct env_mark *out)
{
	struct in6_pktinfo six;
	struct in_pktinfo four;

	if (c->cmsg_level == IPPROTO_IP) {
		memcpy(&four, CMSG_DATA(c), sizeof(four));
		out->local = ip_from_v4(ntohl(four.ipi_spec_dst.s_addr));
		return;
	}
	memcpy(&six, CMSG_DATA(c), sizeof(six));
	memcpy(out->local.b, &six.ipi6_addr, sizeof(out->local.b));
	if (ip_is_link_local(&out->local))
		out->dev = six.ipi6_ifindex;
	else if (ip_is_multicast(&out->local))
		out->local = (struct ip){ 0 };
}

void mark_get(struct msghdr *m, struct env_mark *out)
{
	*out = (struct env_mark){ 0 };
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		const bool v4 = c->cmsg_level == IPPROTO_IP;

		if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO)
			out->segment = (uint16_t)cmsg_value(c);
		else if (c->cmsg_type == (v4 ? IP_TTL : IPV6_HOPLIMIT))
			out->ttl = (uint8_t)cmsg_value(c);
		else if (c->cmsg_type == (v4 ? IP_TOS : IPV6_TCLASS))
			out->tos = (uint8_t)cmsg_value(c);
		else if (c->cmsg_type == (v4 ? IP_PKTINFO : IPV6_PKTINFO))
			get_local(c, out);
	}
}
