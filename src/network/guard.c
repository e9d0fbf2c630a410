/* SPDX-License-Identifier: MIT */
#include "network/guard.h"

#include <string.h>

#include "firewall/firewall.h"
#include "network/names.h"
#include "network/state.h"
#include "wire/tcp.h"

#define SECOND_NS	UINT64_C(1000000000)
#define TOLD_NS		(SECOND_NS / GUARD_TOLD_BURST)
#define PROGRAM_BYTES	1024u		/* of a path, with NUL */
#define HEAD_BYTES	(GUARD_ENDS * PROGRAM_BYTES)	/* of a block */
#define BLOCK_LEAST	4096u		/* that env gives */
#define NO_SWEEP	UINT32_MAX
#define STUCK_NS	(SECOND_NS / 100)	/* then memory may be there */

/* What the rules say: a verdict, or whose program they have to know. */
struct finding {
	enum guard_verdict verdict;
	bool in;			/* the check that said so */
	enum guard_end end;		/* to be asked about */
	uint32_t rule;
};

static bool leaves_guest(enum guard_path path)
{
	return path == GUARD_TO_WORLD || path == GUARD_TO_HOST;
}

static enum firewall_origin origin_of(enum guard_path path)
{
	switch (path) {
	case GUARD_TO_WORLD: case GUARD_TO_HOST:
		return FROM_GUEST;
	case GUARD_FROM_HOST:
		return FROM_HOST;
	case GUARD_FROM_LAN:
		break;
	}
	return FROM_LAN;
}

/* ---- what the rules say ---- */

/* The end that a check protects: a guest's, but at the host's own door. */
static enum guard_end end_of(const struct guard_flow *f, bool in)
{
	return in && leaves_guest(f->path) ? GUARD_HOST_END : GUARD_GUEST_END;
}

const char *guard_guest_name(const struct network *net)
{
	return net->guard.rules.guest;
}

static struct firewall_verdict ask_rules(const struct network *net,
					 const struct guard_flow *f, bool in,
					 bool lives, const char *program)
{
	const bool host_end = end_of(f, in) == GUARD_HOST_END;
	const struct firewall_flow flow = {
		.direction = in ? RULE_IN : RULE_OUT,
		.origin = origin_of(f->path),
		.protocol = f->protocol,
		.icmp_type = f->icmp_type, .icmp_code = f->icmp_code,
		.local = host_end ? f->peer : f->guest,
		.remote = host_end ? f->guest : f->peer,
		.guest = guard_guest_name(net),
		.program = program,
	};

	return names_decide(net, &flow, lives);
}

/* Ask each check in turn; the rules that decided are counted at its end. */
static struct finding find(const struct network *net,
			   const struct guard_flow *f, bool lives,
			   const struct guard_programs *known)
{
	const struct network_rules *rules = &net->guard.rules;
	struct finding found = { .verdict = GUARD_PASS,
				 .rule = FIREWALL_NO_RULE };
	uint32_t decided[2];
	unsigned n = 0;

	if (rules->off)
		return found;
	found.verdict = GUARD_BLOCK;
	if (!rules->firewall)
		return found;
	for (unsigned in = !leaves_guest(f->path);
	     in <= (f->path != GUARD_TO_WORLD); in++) {
		const enum guard_end end = end_of(f, in);
		const struct firewall_verdict v =
			ask_rules(net, f, in, lives, known->path[end]);

		found.in = in;
		found.rule = v.rule;
		found.end = end;
		if (v.unsure != FIREWALL_NO_RULE && !known->asked[end]) {
			found.verdict = GUARD_WAIT;
			return found;
		}
		decided[n++] = v.rule;
		found.verdict = v.allow ? GUARD_PASS : GUARD_BLOCK;
		if (!v.allow)
			break;
	}
	for (unsigned i = 0; rules->hits && i < n; i++)
		if (decided[i] != FIREWALL_NO_RULE)
			rules->hits[decided[i]]++;
	return found;
}

/* ---- what was blocked is told ---- */

