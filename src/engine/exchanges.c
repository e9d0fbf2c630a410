/* SPDX-License-Identifier: MIT */
#include "engine/exchanges.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/frame.h"
#include "engine/framed.h"
#include "linux/channel.h"
#include "linux/dial.h"
#include "linux/hostenv.h"
#include "linux/messages.h"

#define IDLE_NS		(UINT64_C(120) * 1000000000)	/* RFC 4787 REQ-5 */
#define TURN_DATAGRAMS	64		/* calls per socket and turn */
#define BUCKETS		1024		/* a power of two */
#define NONE		0		/* else a slot's number and 1 */

/* What came before there was a socket to send it by. */
struct kept {
	struct kept *next;
	struct env_mark mark;
	size_t len;
	uint8_t data[];
};

struct exchange {
	uint32_t gen;			/* of the handle and the id; 0 never */
	uint32_t chain;			/* same bucket, or free list */
	uint32_t older, newer;		/* by when it was used last */
	uint32_t forward;
	int fd;				/* to the server; -1: WAITING */
	struct framed *framed;		/* by an agent: over fd; owned */
	bool used;
	bool judged;			/* the firewall has let it pass */
	struct endpoint client;
	uint64_t used_ns;
	struct kept *kept, **kept_end;
	size_t kept_bytes;
};

struct forward {
	uint32_t id;
	int fd;				/* -1: not in use */
	enum relay_way way;
	uint8_t guest;
	struct endpoint to;
};

struct exchanges {
	struct env env;
	int epoll_fd, inside_ch, keeper_ch;
	uint32_t framed;		/* how many there are */
	relay_judge_fn *judge;
	void *ctx;
	uint32_t most, count, fresh, first_free, forwards_used;
	uint32_t oldest, newest;
	uint64_t lost;
	uint32_t bucket[BUCKETS];
	struct forward forward[EXCHANGE_FORWARDS_MAX];
	struct exchange slot[EXCHANGES_MAX];
	uint8_t buf[FRAME_MAX_BYTES];
};

size_t exchanges_bytes(void)
{
	return sizeof(struct exchanges);
}

struct exchanges *exchanges_init(void *mem, const struct env *env,
				 int epoll_fd, int inside_ch, int keeper_ch,
				 uint32_t most, relay_judge_fn *judge,
				 void *ctx)
{
	struct exchanges *x = mem;

	x->env = *env;
	x->epoll_fd = epoll_fd;
	x->inside_ch = inside_ch;
	x->keeper_ch = keeper_ch;
	x->judge = judge;
	x->ctx = ctx;
	x->most = most < EXCHANGES_MAX ? most : EXCHANGES_MAX;
	return x;
}

uint32_t exchanges_count(const struct exchanges *x)
{
	return x->count;
}

uint64_t exchanges_lost(const struct exchanges *x)
{
	return x->lost;
}

static uint32_t number_of(const struct exchanges *x, const struct exchange *e)
{
	return (uint32_t)(e - x->slot) + 1;
}

static struct exchange *at(struct exchanges *x, uint32_t number)
{
	return number ? &x->slot[number - 1] : NULL;
}

/* ---- by client ---- */

static uint32_t *bucket_of(struct exchanges *x, uint32_t forward,
			   const struct endpoint *client)
{
	return &x->bucket[(client->port ^ forward * 31u) & (BUCKETS - 1)];
}

static struct exchange *find(struct exchanges *x, uint32_t forward,
			     const struct endpoint *client)
{
	struct exchange *e = at(x, *bucket_of(x, forward, client));

	while (e && (e->forward != forward ||
		     e->client.port != client->port ||
		     !ip_equal(&e->client.ip, &client->ip)))
		e = at(x, e->chain);
	return e;
}

static void take_off(struct exchanges *x, const struct exchange *e)
{
	uint32_t *p = bucket_of(x, e->forward, &e->client);

	while (*p != number_of(x, e))
		p = &x->slot[*p - 1].chain;
	*p = e->chain;
}

/* ---- by age ---- */

static void age_unlink(struct exchanges *x, struct exchange *e)
{
	*(e->older ? &at(x, e->older)->newer : &x->oldest) = e->newer;
	*(e->newer ? &at(x, e->newer)->older : &x->newest) = e->older;
}

static void age_newest(struct exchanges *x, struct exchange *e)
{
	e->older = x->newest;
	e->newer = NONE;
	*(x->newest ? &at(x, x->newest)->newer : &x->oldest) =
		number_of(x, e);
	x->newest = number_of(x, e);
}

static void touch(struct exchanges *x, struct exchange *e, uint64_t now_ns)
{
	e->used_ns = now_ns;
	if (x->newest == number_of(x, e))
		return;
	age_unlink(x, e);
	age_newest(x, e);
}

