/* SPDX-License-Identifier: MIT */
#include "network/paths.h"

#include <string.h>

#include "network/state.h"
#include "proto/icmp_map.h"
#include "wire/icmp.h"

#define PROBE_TRIES	3
#define FIRST_WAIT_NS	UINT64_C(500000000)	/* without a known round trip */
#define LEAST_WAIT_NS	UINT64_C(60000000)
#define MOST_WAIT_NS	UINT64_C(1500000000)
#define SYN_WAIT_NS	UINT64_C(3000000000)
#define MUTE_NS		UINT64_C(60000000000)	/* until it is asked again */
#define AGAIN_NS	UINT64_C(30000000000)	/* of what is overdue */
#define QUIET_LOOKS	10u			/* then nobody looks any more */
#define TCP_IP_BYTES(ip) (ip_header_bytes(ip) + TCP_HEADER_BYTES)

/* ---- what is known ---- */

static struct path_fact *find_dev(struct paths *ps, uint32_t dev)
{
	for (unsigned i = 0; i < PATHS_DEVS; i++)
		if (ps->dev[i].until_ns && ps->dev[i].dev == dev)
			return &ps->dev[i];
	return NULL;
}

static struct path_fact *find_dest(struct paths *ps, const struct ip *to)
{
	for (unsigned i = 0; i < PATHS_DESTS; i++)
		if (ps->dest[i].until_ns && ip_equal(&ps->dest[i].to, to))
			return &ps->dest[i];
	return NULL;
}

/* A free one of n, or the one that would be forgotten first. */
static struct path_fact *oldest(struct path_fact *all, unsigned n)
{
	struct path_fact *f = all;

	for (unsigned i = 1; i < n; i++)
		if (all[i].until_ns < f->until_ns)
			f = &all[i];
	return f;
}

static void find_narrowest(struct paths *ps)
{
	ps->narrowest = 0;
	for (unsigned i = 0; i < PATHS_DEVS; i++) {
		const struct path_fact *f = &ps->dev[i];

		if (f->until_ns && f->mtu &&
		    (!ps->narrowest || f->mtu < ps->narrowest))
			ps->narrowest = f->mtu;
	}
}

static void learn_dev(struct network *net, uint32_t dev, uint16_t mtu)
{
	struct paths *ps = &net->paths;
	struct path_fact *f = find_dev(ps, dev);

	if (!f)
		f = oldest(ps->dev, PATHS_DEVS);
	*f = (struct path_fact){ .dev = dev, .mtu = mtu,
				 .until_ns = net->p.now_ns + PATHS_KEPT_NS };
	find_narrowest(ps);
	ps->epoch++;
}

static void learn(struct network *net, const struct path_fact *fact,
		  uint64_t kept_ns)
{
	struct paths *ps = &net->paths;
	struct path_fact *f = find_dest(ps, &fact->to);

	if (!f)
		f = oldest(ps->dest, PATHS_DESTS);
	*f = *fact;
	f->until_ns = net->p.now_ns + kept_ns;
	ps->epoch++;
}

static void learn_dest(struct network *net, const struct ip *to, uint16_t mtu)
{
	const struct path_fact fact = { .to = *to, .mtu = mtu };

	learn(net, &fact, mtu ? PATHS_KEPT_NS : MUTE_NS);
}

static void learn_whole(struct network *net, const struct ip *to)
{
	const struct path_fact fact = { .to = *to, .whole = true };

	learn(net, &fact, PATHS_KEPT_NS);
}

/* ---- who is probed before anybody asks ---- */

/* What changes does so in bursts: it is to have settled. */
static void arm_fresh(struct network *net, uint64_t wait_ns)
{
	struct paths *ps = &net->paths;
	const uint64_t soon = net->p.now_ns + wait_ns;
	const uint64_t next = ps->fresh_ns ?
			      ps->fresh_ns + PATHS_FRESH_GAP_NS : 0;

	wheel_arm(&net->p.wheel, &ps->fresh, soon > next ? soon : next);
}

