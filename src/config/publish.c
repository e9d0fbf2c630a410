/* SPDX-License-Identifier: MIT */
#include "config/publish.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* A port number at *text, which is moved behind it. */
static bool port_at(const char **text, uint16_t *out)
{
	unsigned n = 0, digits = 0;

	for (; **text >= '0' && **text <= '9'; (*text)++) {
		n = n * 10 + (unsigned)(**text - '0');
		if (++digits > 5)
			return false;
	}
	*out = (uint16_t)n;
	return digits && n && n <= 65535;
}

static const char *take_dev(struct publish *p, const char *text, size_t len)
{
	if (!len || len >= sizeof(p->dev))
		return "not an interface's name";
	/* Nor is there one that would break a line, or a terminal. */
	for (size_t i = 0; i < len; i++)
		if (!isascii(text[i]) || !isgraph(text[i]) || text[i] == '/')
			return "not an interface's name";
	memcpy(p->dev, text, len);
	p->dev[len] = '\0';
	return NULL;
}

/* "192.0.2.1", "192.0.2.1%eth0", "%eth0": len bytes before the colon. */
static const char *take_address(struct publish *p, const char *text,
				size_t len)
{
	const char *percent = memchr(text, '%', len);
	const size_t n = percent ? (size_t)(percent - text) : len;
	char ip[IP_TEXT_BYTES];

	if (n) {
		if (n >= sizeof(ip))
			return "not an address";
		memcpy(ip, text, n);
		ip[n] = '\0';
		if (!ip_parse(ip, &p->ip) || ip_is_multicast(&p->ip))
			return "not an address";
		p->has_ip = true;
	}
	return percent ? take_dev(p, percent + 1, len - n - 1) : NULL;
}

/* "[2001:db8::1]:", "[fe80::1]%eth0:" */
static const char *bracketed(struct publish *p, const char **text)
{
	const char *end = strchr(*text, ']');
	const char *colon = end ? strchr(end, ':') : NULL;
	const char *why;

	if (!colon || (end[1] != ':' && end[1] != '%'))
		return "an IPv6 address is written [ADDR]:PORT";
	why = take_address(p, *text + 1, (size_t)(end - *text - 1));
	if (!why && (!p->has_ip || ip_is4(&p->ip)))
		why = "not an IPv6 address";
	if (!why && end[1] == '%')
		why = take_dev(p, end + 2, (size_t)(colon - end - 2));
	*text = colon + 1;
	return why;
}

/* Moves *text behind the colon after the address, if there is one. */
static const char *address_part(struct publish *p, const char **text)
{
	const char *at = *text, *end, *why;

	if (*at == '[')
		return bracketed(p, text);
	end = strchr(at, ':');
	if (!end || strspn(at, "0123456789-") >= (size_t)(end - at))
		return NULL;		/* what stands first is a port */
	why = take_address(p, at, (size_t)(end - at));
	if (!why && p->has_ip && !ip_is4(&p->ip))
		why = "an IPv6 address is written [ADDR]:PORT";
	*text = end + 1;
	return why;
}

static const char *ports_part(struct publish *p, const char **text)
{
	if (!port_at(text, &p->first))
		return "its port is not 1 to 65535";
	p->last = p->first;
	if (**text == '-') {
		++*text;
		if (!port_at(text, &p->last))
			return "its last port is not 1 to 65535";
		if (p->last < p->first)
			return "its range is the wrong way round";
	}
	p->guest_first = p->first;
	if (**text == ':') {
		++*text;
		if (!port_at(text, &p->guest_first))
			return "the guest's port is not 1 to 65535";
		if (p->guest_first + (p->last - p->first) > 65535)
			return "the guest's ports end above 65535";
	}
	return NULL;
}

const char *publish_parse(const char *text, struct publish *out)
{
	const char *why;

	memset(out, 0, sizeof(*out));
	if (strlen(text) >= sizeof(out->text))
		return "too long";
	strcpy(out->text, text);
	if (!strcmp(text, "auto")) {
		out->automatic = true;
		out->first = out->guest_first = 1;
		out->last = 65535;
		return NULL;
	}
	why = address_part(out, &text);
	if (!why)
		why = ports_part(out, &text);
	if (why)
		return why;
	out->udp = !strcmp(text, "/udp");
	if (*text && !out->udp && strcmp(text, "/tcp"))
		return "not [ADDR:]PORT[-PORT][:GUESTPORT][/udp]";
	return NULL;
}

bool publish_is_for(const struct publish *p, bool udp)
{
	return p->automatic || p->udp == udp;
}

bool publish_overlap(const struct publish *a, const struct publish *b)
{
	if (a->automatic || b->automatic)
		return a->automatic && b->automatic;
	if (a->udp != b->udp)
		return false;
	if (a->last < b->first || b->last < a->first)
		return false;
	if (*a->dev && *b->dev && strcmp(a->dev, b->dev))
		return false;
	if (!a->has_ip || !b->has_ip)
		return true;
	if (ip_is4(&a->ip) != ip_is4(&b->ip))
		return false;
	return ip_is_unspecified(&a->ip) || ip_is_unspecified(&b->ip) ||
	       ip_equal(&a->ip, &b->ip);
}

bool publish_same(const struct publish *a, const struct publish *b)
{
	return a->automatic == b->automatic && a->udp == b->udp &&
	       a->first == b->first && a->last == b->last &&
	       a->guest_first == b->guest_first && a->has_ip == b->has_ip &&
	       (!a->has_ip || ip_equal(&a->ip, &b->ip)) &&
	       !strcmp(a->dev, b->dev) && !strcmp(a->guest, b->guest);
}

uint16_t publish_host_port(const struct publish *p, uint16_t guest_port)
{
	const unsigned offset = (unsigned)guest_port - p->guest_first;

	if (guest_port < p->guest_first || offset > (unsigned)(p->last - p->first))
		return 0;
	return (uint16_t)(p->first + offset);
}