/* ---- life ---- */

static void drop_kept(struct exchanges *x, struct exchange *e)
{
	while (e->kept) {
		struct kept *k = e->kept;

		e->kept = k->next;
		free(k);
		x->lost++;
	}
	e->kept_end = &e->kept;
	e->kept_bytes = 0;
}

static void end(struct exchanges *x, struct exchange *e)
{
	drop_kept(x, e);
	if (e->fd >= 0)
		close(e->fd);
	if (e->framed)
		x->framed--;
	free(e->framed);
	e->framed = NULL;
	take_off(x, e);
	age_unlink(x, e);
	e->used = false;
	e->chain = x->first_free;
	x->first_free = number_of(x, e);
	x->count--;
}

static struct exchange *slot_alloc(struct exchanges *x)
{
	struct exchange *e;

	if (x->count && x->count >= x->most)
		end(x, at(x, x->oldest));
	if (x->first_free) {
		e = at(x, x->first_free);
		x->first_free = e->chain;
	} else if (x->fresh < x->most) {
		e = &x->slot[x->fresh++];
	} else {
		return NULL;
	}
	x->count++;
	return e;
}

static uint32_t id_of(const struct exchanges *x, const struct exchange *e)
{
	return EXCHANGE_ID | (e->gen & 0x7fff) << 16 |
	       (number_of(x, e) - 1);
}

static enum network_judgement judge(const struct exchanges *x,
				    const struct exchange *e)
{
	const struct forward *f = &x->forward[e->forward];
	const struct network_relay what = {
		.to_host = f->way == RELAY_TO_HOST, .udp = true,
		.v6 = !ip_is4(&f->to.ip), .guest = f->guest,
		.client_port = e->client.port, .port = f->to.port,
	};

	return x->judge(x->ctx, &what, id_of(x, e));
}

/* Get its socket. It may be over afterwards. */
static void open_way(struct exchanges *x, struct exchange *e, uint64_t now_ns)
{
	const struct forward *f = &x->forward[e->forward];
	const struct msg_open ask = { .kind = MSG_CONNECT, .udp = true,
				      .at = f->to, .id = id_of(x, e),
				      .guest = f->guest };
	const int ch = f->way == RELAY_BY_AGENT ? x->keeper_ch :
						  x->inside_ch;

	e->judged = true;
	if (f->way == RELAY_TO_HOST)
		exchanges_connected(x, ask.id, dial(&f->to, true), now_ns);
	else if (channel_send(ch, &ask, sizeof(ask), NULL, 0) < 0)
		end(x, e);
}

/* What the firewall says, now or later; e may be over afterwards. */
static void heed(struct exchanges *x, struct exchange *e,
		 enum network_judgement said, uint64_t now_ns)
{
	if (said == NETWORK_BLOCK)
		end(x, e);
	else if (said == NETWORK_PASS && !e->judged)
		open_way(x, e, now_ns);
}

void exchanges_judged(struct exchanges *x, uint32_t id, bool pass,
		      uint64_t now_ns)
{
	const uint32_t slot = id & 0xffff;
	struct exchange *e = slot < x->fresh ? &x->slot[slot] : NULL;

	if (e && e->used && id_of(x, e) == id)
		heed(x, e, pass ? NETWORK_PASS : NETWORK_BLOCK, now_ns);
}

void exchanges_judge_again(struct exchanges *x, uint64_t now_ns)
{
	for (uint32_t i = 0; i < x->fresh; i++) {
		struct exchange *e = &x->slot[i];

		if (e->used && e->judged)
			heed(x, e, judge(x, e), now_ns);
	}
}

/* A client speaks for the first time; NULL: there is no way to answer it. */
static struct exchange *begin(struct exchanges *x, uint32_t forward,
			      const struct endpoint *client, uint64_t now_ns)
{
	struct exchange *e = slot_alloc(x);
	uint32_t *bucket;

	if (!e)
		return NULL;
	*e = (struct exchange){
		.gen = e->gen + 1 ? e->gen + 1 : 1, .used = true, .fd = -1,
		.forward = forward, .client = *client, .used_ns = now_ns,
	};
	e->kept_end = &e->kept;
	bucket = bucket_of(x, forward, client);
	e->chain = *bucket;
	*bucket = number_of(x, e);
	age_newest(x, e);
	heed(x, e, judge(x, e), now_ns);
	return e->used ? e : NULL;
}

/* ---- datagrams ---- */

static void keep(struct exchanges *x, struct exchange *e,
		 const struct env_mark *mark, size_t len)
{
	struct kept *k = NULL;

	if (len <= EXCHANGE_KEPT_BYTES - e->kept_bytes)
		k = malloc(sizeof(*k) + len);
	if (!k) {
		x->lost++;
		return;
	}
	*k = (struct kept){ .mark = *mark, .len = len };
	memcpy(k->data, x->buf, len);
	*e->kept_end = k;
	e->kept_end = &k->next;
	/* An empty one is none too few. */
	e->kept_bytes += len ? len : 1;
}