void paths_expect(struct network *net)
{
	net->paths.fresh_tries = PATHS_FRESH_TRIES;
	arm_fresh(net, PATHS_SETTLE_NS);
}

/* ---- a probe ---- */

static struct handle handle_of(const struct network *net,
			       const struct path_probe *pr)
{
	return (struct handle){
		.slot = PATHS_SLOT_BASE +
			(uint32_t)(pr - net->paths.probe),
		.gen = pr->gen,
	};
}

static void close_probe(struct network *net, struct path_probe *pr)
{
	const struct env *env = &net->p.env;

	if (pr->sock >= 0 && pr->by_tcp)
		env->ops->tcp.close(env->ctx, pr->sock, true);
	else if (pr->sock >= 0)
		env->ops->dgram_close(env->ctx, pr->sock);
	pr->sock = -1;
}

static void end_probe(struct network *net, struct path_probe *pr)
{
	close_probe(net, pr);
	wheel_cancel(&net->p.wheel, &pr->timer);
	pr->used = false;
	pr->gen++;
}

/* A connection to somebody else, by a socket of the host's? */
static bool is_to_the_world(const struct network *net, const struct flow *f)
{
	const struct tcp *t = (const struct tcp *)(const void *)f;

	return f->key.kind == FLOW_TCP && t->host_id >= 0 &&
	       t->host == &net->p.env.ops->tcp &&
	       t->phase == TCP_ESTABLISHED &&
	       proto_can_be_seen(&net->p, &f->key.peer_ip, &f->key.guest_ip);
}

/* Does it wait for what is lost, as it is longer than the path takes? */
static bool waits_in_vain(const struct network *net, const struct flow *f,
			  uint16_t mtu)
{
	const struct tcp *t = (const struct tcp *)(const void *)f;
	const struct env *env = &net->p.env;
	bool gap;

	return is_to_the_world(net, f) &&
	       env->ops->tcp_waits(env->ctx, t->host_id, &gap) > mtu && gap;
}

/* The flow for whose sake it is, if it stalls still; and how. */
static struct tcp *stalled_flow(struct network *net,
				const struct path_probe *pr, unsigned *how)
{
	struct flow *f = flow_get(&net->p.flows, pr->flow);
	struct tcp *t = (struct tcp *)(void *)f;
	const struct env *env = &net->p.env;

	*how = 0;
	if (f && f->key.kind == FLOW_TCP && t->host_id >= 0 &&
	    t->host == &env->ops->tcp)
		*how = env->ops->tcp_stalled(env->ctx, t->host_id);
	return *how ? t : NULL;
}

/* The same that waits, if what it waits for is lost on a path of that MTU. */
static struct tcp *waiting_flow(struct network *net,
				const struct path_probe *pr, uint16_t mtu)
{
	struct flow *f = flow_get(&net->p.flows, pr->flow);

	return f && waits_in_vain(net, f, mtu) ? (struct tcp *)(void *)f :
						 NULL;
}

/* Nothing more is to be found out there for now. */
static void is_whole(struct network *net, struct path_probe *pr)
{
	if (pr->dev)
		learn_dev(net, pr->dev, 0);
	else if (pr->waits)
		learn_whole(net, &pr->to);
	end_probe(net, pr);
}

/* Small packets pass and large ones do not: that is what it was. */
static void is_narrow(struct network *net, struct path_probe *pr,
		      uint16_t mtu)
{
	unsigned how;
	struct tcp *t = pr->dev ? NULL :
			pr->waits ? waiting_flow(net, pr, mtu) :
				    stalled_flow(net, pr, &how);

	if (pr->waits && pr->told) {	/* then the far end knows, too */
		is_whole(net, pr);
		return;
	}
	if (pr->dev)
		learn_dev(net, pr->dev, mtu);
	else
		learn_dest(net, &pr->to, mtu);
	if (t)
		tcp_abort(&net->p, t, true);
	end_probe(net, pr);
}