static void describe_packet(struct network_blocked *b, struct view packet)
{
	struct tcp_segment seg;
	struct ip_packet ip;
	struct rd first = rd(packet.p, packet.len);

	b->size = (uint32_t)packet.len;
	if (ip_parse_packet(rd(packet.p, packet.len), rd_u8(&first) >> 4 == 6,
			    &ip) != DROP_OK || ip.proto != PROTO_TCP ||
	    tcp_parse(ip.payload, &seg) != DROP_OK)
		return;
	b->tcp_seq = seg.seq;
	b->tcp_ack = seg.ack;
	b->tcp_flags = seg.flags;
	b->tcp_window = seg.window;
}

/* A token bucket, kept as the time at which it would be full again. */
bool guard_may_tell(struct network *net)
{
	const uint64_t now_ns = net->p.now_ns;
	struct guard *g = &net->guard;

	g->blocked++;
	if (g->told_ns < now_ns)
		g->told_ns = now_ns;
	if (g->told_ns - now_ns >= GUARD_TOLD_BURST * TOLD_NS) {
		g->not_told++;
		return false;
	}
	g->told_ns += TOLD_NS;
	return true;
}

static void tell(struct network *net, const struct guard_flow *f,
		 const struct finding *found, const struct guard_cause *cause)
{
	const struct env *env = &net->p.env;
	const bool leaves = leaves_guest(f->path);
	const struct network_rules *rules = &net->guard.rules;
	struct network_blocked b = {
		.generation = rules->generation, .rule = found->rule,
		.in = found->in, .told = rules->refuse,
		.origin = (uint8_t)origin_of(f->path),
		.protocol = f->protocol,
		.src = leaves ? f->guest : f->peer,
		.dst = leaves ? f->peer : f->guest,
		.icmp_type = f->icmp_type, .icmp_code = f->icmp_code,
	};

	if (!guard_may_tell(net))
		return;
	if (cause->kind == GUARD_GUEST_PACKET ||
	    cause->kind == GUARD_HOST_PACKET)
		describe_packet(&b, cause->bytes);
	env->ops->blocked(env->ctx, &b);
}

/* ---- what waits ---- */

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

/* Has it waited already? */
static bool is_again(const struct guard *g, const struct guard_flow *f)
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
		.listens = host_end || !leaves_guest(f->path),
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

/*
 * Keep it until the program at that end is known. GUARD_PASS: nobody can
 * find that out.
 */