/* The receiver's hop limit and addresses are its own: they went no way. */
static void send_on(struct exchanges *x, int fd, const struct endpoint *to,
		    const struct env_mark *mark, void *data, size_t len)
{
	const struct env_mark own = { .tos = mark->tos,
				      .segment = mark->segment };
	const struct span v = { .p = data, .len = len };

	if (x->env.ops->dgram_send(x->env.ctx, fd, to, &own, &v, 1) < 0)
		x->lost++;
}

/* Each of a batch by itself. */
static void send_framed(struct exchanges *x, struct framed *f,
			const struct env_mark *mark, const uint8_t *data,
			size_t len)
{
	do {
		const size_t n = mark->segment && mark->segment < len ?
				 mark->segment : len;

		x->lost += !framed_send(f, data, n);
		data += n;
		len -= n;
	} while (len);
}

static void to_server(struct exchanges *x, struct exchange *e,
		      const struct env_mark *mark, void *data, size_t len)
{
	if (e->framed)
		send_framed(x, e->framed, mark, data, len);
	else
		send_on(x, e->fd, &x->forward[e->forward].to, mark, data, len);
}

static void from_client(struct exchanges *x, uint32_t forward,
			uint64_t now_ns)
{
	const struct forward *f = &x->forward[forward];

	for (unsigned i = 0; i < TURN_DATAGRAMS; i++) {
		struct endpoint client;
		struct env_mark mark;
		const int64_t len = x->env.ops->dgram_recv(x->env.ctx, f->fd,
				&client, &mark, x->buf, sizeof(x->buf));
		struct exchange *e;

		if (len == -ENV_AGAIN)
			return;
		if (len < 0)
			continue;	/* of an answer that nobody took */
		e = find(x, forward, &client);
		if (!e)
			e = begin(x, forward, &client, now_ns);
		if (!e) {
			x->lost++;
			continue;
		}
		touch(x, e, now_ns);
		if (e->fd < 0)
			keep(x, e, &mark, (size_t)len);
		else
			to_server(x, e, &mark, x->buf, (size_t)len);
	}
}

static bool watch_stream(const struct exchanges *x, const struct exchange *e,
			 int how)
{
	struct epoll_event ev = {
		.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
		.data.u64 = hostenv_datum((struct handle){
			.slot = EXCHANGE_SLOT_BASE + number_of(x, e) - 1,
			.gen = e->gen,
		}),
	};

	return epoll_ctl(x->epoll_fd, how, e->framed->fd, &ev) == 0;
}

/* The agent's end of it: the exchange is over with the stream. */
static void from_agent(struct exchanges *x, struct exchange *e,
		       uint64_t now_ns)
{
	const int to = x->forward[e->forward].fd;
	const struct env_mark none = { .segment = 0 };

	touch(x, e, now_ns);
	framed_flush(e->framed);
	for (unsigned i = 0; i < TURN_DATAGRAMS; i++) {
		void *data;
		const ssize_t len = framed_recv(e->framed, &data);

		if (len == -EAGAIN)
			return;
		if (len < 0) {
			end(x, e);
			return;
		}
		send_on(x, to, &e->client, &none, data, (size_t)len);
	}
	/* There may be more, of which we have been told already. */
	if (!watch_stream(x, e, EPOLL_CTL_MOD))
		end(x, e);
}

static void from_server(struct exchanges *x, struct exchange *e,
			uint64_t now_ns)
{
	const int to = x->forward[e->forward].fd;

	touch(x, e, now_ns);
	for (unsigned i = 0; i < TURN_DATAGRAMS; i++) {
		struct endpoint from;
		struct env_mark mark;
		const int64_t len = x->env.ops->dgram_recv(x->env.ctx, e->fd,
				&from, &mark, x->buf, sizeof(x->buf));

		if (len == -ENV_AGAIN)
			return;
		if (len >= 0)		/* else nobody listens there now */
			send_on(x, to, &e->client, &mark, x->buf,
				(size_t)len);
	}
}

/* Errors stay queued, and the socket ready, until they are fetched. */
static void forget_errors(struct exchanges *x, int fd)
{
	struct env_net_error e;

	for (unsigned i = 0; i < TURN_DATAGRAMS; i++)
		if (!x->env.ops->dgram_error(x->env.ctx, fd, &e, x->buf,
					     sizeof(x->buf)))
			return;
}