static void send_sizes(struct network *net, struct path_probe *pr)
{
	const struct env *env = &net->p.env;
	const struct endpoint to = { .ip = pr->to };
	uint8_t *buf = net->p.datagram;

	pr->tries++;
	pr->sent_ns = net->p.now_ns;
	/* Without a socket, as where the host forbids it, nothing answers. */
	for (unsigned i = 0; i < pr->n && pr->sock >= 0; i++) {
		const size_t bytes = pr->size[i] - ip_header_bytes(&pr->to);
		struct wr w = wr(buf, bytes);
		const struct icmp_echo echo = {
			.seq = (uint16_t)(pr->first_seq + i),
			.data = { .p = buf + FRAME_MAX_BYTES,
				  .len = bytes - ICMP_HEADER_BYTES },
		};
		const struct span v = { .p = buf, .len = bytes };

		if (pr->answered & 1u << i)
			continue;
		memset(buf + FRAME_MAX_BYTES, 0, echo.data.len);
		icmp_emit_echo(&w, &pr->to, &pr->to, &echo);
		ASSERT(!w.bad);
		/* Too long, in the kernel's words: it does not come back. */
		if (env->ops->dgram_send(env->ctx, pr->sock, &to, NULL, &v,
					 1) == -ENV_TOO_BIG)
			pr->told = true;
	}
}

static uint64_t patience(const struct path_probe *pr)
{
	const uint64_t wait = 3 * pr->rtt_ns;

	if (!pr->rtt_ns)
		return FIRST_WAIT_NS;
	return wait < LEAST_WAIT_NS ? LEAST_WAIT_NS :
	       wait > MOST_WAIT_NS ? MOST_WAIT_NS : wait;
}

static void begin_round(struct network *net, struct path_probe *pr)
{
	pr->first_seq = (uint16_t)(pr->first_seq + PATHS_SIZES);
	pr->answered = 0;
	pr->tries = 0;
	send_sizes(net, pr);
	wheel_arm(&net->p.wheel, &pr->timer, net->p.now_ns + patience(pr));
}

/* Sizes that part what lies between into equal pieces. */
static void choose_sizes(struct path_probe *pr)
{
	const unsigned between = pr->fails - pr->passes - 1u;
	const unsigned n = between < PATHS_SIZES ? between : PATHS_SIZES;

	pr->n = (uint8_t)n;
	for (unsigned i = 0; i < n; i++)
		pr->size[i] = (uint16_t)(pr->passes +
					 (between + 1) * (i + 1) / (n + 1));
}

/* dev 0: of a destination, for the sake of a flow. false: too many. */
static bool begin_probe(struct network *net, const struct ip *to,
			uint32_t dev, uint32_t mtu, struct handle flow,
			bool waits)
{
	const struct env *env = &net->p.env;
	const unsigned most = mtu && mtu < PATHS_MOST ? mtu : PATHS_MOST;
	struct path_probe *pr = NULL;

	for (unsigned i = 0; i < PATHS_PROBES; i++) {
		struct path_probe *o = &net->paths.probe[i];

		if (!o->used)
			pr = o;
		else if (dev ? o->dev == dev : ip_equal(&o->to, to))
			return false;
	}
	if (!pr || most <= PATHS_LEAST)
		return false;
	*pr = (struct path_probe){
		.used = true, .gen = pr->gen + 1, .to = *to, .dev = dev,
		.flow = flow, .waits = waits, .fails = (uint16_t)(most + 1), .n = 2,
		.size = { PATHS_LEAST, (uint16_t)most },
	};
	pr->sock = env->ops->ping_open(env->ctx, !ip_is4(to),
				       handle_of(net, pr));
	if (pr->sock >= 0)
		env->ops->dgram_fragment(env->ctx, pr->sock, !ip_is4(to),
					 false, 0);
	net->paths.begun++;
	begin_round(net, pr);
	return true;
}

