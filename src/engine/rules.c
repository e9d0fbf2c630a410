/* SPDX-License-Identifier: MIT */
#include "engine/rules.h"

#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>

#include "engine/state.h"
#include "firewall/firewall.h"
#include "linux/channel.h"
#include "linux/messages.h"

static struct engine *engine_of(void *host)
{
	return (struct engine *)(void *)((char *)host -
					 offsetof(struct engine, host));
}

static bool ask_program(void *ctx, uint32_t id, const struct env_socket *what)
{
	const struct owners_socket socket = {
		.in_guest = what->in_guest, .listens = what->listens,
		.protocol = what->protocol,
		.local = what->local, .remote = what->remote,
	};
	struct owners *o = &engine_of(ctx)->owners;

	if (o->ch < 0)
		return false;
	/* What there is no room to ask is dropped in time, and comes again. */
	(void)!owners_ask(o, id, &socket, engine_now_ns());
	return true;
}

static void told(void *ctx, uint32_t id, enum owners_answer answer,
		 const char *path, uint64_t now_ns)
{
	struct engine *e = ctx;

	if (answer == OWNER_LATE)
		network_program_late(e->net, id, now_ns);
	else
		network_program(e->net, id, path, now_ns);
}

void rules_begin(struct engine *e)
{
	owners_init(&e->owners, told, e);
}

void rules_take_helper(struct engine *e, int ch)
{
	owners_set_helper(&e->owners, ch, engine_now_ns());
	if (!engine_watch(e, ch, SLOT_OWNERS, EPOLLIN))
		engine_log(e, LOG_ERROR, "the helper that tells programs "
			   "cannot be heard; start the guest again");
}

static void judged(void *ctx, uint32_t ticket, bool pass)
{
	struct engine *e = engine_of(ctx);

	if (ticket & EXCHANGE_ID)
		exchanges_judged(e->exchanges, ticket, pass,
				 engine_now_ns());
	else
		relays_judged(e->relays, ticket, pass);
}

/* A keeper that does not listen loses that, not packets. */
static void blocked(void *ctx, const struct network_blocked *what)
{
	const struct engine *e = engine_of(ctx);
	const struct msg_blocked m = { .kind = MSG_BLOCKED, .what = *what };

	(void)!channel_send(e->setup.keeper_ch, &m, sizeof(m), NULL, 0);
}

void rules_ops(struct env_ops *ops, const struct env_ops *base)
{
	*ops = *base;
	ops->ask_program = ask_program;
	ops->judged = judged;
	ops->blocked = blocked;
}

static void unmap(struct engine_rules *r)
{
	if (r->file)
		munmap(r->file, r->file_bytes);
	if (r->compiled)
		munmap(r->compiled, r->compiled_bytes);
	r->file = r->compiled = NULL;
}

static struct firewall *compile(struct engine *e, struct engine_rules *r,
				const struct msg_firewall *m)
{
	const struct engine_setup *s = &e->setup;
	const size_t bytes = (firewall_bytes(&r->set) + 7) & ~(size_t)7;
	struct firewall_net net = {
		.name = m->network,
		.profile = (enum rule_profile)m->profile, .v6 = s->v6,
		.subnet4 = s->net4, .subnet6 = s->net6,
		.gateway4 = s->gateway4, .gateway6 = s->gateway6,
		.defaults = {
			.in_from_guest = m->in_from_guest,
			.in_from_host = m->in_from_host,
			.in_from_lan = m->in_from_lan, .out = m->out,
		},
	};

	r->compiled_bytes = bytes + r->set.used.rules * sizeof(*r->hits) + 8;
	r->compiled = mmap(NULL, r->compiled_bytes, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (r->compiled == MAP_FAILED) {
		r->compiled = NULL;
		return NULL;
	}
	r->hits = (uint64_t *)(void *)((char *)r->compiled + bytes);
	return firewall_compile(&r->set, &net, r->compiled);
}

/* NULL: they make no sense, or there is no memory. */
static struct firewall *open_rules(struct engine *e, struct engine_rules *r,
				   const struct msg_firewall *m, int fd)
{
	const struct rules_size size = {
		.rules = m->rules, .items = m->items,
		.text_bytes = m->text_bytes,
	};

	*r = (struct engine_rules){ .generation = m->generation };
	snprintf(r->guest, sizeof(r->guest), "%.63s", m->network);
	r->file_bytes = rules_bytes(&size);
	if (fd >= 0)
		r->file = mmap(NULL, r->file_bytes, PROT_READ, MAP_PRIVATE, fd,
			       0);
	if (fd < 0 || r->file == MAP_FAILED) {
		r->file = NULL;
		return NULL;
	}
	rules_adopt(&r->set, r->file, &size);
	return compile(e, r, m);
}

/* Without them nothing passes: a wall with a hole is worse than none. */
void rules_take(struct engine *e, const struct msg_firewall *m, int fd)
{
	struct engine_rules before = e->rules;
	struct network_rules rules = {
		.generation = m->generation, .off = m->off,
		.refuse = m->refuse, .keep_flows = m->keep_flows,
	};

	rules.firewall = open_rules(e, &e->rules, m, fd);
	rules.guest = e->rules.guest;
	rules.hits = rules.firewall ? e->rules.hits : NULL;
	if (!rules.firewall)
		engine_log(e, LOG_ERROR, "the firewall's rules cannot be "
			   "read: nothing passes; start the guest again");
	network_set_rules(e->net, &rules, engine_now_ns());
	unmap(&before);
	if (rules.off || rules.keep_flows)
		return;
	relays_judge_again(e->relays);
	exchanges_judge_again(e->exchanges, engine_now_ns());
}

void rules_send_hits(const struct engine *e, uint32_t from)
{
	const struct engine_rules *r = &e->rules;
	struct msg_hits m = { .kind = MSG_HITS, .generation = r->generation,
			      .from = from, .rules = r->set.used.rules };

	network_get_blocked(e->net, &m.blocked, &m.not_told);
	while (r->compiled && m.n < MSG_HITS_MAX && from + m.n < m.rules) {
		m.at[m.n] = r->hits[from + m.n];
		m.n++;
	}
	(void)!channel_send(e->setup.keeper_ch, &m,
			    offsetof(struct msg_hits, at) +
			    m.n * sizeof(m.at[0]), NULL, 0);
}