void exchanges_event(struct exchanges *x, struct handle h, uint64_t now_ns)
{
	if (h.slot >= EXCHANGE_FORWARD_BASE) {
		const uint32_t i = h.slot - EXCHANGE_FORWARD_BASE;

		if (i >= x->forwards_used || x->forward[i].fd < 0 ||
		    x->forward[i].id != h.gen)
			return;
		forget_errors(x, x->forward[i].fd);
		from_client(x, i, now_ns);
		return;
	}
	if (h.slot - EXCHANGE_SLOT_BASE < x->fresh) {
		struct exchange *e = &x->slot[h.slot - EXCHANGE_SLOT_BASE];

		if (!e->used || e->gen != h.gen || e->fd < 0)
			return;
		if (e->framed) {
			from_agent(x, e, now_ns);
			return;
		}
		forget_errors(x, e->fd);
		from_server(x, e, now_ns);
	}
}

static void flush_kept(struct exchanges *x, struct exchange *e)
{
	while (e->kept) {
		struct kept *k = e->kept;

		to_server(x, e, &k->mark, k->data, k->len);
		e->kept = k->next;
		free(k);
	}
	e->kept_end = &e->kept;
	e->kept_bytes = 0;
}

/* The one by an agent that was silent longest. */
static void end_framed(struct exchanges *x)
{
	struct exchange *e = at(x, x->oldest);

	while (e && !e->framed)
		e = at(x, e->newer);
	if (e)
		end(x, e);
}

/* A stream to the agent, which has the socket. */
static bool adopt_stream(struct exchanges *x, struct exchange *e, int fd)
{
	if (x->framed >= EXCHANGES_AGENTS_MAX)
		end_framed(x);
	e->framed = calloc(1, sizeof(*e->framed));
	if (!e->framed)
		return false;
	x->framed++;
	e->framed->fd = fd;
	return watch_stream(x, e, EPOLL_CTL_ADD);
}

static bool adopt(struct exchanges *x, struct exchange *e, int fd,
		  struct handle h)
{
	return x->forward[e->forward].way == RELAY_BY_AGENT ?
	       adopt_stream(x, e, fd) :
	       x->env.ops->udp_adopt(x->env.ctx, fd, h) >= 0;
}

void exchanges_connected(struct exchanges *x, uint32_t id, int fd,
			 uint64_t now_ns)
{
	const uint32_t slot = id & 0xffff;
	struct exchange *e = slot < x->fresh ? &x->slot[slot] : NULL;
	struct handle h = { .slot = EXCHANGE_SLOT_BASE + slot };

	if (!e || !e->used || id_of(x, e) != id || e->fd >= 0) {
		if (fd >= 0)
			close(fd);
		return;
	}
	h.gen = e->gen;
	if (fd < 0 || !adopt(x, e, fd, h)) {
		if (fd >= 0)
			close(fd);
		end(x, e);
		return;
	}
	e->fd = fd;
	touch(x, e, now_ns);
	flush_kept(x, e);
}

/* ---- forwards ---- */

void exchanges_forward_add(struct exchanges *x, uint32_t id, int fd,
			   const struct endpoint *to, enum relay_way way,
			   uint8_t guest)
{
	struct handle h = { .gen = id };
	uint32_t i = 0;

	while (i < x->forwards_used && x->forward[i].fd >= 0)
		i++;
	h.slot = EXCHANGE_FORWARD_BASE + i;
	if (i == EXCHANGE_FORWARDS_MAX ||
	    x->env.ops->udp_adopt(x->env.ctx, fd, h) < 0) {
		close(fd);
		return;
	}
	if (i == x->forwards_used)
		x->forwards_used++;
	x->forward[i] = (struct forward){ .id = id, .fd = fd, .to = *to,
					  .way = way, .guest = guest };
}

static void end_all(struct exchanges *x, uint32_t forward)
{
	uint32_t next = x->oldest;

	while (next) {
		struct exchange *e = at(x, next);

		next = e->newer;
		if (e->forward == forward)
			end(x, e);
	}
}

void exchanges_forward_del(struct exchanges *x, uint32_t id)
{
	for (uint32_t i = 0; i < x->forwards_used; i++) {
		struct forward *f = &x->forward[i];

		if (f->fd < 0 || f->id != id)
			continue;
		end_all(x, i);
		/* The keeper may still have it, and give it again. */
		(void)!epoll_ctl(x->epoll_fd, EPOLL_CTL_DEL, f->fd, NULL);
		close(f->fd);
		f->fd = -1;
		return;
	}
}

/* ---- time ---- */

uint64_t exchanges_next_timer(const struct exchanges *x)
{
	return x->oldest ? x->slot[x->oldest - 1].used_ns + IDLE_NS :
			   UINT64_MAX;
}

void exchanges_expire(struct exchanges *x, uint64_t now_ns)
{
	while (exchanges_next_timer(x) <= now_ns)
		end(x, at(x, x->oldest));
}