/* ---- its end ---- */

/* Nobody answers echo requests there. Does a small packet pass at all? */
static void ask_by_tcp(struct network *net, struct path_probe *pr)
{
	const struct env *env = &net->p.env;
	unsigned how;
	const struct tcp *t = pr->dev ? NULL : stalled_flow(net, pr, &how);
	const struct endpoint to = {
		.ip = pr->to, .port = t ? t->flow.key.peer_port : 0,
	};

	close_probe(net, pr);
	learn_dest(net, &pr->to, 0);
	if (!t) {
		end_probe(net, pr);
		if (net->paths.fresh_tries)	/* another one, perhaps */
			arm_fresh(net, 0);
		return;
	}
	pr->by_tcp = true;
	pr->sock = env->ops->tcp_connect(env->ctx, &to, 0, 0,
					 handle_of(net, pr));
	if (pr->sock < 0)
		end_probe(net, pr);
	else
		wheel_arm(&net->p.wheel, &pr->timer,
			  net->p.now_ns + SYN_WAIT_NS);
}

static void end_round(struct network *net, struct path_probe *pr)
{
	for (unsigned i = 0; i < pr->n; i++)
		if (pr->answered & 1u << i) {
			if (pr->size[i] > pr->passes)
				pr->passes = pr->size[i];
		}
	for (unsigned i = 0; i < pr->n; i++)
		if (pr->size[i] > pr->passes && pr->size[i] < pr->fails)
			pr->fails = pr->size[i];
	if (!pr->passes) {
		ask_by_tcp(net, pr);
	} else if (pr->fails - pr->passes > 1) {
		choose_sizes(pr);
		begin_round(net, pr);
	} else if (pr->n == 2 && pr->answered & 2 &&
		   pr->size[0] == PATHS_LEAST) {
		is_whole(net, pr);	/* the longest came back */
	} else {
		is_narrow(net, pr, pr->passes);
	}
}

/*
 * Small packets passed at that time. A path that was dead until then lets the
 * next large one pass as well: only when that is lost, too, it is narrow.
 */
static void confirm(struct network *net, struct path_probe *pr)
{
	unsigned how;

	if (!pr->stalled || !stalled_flow(net, pr, &how))
		end_probe(net, pr);	/* dead, or alive again */
	else if (how > pr->stalled)
		is_narrow(net, pr, PATHS_LEAST);
	else
		wheel_arm(&net->p.wheel, &pr->timer,
			  net->p.now_ns + PATHS_LOOK_NS);
}

static void probe_timer(struct network *net, struct path_probe *pr)
{
	if (pr->by_tcp) {
		confirm(net, pr);
		return;
	}
	if (pr->tries == PROBE_TRIES || pr->sock < 0) {
		end_round(net, pr);
		return;
	}
	send_sizes(net, pr);
	wheel_arm(&net->p.wheel, &pr->timer, net->p.now_ns + patience(pr));
}

/* An echo reply: of which size? */
static void take_reply(struct network *net, struct path_probe *pr, size_t len)
{
	struct ip_packet ip = {
		.proto = ip_is4(&pr->to) ? PROTO_ICMP : PROTO_ICMP6,
		.payload = { .p = net->p.datagram, .len = len },
	};
	struct icmp_echo echo;
	unsigned i;

	if (icmp_parse_echo(&ip, &echo) != DROP_OK || !echo.reply)
		return;
	i = (uint16_t)(echo.seq - pr->first_seq);
	if (i >= pr->n || len + ip_header_bytes(&pr->to) != pr->size[i])
		return;
	pr->answered |= (uint8_t)(1u << i);
	if (pr->tries == 1)		/* else it is not known of which try */
		pr->rtt_ns = net->p.now_ns - pr->sent_ns + 1;
}

