/* SPDX-License-Identifier: MIT */
#include "engine/links.h"

#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/state.h"
#include "linux/tapopen.h"

#define FRAMES_PER_TURN	64u
#define FRAMES_LEAST	8u		/* of each, however many there are */
#define BYTES_PER_TURN	(512u << 10)	/* of frames: others wait for it */
#define TELL_AGAIN_NS	UINT64_C(60000000000)

/*
 * Links are large, and far from each other in memory: which are there, and
 * which are ready, stands in a bit of each beside the engine's other members.
 */
static uint32_t bit_of(const struct engine_link *l)
{
	return UINT32_C(1) << l->at;
}

static void set_ready(struct engine_link *l, bool ready)
{
	if (ready)
		l->engine->links_ready |= bit_of(l);
	else
		l->engine->links_ready &= ~bit_of(l);
}

static unsigned count(uint32_t bits)
{
	return (unsigned)__builtin_popcount(bits);
}

/* The lowest of some, which is taken out. */
static unsigned take_lowest(uint32_t *bits)
{
	const unsigned at = (unsigned)__builtin_ctz(*bits);

	*bits &= *bits - 1;
	return at;
}

/* Where there are several, it says of which it speaks. */
static void tell(void *ctx, enum log_level level, const char *text)
{
	const struct engine_link *l = ctx;
	char named[240];

	if (count(l->engine->links_used) < 2) {
		engine_log(l->engine, level, text);
		return;
	}
	snprintf(named, sizeof(named), "link %u: %s", l->at + 1, text);
	engine_log(l->engine, level, named);
}

static bool watch(const struct engine_link *l, int fd, uint32_t slot,
		  uint32_t events)
{
	struct epoll_event ev = {
		.events = events,
		.data.u64 = hostenv_datum((struct handle){ .slot = slot,
							   .gen = l->at }),
	};

	return epoll_ctl(l->engine->host.epoll_fd, EPOLL_CTL_ADD, fd,
			 &ev) == 0;
}

static void prepare_vhost(struct engine_link *l)
{
	struct vhost *v = &l->vhost;

	v->epoll_fd = l->engine->host.epoll_fd;
	v->kick_datum = hostenv_datum((struct handle){ .slot = SLOT_LINK,
						       .gen = l->at });
	v->log = (struct log_sink){ .write = tell, .ctx = l };
	v->mtu = l->engine->setup.mtu;
	v->whole = l->engine->setup.host_fd >= 0;	/* network/direct.h */
	vhost_init(v);
}

/* Or is a machine at its other end already? */
static bool listens(int fd)
{
	int yes = 0;
	socklen_t len = sizeof(yes);

	(void)!getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &yes, &len);
	return yes;
}

static bool watch_new(struct engine_link *l, int fd, uint32_t offloads)
{
	struct link *k = &l->link;

	if (k->kind == LINK_VHOST)
		prepare_vhost(l);
	k->door = link_is_door(fd);
	if (k->kind == LINK_VHOST ||
	    (k->kind == LINK_STREAM && (k->door || listens(fd)))) {
		k->listen_fd = fd;
		return watch(l, fd, SLOT_LISTEN, EPOLLIN | EPOLLET);
	}
	k->fd = fd;
	if (k->kind == LINK_TAP) {
		k->no_uso = !tap_takes_uso(offloads);
		return watch(l, fd, SLOT_LINK, EPOLLIN);
	}
	framesocket_init(k->socket, fd, k->kind == LINK_DATAGRAM);
	return watch(l, fd, SLOT_LINK, EPOLLIN | EPOLLOUT | EPOLLET);
}

static void forget(struct engine_link *l)
{
	struct link *k = &l->link;

	if (k->fd >= 0) {
		(void)!epoll_ctl(l->engine->host.epoll_fd, EPOLL_CTL_DEL,
				 k->fd, NULL);
		link_hang_up(k);
	}
	if (k->listen_fd >= 0)
		close(k->listen_fd);
	l->engine->host.links[l->at] = NULL;
	set_ready(l, false);
	l->engine->links_used &= ~bit_of(l);
	l->engine = NULL;
}

bool links_open(struct engine *e, unsigned at, enum link_kind kind, int fd,
		uint32_t offloads)
{
	struct engine_link *l = &e->links[at];
	int error;

	ASSERT(at < LINKS_MAX && !l->engine);
	l->engine = e;
	l->at = at;
	e->links_used |= bit_of(l);
	l->turned_away_ns = 0;
	l->link = (struct link){
		.kind = kind, .fd = -1, .listen_fd = -1,
		.socket = &l->socket, .vhost = &l->vhost,
		.frame = e->frame, .frame_cap = sizeof(e->frame),
	};
	e->host.links[at] = &l->link;
	if (watch_new(l, fd, offloads))
		return true;
	error = errno;
	forget(l);
	errno = error;
	return false;
}

void links_close(struct engine *e, unsigned at)
{
	if (at >= LINKS_MAX || !e->links[at].engine)
		return;
	forget(&e->links[at]);
	network_link_down(e->net, at);
}

