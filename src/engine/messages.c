/* SPDX-License-Identifier: MIT */
/* engine/messages.c - what keeper and inside helper say to the engine */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "engine/state.h"
#include "linux/channel.h"
#include "linux/messages.h"
#include "network/flows.h"

#define FLOWS_RELAYED	0x80000000u	/* where to go on: in the relays */

unsigned engine_keepers_number(const struct engine *e, unsigned id)
{
	for (unsigned i = 1; id && i < NETWORK_GUESTS_MAX; i++)
		if (e->guest_id[i] == id)
			return i;
	return 0;
}

static void send_guests(const struct engine *e)
{
	struct msg_guests m = { .kind = MSG_GUESTS };
	unsigned id = 0;

	m.n = network_guests(e->net, &id, m.at, NETWORK_GUESTS_MAX);
	for (unsigned i = 0; i < m.n; i++)
		m.at[i].id = (uint8_t)engine_keepers_number(e,
							     m.at[i].id);
	(void)!channel_send(e->setup.keeper_ch, &m, sizeof(m), NULL, 0);
}

static void send_stats(const struct engine *e)
{
	struct msg_stats m = { .kind = MSG_STATS };

	send_guests(e);
	network_get_stats(e->net, &m.now);
	m.now.relays = relays_count(e->relays) + exchanges_count(e->exchanges);
	(void)!channel_send(e->setup.keeper_ch, &m, sizeof(m), NULL, 0);
}

static void send_flows(const struct engine *e, uint32_t from)
{
	struct msg_flows m = { .kind = MSG_FLOWS };
	struct network_stats s;

	if (!(from & FLOWS_RELAYED)) {
		m.n = network_flows(e->net, &from, m.at, MSG_FLOWS_MAX);
		from = m.n < MSG_FLOWS_MAX ? FLOWS_RELAYED : from;
	}
	if (from & FLOWS_RELAYED) {
		from &= ~FLOWS_RELAYED;
		m.n += relays_flows(e->relays, &from, m.at + m.n,
				    MSG_FLOWS_MAX - m.n);
		from |= FLOWS_RELAYED;
	}
	m.next = m.n == MSG_FLOWS_MAX ? from : 0;
	network_get_stats(e->net, &s);
	m.all = s.flows_tcp + s.flows_udp + s.flows_icmp +
		relays_count(e->relays);
	(void)!channel_send(e->setup.keeper_ch, &m, sizeof(m), NULL, 0);
}

union keeper_msg {
	uint32_t kind;
	struct msg_flows_get flows;
	struct msg_resolvers resolvers;
	struct msg_mtu mtu;
	struct msg_zones zones;
	struct msg_hosts hosts;
	struct msg_forward forward;
	struct msg_firewall firewall;
	struct msg_hits_get hits;
	struct msg_guest guest;
	struct msg_link link;
	struct msg_opened opened;
};

static void add_guest(struct engine *e, const struct msg_guest *m)
{
	struct network_guest_setup s = {
		.link = m->link, .mac = m->mac, .learn_mac = m->learn_mac,
		.ip4 = m->ip4, .ip6 = m->ip6, .own_ip6 = m->own_ip6,
	};
	char text[NETWORK_NAME_BYTES + 96];
	int id;

	memcpy(s.name, m->name, sizeof(s.name));
	memcpy(s.rule_name, m->rule_name, sizeof(s.rule_name));
	id = network_guest_add(e->net, &s, engine_now_ns());
	if (id > 0) {
		e->guest_id[m->at] = (uint8_t)id;
		return;
	}
	snprintf(text, sizeof(text), "guest %.63s: it cannot be there: its "
		 "address or MAC is another's", m->rule_name);
	engine_log(e, LOG_ERROR, text);
}

static void del_guest(struct engine *e, unsigned at)
{
	if (e->guest_id[at])
		network_guest_remove(e->net, e->guest_id[at], engine_now_ns());
	e->guest_id[at] = 0;
}

/* Takes fd. */
static void add_link(struct engine *e, const struct msg_link *m, int fd)
{
	if (m->link >= LINKS_MAX || e->links[m->link].engine)
		close(fd);
	else if (!links_open(e, m->link, LINK_TAP, fd, m->offloads))
		engine_log(e, LOG_ERROR, "a guest that joins cannot be heard; "
			   "start it again");
}

static void take_resolvers(struct engine *e, const struct msg_resolvers *m)
{
	if (m->n <= MSG_RESOLVERS_MAX)
		network_set_resolvers(e->net, m->at, m->n);
}

/* What cannot be mapped is no file either. fd is borrowed; -1 none. */
static void take_hosts(struct engine *e, const struct msg_hosts *m, int fd)
{
	struct view new = { .p = NULL };
	struct hosts hosts;
	void *at = MAP_FAILED;

	if (fd >= 0)
		at = mmap(NULL, m->bytes, PROT_READ, MAP_PRIVATE, fd, 0);
	if (at != MAP_FAILED)
		new = (struct view){ .p = at, .len = m->bytes };
	network_set_hosts(e->net, new.p && hosts_open(new, &hosts) ?
				  &hosts : NULL);
	if (e->hosts.p)
		munmap((void *)(uintptr_t)e->hosts.p, e->hosts.len);
	e->hosts = new;
}

/*
 * A machine's own address is reached by frames; what listens at another one,
 * its loopback say, by its agent.
 */