static void read_replies(struct network *net, struct path_probe *pr)
{
	const struct env *env = &net->p.env;
	struct env_net_error e;

	/* Whoever says that it is too big has told the kernel, too. */
	for (unsigned i = 0; i < 2 * PATHS_SIZES; i++) {
		if (!env->ops->dgram_error(env->ctx, pr->sock, &e, NULL, 0))
			break;
		pr->told |= icmp_map(&e) == ICMP_TOO_BIG;
	}
	for (unsigned i = 0; i < 2 * PATHS_SIZES; i++) {
		struct endpoint peer;
		struct env_mark mark;
		const int64_t len = env->ops->dgram_recv(env->ctx, pr->sock,
				&peer, &mark, net->p.datagram,
				FRAME_MAX_BYTES);

		if (len == -ENV_AGAIN)
			break;
		if (len >= 0 && ip_equal(&peer.ip, &pr->to))
			take_reply(net, pr, (size_t)len);
	}
	if (pr->answered == (1u << pr->n) - 1)
		end_round(net, pr);
	else if (pr->answered)		/* the others are as far away */
		wheel_arm(&net->p.wheel, &pr->timer,
			  pr->sent_ns + patience(pr));
}

void paths_sock_event(struct network *net, struct handle h, unsigned events)
{
	const uint32_t i = h.slot - PATHS_SLOT_BASE;
	struct path_probe *pr = &net->paths.probe[i % PATHS_PROBES];
	const struct env *env = &net->p.env;
	int r;

	(void)events;
	if (i >= PATHS_PROBES || !pr->used || pr->gen != h.gen)
		return;
	if (!pr->by_tcp) {
		read_replies(net, pr);
		return;
	}
	r = env->ops->tcp.connected(env->ctx, pr->sock);
	/* A refusal is a small packet, too, and one that came back. */
	if (r == -ENV_AGAIN)
		return;
	close_probe(net, pr);
	if ((r == 0 || r == -ENV_REFUSED) &&
	    stalled_flow(net, pr, &pr->stalled))
		wheel_arm(&net->p.wheel, &pr->timer,
			  net->p.now_ns + PATHS_LOOK_NS);
	else
		end_probe(net, pr);
}

/* ---- what others ask ---- */

/* A tunnel: what is known of it; until: when that is to be asked again. */
static void judge_dev(struct network *net, const struct ip *to,
		      const struct env_path *path, bool may_probe,
		      struct path_seen *s)
{
	struct path_fact *f = find_dev(&net->paths, path->dev);
	const struct path_fact *d = find_dest(&net->paths, to);
	const struct handle none = { .slot = UINT32_MAX };
	const bool mute = d && !d->mtu && !d->whole && d->until_ns > net->p.now_ns;

	if (f && f->mtu && (!s->limit || f->mtu < s->limit))
		s->limit = f->mtu;
	s->unproved = !f;
	if (f && f->until_ns > net->p.now_ns) {
		s->until_ns = f->until_ns < s->until_ns ? f->until_ns :
							  s->until_ns;
		return;
	}
	if (!may_probe) {		/* the next one may */
		s->until_ns = net->p.now_ns;
		return;
	}
	/* It is asked again when somebody wants to know. */
	s->until_ns = net->p.now_ns + FIRST_WAIT_NS;
	if (!mute &&
	    begin_probe(net, to, path->dev, path->mtu, none, false) && f)
		f->until_ns = net->p.now_ns + AGAIN_NS;
}

