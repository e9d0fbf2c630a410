/* SPDX-License-Identifier: MIT */
/* network/guard_wait.c - what waits for a program to be known */
#include "network/guard.h"

#include <string.h>

#include "network/state.h"

#define PROGRAM_BYTES	1024u		/* of a path, with NUL */
#define HEAD_BYTES	(GUARD_ENDS * PROGRAM_BYTES)	/* of a block */
#define BLOCK_LEAST	4096u		/* that env gives */

static bool same_endpoint(const struct endpoint *a, const struct endpoint *b)
{
	return a->port == b->port && ip_equal(&a->ip, &b->ip);
}

static bool same_flow(const struct guard_flow *a, const struct guard_flow *b)
{
	return a->path == b->path && a->protocol == b->protocol &&
	       same_endpoint(&a->guest, &b->guest) &&
	       same_endpoint(&a->peer, &b->peer);
}

bool guard_is_again(const struct guard *g, const struct guard_flow *f)
{
	return g->again && same_flow(&g->again->flow, f);
}

/*
 * A slot for one more of that flow, and one of the flow's whose question it
 * may share: what is new learns what the first has learned already.
 */
static struct guard_waiting *slot_for(struct guard *g,
				      const struct guard_flow *f,
				      enum guard_end end, bool again,
				      const struct guard_waiting **with)
{
	struct guard_waiting *slot = NULL;
	unsigned same = 0;

	*with = NULL;
	for (unsigned i = 0; i < GUARD_WAITING_MAX; i++) {
		struct guard_waiting *w = &g->slots[i];

		if (!w->id) {
			slot = slot ? slot : w;
		} else if (same_flow(&w->flow, f)) {
			if (!again || w->end == end)
				*with = w;
			same++;
		}
	}
	return same < GUARD_SAME_MAX ? slot : NULL;
}

/* The same port of that side's own loopback. */
static struct endpoint on_loopback(const struct endpoint *at)
{
	return (struct endpoint){
		.ip = ip_is4(&at->ip) ? ip_from_v4(0x7f000001) :
					(struct ip){ .b[15] = 1 },
		.port = at->port,
	};
}

/* Who is the host's socket: the gateway's address is its loopback. */
static struct endpoint host_socket(const struct network *net,
				   const struct guard_flow *f,
				   enum guard_kind kind)
{
	if (!ip_equal(&f->peer.ip, proto_gateway(&net->p, &f->peer.ip)) ||
	    (kind == GUARD_GUEST_PACKET && net->setup.host_port))
		return f->peer;
	return on_loopback(&f->peer);
}

static bool ask(struct network *net, uint32_t id, const struct guard_flow *f,
		enum guard_end end, enum guard_kind kind)
{
	const struct env *env = &net->p.env;
	const bool host_end = end == GUARD_HOST_END;
	struct env_socket what = {
		.in_guest = !host_end,
		.listens = host_end || !guard_leaves(f->path),
		.protocol = f->protocol,
		.local = host_end ? host_socket(net, f, kind) : f->guest,
		.remote = host_end ? f->guest : f->peer,
	};

	/* What the driver relays is on the guest's loopback, with both ends. */
	if (kind == GUARD_TICKET && !host_end) {
		what.local = on_loopback(&f->guest);
		what.remote = on_loopback(&f->peer);
	}

	return env->ops->ask_program(env->ctx, id, &what);
}

static uint32_t block_for(size_t len)
{
	uint32_t bytes = BLOCK_LEAST;

	while (bytes < HEAD_BYTES + len)
		bytes *= 2;
	return bytes;
}