static enum relay_way way_of(const struct engine *e,
			     const struct msg_forward *m)
{
	const struct engine_setup *s = &e->setup;

	if (m->to_host)
		return RELAY_TO_HOST;
	if (m->by_frames)
		return RELAY_BY_FRAMES;
	return s->agent && !prefix_has(&s->net4, &m->to.ip) &&
	       !prefix_has(&s->net6, &m->to.ip) ? RELAY_BY_AGENT :
						   RELAY_TO_GUEST;
}

/* Takes fd. */
static void add_forward(struct engine *e, const struct msg_forward *m, int fd)
{
	if (!m->udp)
		relays_forward_add(e->relays, m->id, fd, &m->to, way_of(e, m),
				   m->guest);
	else if (way_of(e, m) == RELAY_BY_AGENT)
		exchanges_forward_add(e->exchanges, m->id, fd, &m->to,
				      RELAY_BY_AGENT, m->guest);
	else if (m->by_frames || (!m->to_host && e->setup.inside_ch < 0))
		network_udp_offer(e->net, m->id, fd, &m->to,
				  m->own && m->by_frames, engine_now_ns());
	else
		exchanges_forward_add(e->exchanges, m->id, fd, &m->to,
				      way_of(e, m), m->guest);
}

/* It is one of theirs. */
static void del_forward(struct engine *e, uint32_t id)
{
	relays_forward_del(e->relays, id);
	exchanges_forward_del(e->exchanges, id);
	network_udp_withdraw(e->net, id, engine_now_ns());
}

static void guest_message(struct engine *e, const struct msg_guest *m)
{
	if (m->kind == MSG_GUEST_ADD)
		add_guest(e, m);
	else if (m->kind == MSG_GUEST_DEL)
		del_guest(e, m->at);
}

/* Takes fd. */
static void connected(struct engine *e, uint32_t id, int fd, int error)
{
	if (id & EXCHANGE_ID)
		exchanges_connected(e->exchanges, id, fd, engine_now_ns());
	else
		relays_connected(e->relays, id, fd, error);
}

bool engine_keeper_message(struct engine *e)
{
	int fds[CHANNEL_MAX_FDS];
	size_t n_fds = 0;
	union keeper_msg m;
	const ssize_t n = channel_recv(e->setup.keeper_ch, &m, sizeof(m), fds,
				       &n_fds);

	if (n == -EMFILE && m.kind == MSG_CONNECTED)
		connected(e, m.opened.id, -1, EMFILE);
	if (n == -EAGAIN || n == -EMFILE)
		return true;
	if (n <= 0)
		return false;
	if (m.kind == MSG_RESOLVERS && n == sizeof(m.resolvers))
		take_resolvers(e, &m.resolvers);
	else if (m.kind == MSG_MTU && n == sizeof(m.mtu))
		network_set_mtu(e->net, m.mtu.mtu, engine_now_ns());
	else if (m.kind == MSG_ZONES && n == sizeof(m.zones))
		network_set_zones(e->net, m.zones.at, m.zones.n);
	else if (m.kind == MSG_HOSTS && n == sizeof(m.hosts))
		take_hosts(e, &m.hosts, n_fds ? fds[0] : -1);
	else if (m.kind == MSG_FORWARD_ADD && n == sizeof(m.forward) &&
		 n_fds == 1)
		add_forward(e, &m.forward, fds[--n_fds]);
	else if (m.kind == MSG_FORWARD_DEL && n == sizeof(m.forward))
		del_forward(e, m.forward.id);
	else if (m.kind == MSG_STATS_GET)
		send_stats(e);
	else if (m.kind == MSG_FLOWS_GET && n == sizeof(m.flows))
		send_flows(e, m.flows.from);
	else if (m.kind == MSG_FIREWALL && n == sizeof(m.firewall))
		rules_take(e, &m.firewall, n_fds ? fds[0] : -1);
	else if (m.kind == MSG_OWNERS && n_fds == 1)
		rules_take_helper(e, fds[--n_fds]);
	else if (m.kind == MSG_HITS_GET && n == sizeof(m.hits))
		rules_send_hits(e, m.hits.from);
	else if (m.kind == MSG_CONNECTED && n == sizeof(m.opened))
		connected(e, m.opened.id, n_fds ? fds[--n_fds] : -1,
			  m.opened.error);
	else if (m.kind == MSG_LINK_ADD && n == sizeof(m.link) && n_fds == 1)
		add_link(e, &m.link, fds[--n_fds]);
	else if (m.kind == MSG_LINK_DEL && n == sizeof(m.link))
		links_close(e, m.link.link);
	else if (n == sizeof(m.guest) && m.guest.at < NETWORK_GUESTS_MAX)
		guest_message(e, &m.guest);
	while (n_fds)
		close(fds[--n_fds]);
	return true;
}

bool engine_inside_message(struct engine *e)
{
	int fds[CHANNEL_MAX_FDS];
	size_t n_fds = 0;
	struct msg_opened m;
	const ssize_t n = channel_recv(e->setup.inside_ch, &m, sizeof(m), fds,
				       &n_fds);

	if (n == -EAGAIN)
		return true;
	if (n == -EMFILE && m.kind == MSG_CONNECTED) {
		connected(e, m.id, -1, EMFILE);
		return true;
	}
	if (n <= 0)
		return false;
	if (n == sizeof(m) && m.kind == MSG_CONNECTED)
		connected(e, m.id, n_fds ? fds[--n_fds] : -1, m.error);
	while (n_fds)
		close(fds[--n_fds]);
	return true;
}