static enum guard_verdict keep(struct network *net,
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
	struct guard_waiting *slot = slot_for(g, f, end, is_again(g, f),
					      &with);

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

/* ---- the question ---- */

enum guard_verdict guard_begins(struct network *net,
				const struct guard_flow *flow,
				const struct guard_cause *cause)
{
	struct guard *g = &net->guard;
	const bool again = is_again(g, flow);
	const bool lives = cause->kind == GUARD_LIVING;
	struct guard_programs known = { .asked = { false } };
	struct finding found;

	if (again)
		known = g->again->known;
	for (;;) {
		found = find(net, flow, lives, &known);
		if (found.verdict != GUARD_WAIT)
			break;
		found.verdict = keep(net, flow, cause, &known, found.end);
		if (found.verdict != GUARD_PASS)
			break;
		known.asked[found.end] = true;
	}
	if (found.verdict == GUARD_BLOCK)
		tell(net, flow, &found, cause);
	return found.verdict;
}

enum guard_verdict guard_packet_begins(struct network *net,
				       const struct guard_flow *flow,
				       enum guard_kind kind,
				       const struct ip_packet *ip,
				       const struct frame_meta *meta)
{
	const struct guard_cause cause = {
		.kind = kind, .meta = *meta, .bytes = ip->whole,
	};

	return guard_begins(net, flow, &cause);
}

enum drop guard_drop(enum guard_verdict verdict)
{
	switch (verdict) {
	case GUARD_PASS: case GUARD_WAIT:
		return DROP_OK;
	case GUARD_BLOCK:
		return DROP_FIREWALL;
	case GUARD_LIMIT:
		break;
	}
	return DROP_LIMIT;
}

bool guard_call_begins(struct proto *p, const struct proto_call *call,
		       enum drop *why)
{
	struct network *net = (struct network *)(void *)p;
	const struct flow_key *k = &call->map->flow.key;
	const struct guard_flow flow = {
		.path = guard_path_from(net, &call->peer.ip),
		.protocol = PROTO_UDP,
		.guest = { .ip = k->guest_ip, .port = k->guest_port },
		.peer = ip_is_loopback(&call->peer.ip) ? call->shown :
							 call->peer,
	};
	const struct guard_cause cause = {
		.kind = GUARD_DATAGRAM, .bytes = call->data,
		.datagram = {
			.map = flow_handle(&p->flows, &call->map->flow),
			.peer = call->peer, .mark = call->mark, .n = call->n,
		},
	};

	const enum guard_verdict v = guard_begins(net, &flow, &cause);

	*why = guard_drop(v);
	return v == GUARD_PASS;
}

enum guard_path guard_path_to(const struct network *net, const struct ip *dst)
{
	const struct env *env = &net->p.env;

	if (ip_equal(dst, proto_gateway(&net->p, dst)))
		return GUARD_TO_HOST;
	/* Without host access the policy has refused it already. */
	if (!net->guard.in_matters || !net->policy.host_access)
		return GUARD_TO_WORLD;
	return env->ops->route(env->ctx, dst) == ENV_ROUTE_HOST ?
	       GUARD_TO_HOST : GUARD_TO_WORLD;
}

enum guard_path guard_path_from(const struct network *net,
				const struct ip *from)
{
	const struct env *env = &net->p.env;

	if (ip_is_unspecified(from) || ip_is_loopback(from) ||
	    ip_equal(from, proto_gateway(&net->p, from)))
		return GUARD_FROM_HOST;
	return env->ops->route(env->ctx, from) == ENV_ROUTE_HOST ?
	       GUARD_FROM_HOST : GUARD_FROM_LAN;
}

/* ---- it is taken up again ---- */

static void end_living(struct network *net, struct flow *f)
{
	union slot *s = (union slot *)(void *)f;

	switch ((enum flow_kind)f->key.kind) {
	case FLOW_TCP:
		tcp_abort(&net->p, &s->tcp, true);
		break;
	case FLOW_UDP:
		udp_exchange_end(&net->p, &s->udp);
		break;
	case FLOW_PING:
		ping_free(&net->p, &s->ping);
		break;
	case FLOW_DIRECT_TCP: case FLOW_DIRECT_UDP: case FLOW_DIRECT_PING:
		direct_free(net, &s->direct);
		break;
	case FLOW_UDP_MAP: case FLOW_FREE: case FLOW_KIND_MAX:
		break;
	}
}

static void judge_living(struct network *net, const struct guard_waiting *w)
{
	struct flow *f = flow_get(&net->p.flows, w->cause.living);

	if (f && guard_begins(net, &w->flow, &w->cause) == GUARD_BLOCK)
		end_living(net, f);
}

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
		judge_living(net, w);
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
		judge_living(net, w);
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

/* ---- flows that live ---- */

static const uint8_t protocols[FLOW_KIND_MAX] = {
	[FLOW_TCP] = PROTO_TCP, [FLOW_DIRECT_TCP] = PROTO_TCP,
	[FLOW_UDP] = PROTO_UDP, [FLOW_DIRECT_UDP] = PROTO_UDP,
	[FLOW_PING] = PROTO_ICMP, [FLOW_DIRECT_PING] = PROTO_ICMP,
};

static bool began_outside(const struct flow *f)
{
	const union slot *s = (const union slot *)(const void *)f;

	switch ((enum flow_kind)f->key.kind) {
	case FLOW_TCP:
		return s->tcp.offered;
	case FLOW_UDP:
		return s->udp.called;
	case FLOW_DIRECT_TCP: case FLOW_DIRECT_UDP: case FLOW_DIRECT_PING:
		return s->direct.by_host;
	case FLOW_PING: case FLOW_UDP_MAP: case FLOW_FREE: case FLOW_KIND_MAX:
		break;
	}
	return false;
}

/* false: the rules have nothing to say of it. */
static bool describe(const struct network *net, const struct flow *f,
		     struct guard_flow *out)
{
	const struct flow_key *k = &f->key;
	const struct tcp *t = (const struct tcp *)(const void *)f;
	const bool ping = k->kind == FLOW_PING || k->kind == FLOW_DIRECT_PING;

	if (!protocols[k->kind] ||
	    (k->kind == FLOW_TCP && (t->phase == TCP_LINGERING ||
				     t->host != &net->p.env.ops->tcp)))
		return false;
	*out = (struct guard_flow){
		.path = began_outside(f) ? guard_path_from(net, &k->peer_ip) :
					   guard_path_to(net, &k->peer_ip),
		.protocol = protocols[k->kind],
		.guest = { .ip = k->guest_ip, .port = k->guest_port },
		.peer = { .ip = k->peer_ip, .port = k->peer_port },
	};
	if (ping) {
		const bool v4 = ip_is4(&k->guest_ip);

		out->guest.port = 0;
		out->protocol = v4 ? PROTO_ICMP : PROTO_ICMP6;
		out->icmp_type = v4 ? 8 : 128;	/* RFC 792, RFC 4443 */
	}
	return true;
}

static bool is_asked_about(const struct guard *g, struct handle living)
{
	for (unsigned i = 0; g->waiting && i < GUARD_WAITING_MAX; i++)
		if (g->slots[i].id &&
		    g->slots[i].cause.kind == GUARD_LIVING &&
		    handle_equal(g->slots[i].cause.living, living))
			return true;
	return false;
}

/* false: there is no room to ask for its program now. */
static bool sweep_one(struct network *net, struct flow *f)
{
	struct guard_cause cause = {
		.kind = GUARD_LIVING,
		.living = flow_handle(&net->p.flows, f),
	};
	struct guard_flow flow;
	enum guard_verdict v;

	if (!describe(net, f, &flow) ||
	    is_asked_about(&net->guard, cause.living))
		return true;
	v = guard_begins(net, &flow, &cause);
	if (v == GUARD_BLOCK)
		end_living(net, f);
	return v != GUARD_LIMIT;
}

void guard_turn_end(struct network *net)
{
	struct guard *g = &net->guard;

	for (unsigned i = 0; i < GUARD_SWEEP_TURN && guard_busy(net); i++) {
		struct flow *f = flow_next(&net->p.flows, &g->sweep_at);

		if (f && !sweep_one(net, f)) {
			g->sweep_stuck = true;
			if (!timer_armed(&g->timer))
				wheel_arm(&net->p.wheel, &g->timer,
					  net->p.now_ns + STUCK_NS);
			return;
		}
		g->sweep_at = f ? g->sweep_at + 1 : NO_SWEEP;
	}
}

bool guard_busy(const struct network *net)
{
	const struct guard *g = &net->guard;

	return g->sweep_at != NO_SWEEP && !g->sweep_stuck;
}

/* ---- rules ---- */

void guard_init(struct guard *g)
{
	g->sweep_at = NO_SWEEP;
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

void network_set_rules(struct network *net, const struct network_rules *rules,
		       uint64_t now_ns)
{
	struct guard *g = &net->guard;

	net->p.now_ns = now_ns;
	g->rules = *rules;
	g->in_matters = !rules->off && rules->firewall &&
			firewall_may_refuse(rules->firewall, FROM_GUEST);
	g->sweep_at = rules->keep_flows || rules->off ? NO_SWEEP : 0;
	g->sweep_stuck = false;
}

void network_get_blocked(const struct network *net, uint64_t *blocked,
			 uint64_t *not_told)
{
	*blocked = net->guard.blocked;
	*not_told = net->guard.not_told;
}

enum network_judgement network_judge(struct network *net,
				     const struct network_relay *relay,
				     uint32_t ticket, uint64_t now_ns)
{
	const struct network_setup *s = &net->setup;
	const struct ip *guest = relay->v6 ? &s->guest6 : &s->guest4;
	const struct ip *gateway = relay->v6 ? &s->gateway6 : &s->gateway4;
	const uint16_t guest_port = relay->to_host ? relay->client_port :
						     relay->port;
	const uint16_t host_port = relay->to_host ? relay->port :
						    relay->client_port;
	const struct guard_flow flow = {
		.path = relay->to_host ? GUARD_TO_HOST : GUARD_FROM_HOST,
		.protocol = relay->udp ? PROTO_UDP : PROTO_TCP,
		.guest = { .ip = *guest, .port = guest_port },
		.peer = { .ip = *gateway, .port = host_port },
	};
	const struct guard_cause cause = { .kind = GUARD_TICKET,
					   .ticket = ticket };

	net->p.now_ns = now_ns;
	switch (guard_begins(net, &flow, &cause)) {
	case GUARD_PASS:
		return NETWORK_PASS;
	case GUARD_WAIT:
		return NETWORK_WAIT;
	case GUARD_BLOCK: case GUARD_LIMIT:
		break;
	}
	return NETWORK_BLOCK;
}