static struct path_seen *look(struct network *net, const struct ip *to,
			      bool may_probe)
{
	struct paths *ps = &net->paths;
	const uint64_t hash = siphash(&net->p.isn_key, to, sizeof(*to));
	struct path_seen *s = &ps->seen[hash % PATHS_SEEN];
	const struct env *env = &net->p.env;
	const struct path_fact *f;
	struct env_path path;

	if (s->epoch == ps->epoch && s->until_ns > net->p.now_ns &&
	    ip_equal(&s->to, to))
		return s;
	*s = (struct path_seen){
		.to = *to, .epoch = ps->epoch,
		.asked_ns = ip_equal(&s->to, to) ? s->asked_ns : 0,
		.until_ns = net->p.now_ns + PATHS_KEPT_NS,
	};
	if (ip_is_loopback(to) || ip_is_unspecified(to))
		return s;
	f = find_dest(ps, to);
	if (f && f->until_ns > net->p.now_ns) {
		s->limit = f->mtu;
		s->until_ns = f->until_ns;
	}
	env->ops->path(env->ctx, to, &path);
	if (path.tunnel)
		judge_dev(net, to, &path, may_probe, s);
	return s;
}

static uint16_t sure_to_pass(const struct path_seen *s)
{
	return s->limit ? s->limit : s->unproved ? PATHS_LEAST : 0;
}

/* As the guest asks. */
static const struct path_seen *ask(struct network *net, const struct ip *to)
{
	struct path_seen *s = look(net, to, true);

	s->asked_ns = net->p.now_ns;
	return s;
}

uint16_t paths_takes(struct proto *p, const struct ip *to)
{
	return sure_to_pass(look((struct network *)(void *)p, to, false));
}

uint16_t paths_mss(struct network *net, const struct ip *to)
{
	const uint16_t mtu = sure_to_pass(ask(net, to));

	return mtu ? (uint16_t)(mtu - TCP_IP_BYTES(to)) : 0;
}

uint16_t paths_limit(struct network *net, const struct ip *to)
{
	return ask(net, to)->limit;
}

bool paths_refuse(struct network *net, const struct ip_packet *ip,
		  const struct ip *to, size_t len)
{
	uint16_t limit;

	/* What of IPv6 may be cut is held to it later: proto_cut_for(). */
	if (len <= PATHS_LEAST || (!ip->dont_fragment && !ip->v6))
		return false;
	limit = paths_limit(net, to);
	if (!ip->dont_fragment || !limit || len <= limit)
		return false;
	proto_icmp_error(&net->p, proto_gateway(&net->p, &ip->src), ip,
			 ICMP_TOO_BIG, limit);
	return true;
}

/* Each that is known to answer nothing lets the next one be probed. */
static void probe_in_use(struct network *net)
{
	struct paths *ps = &net->paths;
	struct ip to[DNS_SERVERS_MAX];
	const unsigned n = dns_servers(net->dns, to, DNS_SERVERS_MAX);
	const unsigned begun = ps->begun;

	for (unsigned i = 0; i < n; i++)
		(void)look(net, &to[i], true);
	for (unsigned i = 0; i < PATHS_SEEN; i++) {
		const struct path_seen s = ps->seen[i];

		if (s.asked_ns && net->p.now_ns - s.asked_ns < PATHS_IN_USE_NS)
			(void)look(net, &s.to, true);
	}
	if (begun == ps->begun)
		return;
	ps->fresh_tries--;
	ps->fresh_ns = net->p.now_ns;
}

static void forget(struct network *net)
{
	struct paths *ps = &net->paths;

	for (unsigned i = 0; i < PATHS_PROBES; i++)
		if (ps->probe[i].used)
			end_probe(net, &ps->probe[i]);
	memset(ps->dev, 0, sizeof(ps->dev));
	memset(ps->dest, 0, sizeof(ps->dest));
	ps->narrowest = 0;
	ps->epoch++;
}

void paths_changed(struct network *net)
{
	forget(net);
	paths_expect(net);
}

/* ---- stalls ---- */