/* Its own copy of what is lent; the paths that are known, and the bytes. */
static bool copy_into_block(struct network *net, struct guard_waiting *w,
			    const struct guard_programs *known)
{
	const struct env *env = &net->p.env;
	const struct view from = w->cause.bytes;

	w->block_bytes = block_for(from.len);
	if (w->block_bytes > GUARD_KEPT_BYTES - net->guard.kept_bytes)
		return false;
	w->block = env->ops->mem_alloc(env->ctx, w->block_bytes);
	if (!w->block)
		return false;
	net->guard.kept_bytes += w->block_bytes;
	w->known = *known;
	for (unsigned end = 0; end < GUARD_ENDS; end++) {
		char *at = (char *)w->block + end * PROGRAM_BYTES;

		if (!known->path[end])
			continue;
		memcpy(at, known->path[end], strlen(known->path[end]) + 1);
		w->known.path[end] = at;
	}
	if (from.len)
		memcpy(w->block + HEAD_BYTES, from.p, from.len);
	w->cause.bytes.p = w->block + HEAD_BYTES;
	return true;
}

static void free_block(struct network *net, const struct guard_waiting *w)
{
	const struct env *env = &net->p.env;

	if (!w->block)
		return;
	net->guard.kept_bytes -= w->block_bytes;
	env->ops->mem_free(env->ctx, w->block, w->block_bytes);
}

/* The driver knows the programs of the host, and of one namespace. */
static bool can_be_found(const struct network *net,
			 const struct guard_flow *f, enum guard_end end)
{
	return f->path != GUARD_TO_GUEST &&
	       (end == GUARD_HOST_END ||
		guests_to(&net->p.guests, &f->guest.ip) == 0);
}

enum guard_verdict guard_keep(struct network *net,
			      const struct guard_flow *f,
			      const struct guard_cause *cause,
			      const struct guard_programs *known,
			      enum guard_end end)
{
	struct guard *g = &net->guard;
	struct guard_waiting w = {
		.flow = *f, .cause = *cause, .end = end,
		.until_ns = net->p.now_ns + GUARD_PATIENCE_NS,
	};
	const struct guard_waiting *with;
	struct guard_waiting *slot = slot_for(g, f, end, guard_is_again(g, f),
					      &with);

	if (!can_be_found(net, f, end))
		return GUARD_PASS;
	/* What lies elsewhere is the driver's; a SYN comes again without. */
	if (cause->kind == GUARD_GUEST_PACKET && cause->meta.far_bytes)
		return GUARD_LIMIT;
	if (!slot || !copy_into_block(net, &w, with ? &with->known : known))
		return GUARD_LIMIT;
	if (with) {
		w.id = with->id;
		w.end = with->end;
		w.until_ns = with->until_ns;
	} else {
		w.id = ++g->last_id ? g->last_id : ++g->last_id;
		if (!ask(net, w.id, f, end, cause->kind)) {
			free_block(net, &w);
			return GUARD_PASS;
		}
	}
	w.order = ++g->last_order;
	*slot = w;
	g->waiting++;
	if (!timer_armed(&g->timer))
		wheel_arm(&net->p.wheel, &g->timer, w.until_ns);
	return GUARD_WAIT;
}
/* ---- it is taken up again ---- */

static void judge_ticket(struct network *net, const struct guard_waiting *w)
{
	const struct env *env = &net->p.env;
	const enum guard_verdict v = guard_begins(net, &w->flow, &w->cause);

	if (v != GUARD_WAIT)
		env->ops->judged(env->ctx, w->cause.ticket, v == GUARD_PASS);
}

static void call_again(struct network *net, const struct guard_cause *c)
{
	const struct proto_call call = {
		.peer = c->datagram.peer, .mark = c->datagram.mark,
		.data = c->bytes, .n = c->datagram.n,
	};

	net->p.drops[DROP_OK] -= call.n;
	udp_called_again(&net->p, c->datagram.map, &call);
}

static void take_up(struct network *net, const struct guard_waiting *w)
{
	const struct guard_cause *c = &w->cause;

	switch (c->kind) {
	case GUARD_GUEST_PACKET:
		net->p.drops[DROP_OK]--;	/* it has its verdict now */
		network_packet_again(net, &c->meta, c->bytes);
		break;
	case GUARD_HOST_PACKET:
		net->p.drops[DROP_OK]--;
		network_host_packet(net, &c->meta, c->bytes.p, c->bytes.len,
				    net->p.now_ns);
		break;
	case GUARD_STREAM:
		network_offer(net, c->stream.id, &c->stream.from,
			      &c->stream.to, net->p.now_ns);
		break;
	case GUARD_DATAGRAM:
		call_again(net, c);
		break;
	case GUARD_TICKET:
		judge_ticket(net, w);
		break;
	case GUARD_LIVING:
		guard_judge_living(net, w);
		break;
	case GUARD_NOTHING:
		break;
	}
}

