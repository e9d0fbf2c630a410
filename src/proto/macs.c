/* SPDX-License-Identifier: MIT */
#include "proto/macs.h"

void macs_init(struct macs *m, const struct mac *own, const struct mac *main,
	       bool fixed)
{
	*m = (struct macs){ .own = *own, .main = *main, .fixed = fixed };
}

/* The entry of that address; m->n: there is none. */
static unsigned find(const struct macs *m, const struct ip *ip)
{
	unsigned i = 0;

	/* Nearly always the one that spoke last. */
	if (m->n && ip_equal(&m->six[m->last].ip, ip))
		return m->last;
	while (i < m->n && !ip_equal(&m->six[i].ip, ip))
		i++;
	return i;
}

static void heard6(struct macs *m, const struct ip *ip, const struct mac *mac)
{
	unsigned i = find(m, ip);

	if (i == m->n) {
		i = m->next;
		m->next = (m->next + 1) % MACS_MAX;
		if (m->n < MACS_MAX)
			m->n++;
		m->six[i].ip = *ip;
	}
	m->six[i].mac = *mac;
	m->last = i;
	if (!m->has_ip4)
		m->main = *mac;
}

void macs_heard(struct macs *m, const struct ip *ip, const struct mac *mac)
{
	if (m->fixed || (mac->b[0] & 1) || mac_equal(mac, &m->own))
		return;
	if (!ip_is4(ip)) {
		heard6(m, ip, mac);
		return;
	}
	m->main = *mac;
	m->has_ip4 = true;
}

const struct mac *macs_of(const struct macs *m, const struct ip *ip)
{
	const unsigned i = ip_is4(ip) ? m->n : find(m, ip);

	return i < m->n ? &m->six[i].mac : &m->main;
}