static void look_at_flow(struct network *net, struct flow *f)
{
	struct tcp *t = (struct tcp *)(void *)f;
	const struct env *env = &net->p.env;
	const struct handle h = flow_handle(&net->p.flows, f);
	const struct path_fact *d;
	uint32_t most;
	bool gap;

	if (!is_to_the_world(net, f))
		return;
	d = find_dest(&net->paths, &f->key.peer_ip);
	if (d && d->until_ns <= net->p.now_ns)
		d = NULL;
	if (env->ops->tcp_stalled(env->ctx, t->host_id)) {
		if (d && d->mtu)
			tcp_abort(&net->p, t, true);
		else
			(void)begin_probe(net, &f->key.peer_ip, 0, 0, h,
					  false);
		return;
	}
	if (d) {
		if (d->mtu && waits_in_vain(net, f, d->mtu))
			tcp_abort(&net->p, t, true);
		return;
	}
	most = env->ops->tcp_waits(env->ctx, t->host_id, &gap);
	if (most)
		(void)begin_probe(net, &f->key.peer_ip, 0, most, h, true);
}

static void look_for_stalls(struct network *net)
{
	struct paths *ps = &net->paths;
	struct flow_table *table = &net->p.flows;

	for (unsigned i = 0; i < PATHS_LOOKS; i++) {
		struct flow *f = flow_next(table, &ps->look_at);

		if (!f) {
			ps->look_at = 0;
			break;
		}
		ps->look_at++;
		look_at_flow(net, f);
	}
	if (ps->looked_bytes != net->bytes_from_guest) {
		ps->looked_bytes = net->bytes_from_guest;
		ps->looked_ns = net->p.now_ns;
	}
	if (net->p.now_ns - ps->looked_ns < QUIET_LOOKS * PATHS_LOOK_NS)
		wheel_arm(&net->p.wheel, &ps->timer,
			  net->p.now_ns + PATHS_LOOK_NS);
}

void paths_turn_end(struct network *net)
{
	struct paths *ps = &net->paths;

	if (ps->looked_bytes == net->bytes_from_guest ||
	    timer_armed(&ps->timer) || !net->p.flows.used[FLOW_TCP])
		return;
	ps->looked_bytes = net->bytes_from_guest;
	ps->looked_ns = net->p.now_ns;
	wheel_arm(&net->p.wheel, &ps->timer, net->p.now_ns + PATHS_LOOK_NS);
}

bool paths_timer(struct network *net, struct timer *t)
{
	if (t == &net->paths.timer) {
		look_for_stalls(net);
		return true;
	}
	if (t == &net->paths.fresh) {
		probe_in_use(net);
		return true;
	}
	for (unsigned i = 0; i < PATHS_PROBES; i++)
		if (t == &net->paths.probe[i].timer) {
			probe_timer(net, &net->paths.probe[i]);
			return true;
		}
	return false;
}

/* ---- the rest ---- */

void paths_init(struct network *net)
{
	net->paths.epoch = 1;
	for (unsigned i = 0; i < PATHS_PROBES; i++)
		net->paths.probe[i].sock = -1;
}

void paths_fini(struct network *net)
{
	forget(net);
	wheel_cancel(&net->p.wheel, &net->paths.timer);
	wheel_cancel(&net->p.wheel, &net->paths.fresh);
}

unsigned paths_narrow(const struct network *net, struct network_narrow *out,
		      unsigned n)
{
	const struct paths *ps = &net->paths;
	unsigned found = 0;

	for (unsigned i = 0; i < PATHS_DEVS && found < n; i++)
		if (ps->dev[i].until_ns > net->p.now_ns && ps->dev[i].mtu)
			out[found++] = (struct network_narrow){
				.dev = ps->dev[i].dev, .mtu = ps->dev[i].mtu,
			};
	for (unsigned i = 0; i < PATHS_DESTS && found < n; i++)
		if (ps->dest[i].until_ns > net->p.now_ns && ps->dest[i].mtu)
			out[found++] = (struct network_narrow){
				.to = ps->dest[i].to, .mtu = ps->dest[i].mtu,
			};
	return found;
}