/* The next of those that wait. */
static void accept_machine(struct engine_link *l)
{
	const int fd = link_accept(&l->link);

	if (fd < 0)
		return;
	if (!(l->link.kind == LINK_VHOST ?
	      watch(l, fd, SLOT_MACHINE, EPOLLIN) :
	      watch(l, fd, SLOT_LINK, EPOLLIN | EPOLLOUT | EPOLLET))) {
		link_hang_up(&l->link);
		return;
	}
	set_ready(l, true);
	network_rejoined(l->engine->net, l->at);
}

/* Whoever tries again and again is told of once a minute. */
static void tell_turned_away(struct engine_link *l)
{
	const uint64_t now = engine_now_ns();

	if (l->turned_away_ns && now - l->turned_away_ns < TELL_AGAIN_NS)
		return;
	l->turned_away_ns = now;
	tell(l, LOG_WARN, "another virtual machine came and was turned "
	     "away: one is connected; stop it, or serve the other at a "
	     "socket of its own");
}

/*
 * A machine may connect: the first one, or the next after one that went. While
 * there is one, what is yet to be read of it is not forgotten: its end, too.
 * Another one that comes meanwhile is not left to wait for nothing.
 */
static void next_machine(struct engine_link *l)
{
	if (!link_is_held(&l->link))
		accept_machine(l);
	if (link_is_held(&l->link) && link_turn_away(&l->link))
		tell_turned_away(l);
}

static void machine_gone(struct engine_link *l)
{
	/* Closed by us alone it would go on to wake us, if others have it. */
	(void)!epoll_ctl(l->engine->host.epoll_fd, EPOLL_CTL_DEL, l->link.fd,
			 NULL);
	link_hang_up(&l->link);
	network_link_down(l->engine->net, l->at);
	agents_hang_up(&l->engine->agents, l->at);
	if (l->link.listen_fd >= 0)
		next_machine(l);
}

/* A queue may have begun: there may be frames in it already. */
static void machine_event(struct engine_link *l)
{
	if (!link_event(&l->link))
		machine_gone(l);
	set_ready(l, true);
}

void links_event(struct engine *e, unsigned at, uint32_t slot)
{
	struct engine_link *l = &e->links[at < LINKS_MAX ? at : 0];

	if (!l->engine)
		return;			/* it went in this turn */
	switch (slot) {
	case SLOT_LISTEN:
		next_machine(l);
		break;
	case SLOT_MACHINE:
		machine_event(l);
		break;
	default:
		if (link_push(&l->link))
			network_link_ready(e->net, at, engine_now_ns());
		set_ready(l, true);
		break;
	}
}

/*
 * An interface deleted under us, which its namespace's root may do, or which
 * goes with its namespace, is ready for ever after and gives nothing.
 */
static void let_go(struct engine_link *l)
{
	/* One that has joined may go: the keeper hears of that by itself. */
	tell(l, l->at < l->engine->setup.n_links ? LOG_WARN : LOG_INFO,
	     "the guest's interface has been deleted: it has no network any "
	     "more; start it again");
	links_close(l->engine, l->at);
}

/* One frame. How many bytes it was, or why there is no more: negative. */
static ssize_t read_one(struct engine_link *l, uint64_t now)
{
	struct network *net = l->engine->net;
	struct frame_meta meta = { 0 };
	const uint8_t *frame;
	const ssize_t n = link_read(&l->link, &meta, &frame);

	if (n < 0)
		return n;
	if (n > 0 && link_is_back(&l->link))
		network_rejoined(net, l->at);
	if (n > 0)
		network_frame(net, l->at, &meta, frame, (size_t)n, now);
	return n + (ssize_t)meta.far_bytes;
}

static void read_some(struct engine_link *l, unsigned frames, size_t most,
		      uint64_t now)
{
	size_t bytes = 0;

	for (unsigned i = 0; i < frames && bytes < most; i++) {
		const ssize_t n = read_one(l, now);

		if (n == -EPIPE) {
			machine_gone(l);
			return;
		}
		if (n == -EBADFD) {
			let_go(l);
			return;
		}
		if (n < 0) {
			set_ready(l, false);
			return;
		}
		bytes += (size_t)n;
	}
	/* A tap tells again by itself, a socket does not. */
	set_ready(l, l->link.kind != LINK_TAP);
}

void links_read(struct engine *e, uint64_t now)
{
	uint32_t ready = e->links_ready;
	const unsigned n = count(ready);
	unsigned frames;

	if (!n)
		return;
	frames = FRAMES_PER_TURN / n;
	frames = frames < FRAMES_LEAST ? FRAMES_LEAST : frames;
	while (ready) {
		struct engine_link *l = &e->links[take_lowest(&ready)];

		/* It may have gone by what another one's frames brought. */
		if (e->links_ready & bit_of(l))
			read_some(l, frames, BYTES_PER_TURN / n, now);
	}
}

void links_flush(struct engine *e)
{
	uint32_t used = e->links_used;

	while (used)
		link_flush(&e->links[take_lowest(&used)].link);
}