/* Without a verdict nothing passes: whoever began it may try again. */
static void let_go(struct network *net, const struct guard_waiting *w)
{
	const struct env *env = &net->p.env;
	const struct guard_cause *c = &w->cause;
	const uint64_t n = c->kind == GUARD_DATAGRAM ? c->datagram.n : 1;

	switch (c->kind) {
	case GUARD_DATAGRAM:
	case GUARD_GUEST_PACKET: case GUARD_HOST_PACKET:
		net->p.drops[DROP_OK] -= n;
		net->p.drops[DROP_LIMIT] += n;
		break;
	case GUARD_STREAM:
		env->ops->tcp.close(env->ctx, c->stream.id, true);
		break;
	case GUARD_TICKET:
		env->ops->judged(env->ctx, c->ticket, false);
		break;
	case GUARD_LIVING:		/* by what is known of it */
		guard_judge_living(net, w);
		break;
	case GUARD_NOTHING:
		break;
	}
}

/* The one that waits longest, of a question, or of all (id 0); NULL: none. */
static struct guard_waiting *oldest(struct guard *g, uint32_t id)
{
	struct guard_waiting *first = NULL;

	for (unsigned i = 0; g->waiting && i < GUARD_WAITING_MAX; i++) {
		struct guard_waiting *w = &g->slots[i];

		if (w->id && (!id || w->id == id) &&
		    (!first || w->order < first->order))
			first = w;
	}
	return first;
}

/*
 * All that wait for that answer, in their order. path is borrowed; late: there
 * is none.
 */
static void answered(struct network *net, uint32_t id, const char *path,
		     bool late)
{
	struct guard *g = &net->guard;
	struct guard_waiting *slot;
	const uint64_t last = g->last_order;

	g->sweep_stuck = false;
	while ((slot = oldest(g, id)) && slot->order <= last) {
		struct guard_waiting w = *slot;

		slot->id = 0;
		g->waiting--;
		w.known.asked[w.end] = true;
		w.known.path[w.end] = path;
		g->again = &w;
		if (late)
			let_go(net, &w);
		else
			take_up(net, &w);
		g->again = NULL;
		free_block(net, &w);
	}
}

void network_program(struct network *net, uint32_t id, const char *path,
		     uint64_t now_ns)
{
	net->p.now_ns = now_ns;
	if (path && (path[0] != '/' || strlen(path) >= PROGRAM_BYTES))
		path = NULL;
	if (id)
		answered(net, id, path, false);
}

void network_program_late(struct network *net, uint32_t id, uint64_t now_ns)
{
	net->p.now_ns = now_ns;
	if (id)
		answered(net, id, NULL, true);
}

void guard_timer(struct network *net)
{
	struct guard *g = &net->guard;
	const struct guard_waiting *w;

	while ((w = oldest(g, 0)) && w->until_ns <= net->p.now_ns)
		answered(net, w->id, NULL, true);
	g->sweep_stuck = false;
	if (w)
		wheel_arm(&net->p.wheel, &g->timer, w->until_ns);
}
void guard_fini(struct network *net)
{
	const struct env *env = &net->p.env;
	struct guard *g = &net->guard;

	for (unsigned i = 0; i < GUARD_WAITING_MAX; i++) {
		struct guard_waiting *w = &g->slots[i];

		if (!w->id)
			continue;
		if (w->cause.kind == GUARD_STREAM)
			env->ops->tcp.close(env->ctx, w->cause.stream.id,
					    true);
		free_block(net, w);
		w->id = 0;
	}
	g->waiting = 0;
	wheel_cancel(&net->p.wheel, &g->timer);
}
