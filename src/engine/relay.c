/* SPDX-License-Identifier: MIT */
#include "engine/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "linux/channel.h"
#include "linux/dial.h"
#include "linux/hostenv.h"
#include "linux/messages.h"
#include "linux/sockaddr.h"

#define PIPE_BYTES	(256 << 10)
#define PIPES_KEPT	16
#define COPY_BYTES	65536u
#define BUFFER_LEAST	(32u << 10)	/* bytes: of a socket, in a crowd */
#define BUFFER_MOST	(1u << 20)
#define ACCEPT_BATCH	64

enum side { CLIENT, SERVER };	/* whom we accepted; whom we connected to */

/* One direction: from a side to the other. */
struct stream {
	uint64_t moved;		/* bytes that the sink has taken */
	uint32_t in_pipe;	/* bytes */
	int pipe[2];		/* -1 when none is held */
	bool readable;		/* source may have more */
	bool urgent;		/* a byte of it is urgent */
	bool writable;		/* sink may take more */
	bool eof;		/* source has ended */
	bool shut;		/* sink was told */
	bool torn;		/* its end is a reset, or stands for one */
};

struct relay {
	uint32_t gen;		/* of the handle; 0 never */
	uint32_t next;		/* free, busy or unasked list, slot + 1 */
	bool used, waiting, busy;
	bool judged;		/* the firewall has let it pass */
	bool stale;		/* by rules that have changed since */
	bool to_host;		/* the client is the guest's */
	bool by_agent;		/* the guest's end is a pair of sockets */
	uint8_t guest;
	uint16_t client_port;
	uint32_t begun_s;
	int fd[2];		/* by side; -1 if none */
	struct endpoint to;	/* the server, where the helper connects */
	struct stream from[2];	/* by source side */
};

struct forward {
	uint32_t id;
	int fd;			/* -1: not in use */
	bool handed;		/* a channel: clients come over it, accepted */
	uint8_t guest;
	enum relay_way way;
	struct endpoint to;
};

struct relays {
	struct relays_setup setup;
	int spare;			/* a descriptor to refuse clients by */
	uint32_t first_unasked, last_unasked;	/* the helper was busy */
	uint32_t count, fresh, first_free, first_busy, forwards_used;
	unsigned n_pipes, pipes_there;	/* in stock, and in all */
	int pipes[PIPES_KEPT][2];
	uint16_t mtu;			/* see relays_clamp(); 0: any */
	struct forward forwards[RELAY_FORWARDS_MAX];
	struct relay relays[RELAY_MAX];
	uint8_t buf[COPY_BYTES];
};

size_t relays_bytes(void)
{
	return sizeof(struct relays);
}

struct relays *relays_init(void *mem, const struct relays_setup *setup)
{
	struct relays *r = mem;

	r->setup = *setup;
	if (r->setup.most > RELAY_MAX)
		r->setup.most = RELAY_MAX;
	if (r->setup.pipes > RELAY_PIPES_MAX)
		r->setup.pipes = RELAY_PIPES_MAX;
	r->spare = dup(setup->epoll_fd);
	return r;
}

uint32_t relays_count(const struct relays *r)
{
	return r->count;
}

bool relays_busy(const struct relays *r)
{
	return r->first_busy != 0;
}

static uint32_t slot_of(const struct relays *r, const struct relay *y)
{
	return (uint32_t)(y - r->relays);
}

static int watch(const struct relays *r, int fd, uint32_t slot, uint32_t gen,
		 uint32_t events)
{
	const struct handle h = { .slot = slot, .gen = gen };
	struct epoll_event ev = { .events = events,
				  .data.u64 = hostenv_datum(h) };

	return epoll_ctl(r->setup.epoll_fd, EPOLL_CTL_ADD, fd, &ev);
}

/* ---- pipes ---- */

static bool take_pipe(struct relays *r, struct stream *s)
{
	if (s->pipe[0] >= 0)
		return true;
	if (r->n_pipes) {
		r->n_pipes--;
		s->pipe[0] = r->pipes[r->n_pipes][0];
		s->pipe[1] = r->pipes[r->n_pipes][1];
		return true;
	}
	if (r->pipes_there >= r->setup.pipes ||
	    pipe2(s->pipe, O_NONBLOCK | O_CLOEXEC) < 0) {
		s->pipe[0] = s->pipe[1] = -1;
		return false;
	}
	r->pipes_there++;
	/* More per turn where the user's pipe quota allows it. */
	(void)!fcntl(s->pipe[0], F_SETPIPE_SZ, PIPE_BYTES);
	return true;
}

static void give_pipe(struct relays *r, struct stream *s)
{
	if (s->pipe[0] < 0)
		return;
	if (s->in_pipe == 0 && r->n_pipes < PIPES_KEPT) {
		r->pipes[r->n_pipes][0] = s->pipe[0];
		r->pipes[r->n_pipes][1] = s->pipe[1];
		r->n_pipes++;
	} else {
		close(s->pipe[0]);
		close(s->pipe[1]);
		r->pipes_there--;
	}
	s->pipe[0] = s->pipe[1] = -1;
}

/* ---- relays ---- */

static uint32_t now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint32_t)ts.tv_sec;
}

static struct relay *relay_alloc(struct relays *r)
{
	struct relay *y;
	uint32_t gen;

	if (r->count >= r->setup.most)
		return NULL;
	if (r->first_free) {
		y = &r->relays[r->first_free - 1];
		r->first_free = y->next;
	} else if (r->fresh < RELAY_MAX) {
		y = &r->relays[r->fresh++];
	} else {
		return NULL;
	}
	gen = y->gen + 1 ? y->gen + 1 : 1;
	*y = (struct relay){ .gen = gen, .used = true, .waiting = true,
			     .fd = { -1, -1 } };
	y->from[CLIENT].pipe[0] = y->from[CLIENT].pipe[1] = -1;
	y->from[SERVER].pipe[0] = y->from[SERVER].pipe[1] = -1;
	r->count++;
	return y;
}

static void reset_socket(int fd)
{
	const struct linger now = { .l_onoff = 1 };

	(void)!setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

/* To the flow behind an agent's end, if there is one yet. */
static void tell_agents(struct relays *r, const struct relay *y, bool reset)
{
	const enum side side = y->to_host ? CLIENT : SERVER;
	const struct handle h = { .slot = slot_of(r, y), .gen = y->gen };

	if (y->by_agent && y->fd[side] >= 0)
		r->setup.agent(r->setup.ctx, dial_cookie(y->fd[side]), h,
			       reset);
}

static void relay_free(struct relays *r, struct relay *y, bool reset)
{
	if (reset)
		tell_agents(r, y, true);
	for (int side = CLIENT; side <= SERVER; side++) {
		if (y->fd[side] >= 0 && reset)
			reset_socket(y->fd[side]);
		if (y->fd[side] >= 0)
			close(y->fd[side]);
		give_pipe(r, &y->from[side]);
	}
	y->used = false;
	r->count--;
	if (y->busy)
		return;		/* relays_turn_end() puts it on the list */
	y->next = r->first_free;
	r->first_free = slot_of(r, y) + 1;
}

static void make_busy(struct relays *r, struct relay *y)
{
	if (y->busy)
		return;
	y->busy = true;
	y->next = r->first_busy;
	r->first_busy = slot_of(r, y) + 1;
}

/* What a stream's next step came to. */
enum step { MOVED, BLOCKED, BROKEN };

static enum step fill(struct stream *s, int source)
{
	const ssize_t n = splice(source, NULL, s->pipe[1], NULL, PIPE_BYTES,
				 SPLICE_F_MOVE | SPLICE_F_NONBLOCK);

	if (n > 0) {
		s->in_pipe += (uint32_t)n;
		return MOVED;
	}
	if (n == 0) {
		/* Also where an urgent byte is in its way before the end. */
		s->urgent = sockatmark(source) > 0;
		s->eof = !s->urgent;
		return MOVED;
	}
	if (errno != EAGAIN)
		return BROKEN;
	s->readable = s->urgent = false;
	return BLOCKED;
}

static enum step empty(struct stream *s, int sink)
{
	const ssize_t n = splice(s->pipe[0], NULL, sink, NULL, s->in_pipe,
				 SPLICE_F_MOVE | SPLICE_F_NONBLOCK);

	if (n > 0) {
		s->in_pipe -= (uint32_t)n;
		return MOVED;
	}
	if (n < 0 && errno != EAGAIN)
		return BROKEN;
	s->writable = false;
	return BLOCKED;
}

/*
 * Without a pipe: where there is none, and the urgent byte (RFC 9293 section
 * 3.8.5), which splice() does not pass. What the sink does not take has never
 * left the source, so nothing is held in between. oob: the sink can be told
 * that it is urgent.
 */
static enum step copy(struct relays *r, struct stream *s, int source,
		      int sink, bool urgent, bool oob, uint32_t *moved)
{
	const ssize_t there = recv(source, r->buf,
				   urgent ? 1 : sizeof(r->buf),
				   MSG_PEEK | MSG_DONTWAIT);
	const int how = MSG_NOSIGNAL | MSG_DONTWAIT | (oob ? MSG_OOB : 0);
	ssize_t sent;

	if (there == 0) {
		s->eof = true;
		return MOVED;
	}
	if (there < 0 && errno != EAGAIN)
		return BROKEN;
	if (there < 0) {
		s->readable = s->urgent = false;
		return BLOCKED;
	}
	sent = send(sink, r->buf, (size_t)there, how);
	if (sent < 0 && errno != EAGAIN)
		return BROKEN;
	if (sent < 0) {
		s->writable = false;
		return BLOCKED;
	}
	*moved = (uint32_t)sent;
	s->urgent &= !urgent;
	return recv(source, r->buf, (size_t)sent, MSG_TRUNC | MSG_DONTWAIT) ==
	       sent ? MOVED : BROKEN;
}

/* Move what can be moved from one side. false: the relay is broken. */
static bool pump(struct relays *r, struct relay *y, enum side source)
{
	struct stream *s = &y->from[source];
	const int from = y->fd[source], to = y->fd[!source];
	uint32_t budget = RELAY_TURN_BYTES;
	enum step step = MOVED;

	if (s->torn && s->shut)
		return false;
	while (step == MOVED && !s->shut) {
		const uint32_t before = s->in_pipe;
		uint32_t moved = 0;
		bool urgent;

		if (s->in_pipe) {
			if (!s->writable)
				break;
			step = empty(s, to);
			moved = before - s->in_pipe;
		} else if (s->eof && s->torn) {
			step = BROKEN;
		} else if (s->eof) {
			s->shut = true;
			shutdown(to, SHUT_WR);
		} else if (!s->readable) {
			break;
		} else if (!(urgent = s->urgent && sockatmark(from) > 0) &&
			   take_pipe(r, s)) {
			step = fill(s, from);
		} else if (s->writable) {
			step = copy(r, s, from, to, urgent,
				    urgent && !y->by_agent, &moved);
		} else {
			break;
		}
		s->moved += moved;
		budget -= moved < budget ? moved : budget;
		if (!budget && step == MOVED) {
			make_busy(r, y);
			break;
		}
	}
	if (!s->in_pipe)
		give_pipe(r, s);
	return step != BROKEN;
}

/* Both directions; frees the relay when it is over. */
static void relay_run(struct relays *r, struct relay *y)
{
	if (!pump(r, y, CLIENT) || !pump(r, y, SERVER))
		relay_free(r, y, true);
	else if (y->from[CLIENT].shut && y->from[SERVER].shut)
		relay_free(r, y, false);
}

/*
 * Ask the helper for the guest's ends, as many as its channel has room for.
 * If that is not all, answers are on their way, and turns with them.
 */
static void ask(struct relays *r)
{
	while (r->first_unasked) {
		struct relay *y = &r->relays[r->first_unasked - 1];
		const struct msg_open m = { .kind = MSG_CONNECT,
					    .id = slot_of(r, y),
					    .at = y->to, .guest = y->guest };
		const int rc = channel_send(y->by_agent ? r->setup.keeper_ch :
					    r->setup.inside_ch, &m, sizeof(m),
					    NULL, 0);

		if (rc == -EAGAIN)
			return;
		r->first_unasked = y->next;
		if (!r->first_unasked)
			r->last_unasked = 0;
		if (rc < 0)
			relay_free(r, y, true);
	}
}

/* The helper is asked for the server's end; ask() says when. */
static void queue(struct relays *r, struct relay *y)
{
	*(r->last_unasked ? &r->relays[r->last_unasked - 1].next :
			    &r->first_unasked) = slot_of(r, y) + 1;
	r->last_unasked = slot_of(r, y) + 1;
	y->next = 0;
	ask(r);
}

/* The server is on our own side. */
static void connect_here(struct relays *r, const struct relay *y)
{
	const int fd = dial(&y->to, false);

	relays_connected(r, slot_of(r, y), fd, fd < 0 ? -fd : 0);
}

/* Of a slot below RELAY_MAX, and without EXCHANGE_ID. */
static uint32_t ticket_of(const struct relays *r, const struct relay *y)
{
	return (y->gen & 0x1ffff) << 14 | slot_of(r, y);
}

static enum network_judgement judge(const struct relays *r,
				    const struct relay *y)
{
	const struct network_relay what = {
		.to_host = y->to_host, .v6 = !ip_is4(&y->to.ip),
		.guest = y->guest,
		.client_port = y->client_port, .port = y->to.port,
	};

	return r->setup.judge(r->setup.ctx, &what, ticket_of(r, y));
}

static void begin(struct relays *r, struct relay *y)
{
	y->judged = true;
	if (y->to_host)
		connect_here(r, y);
	else
		queue(r, y);
}

/* What the firewall says, now or later; y may be gone afterwards. */
static void heed(struct relays *r, struct relay *y,
		 enum network_judgement said)
{
	if (said == NETWORK_BLOCK)
		relay_free(r, y, true);
	else if (said == NETWORK_PASS && !y->judged)
		begin(r, y);
}

void relays_judged(struct relays *r, uint32_t ticket, bool pass)
{
	const uint32_t slot = ticket & (RELAY_MAX - 1);
	struct relay *y = slot < r->fresh ? &r->relays[slot] : NULL;

	if (!y || !y->used || ticket_of(r, y) != ticket)
		return;
	if (y->judged && y->waiting)
		y->stale = !pass;	/* it may stand in a list */
	else
		heed(r, y, pass ? NETWORK_PASS : NETWORK_BLOCK);
}

void relays_judge_again(struct relays *r)
{
	for (uint32_t i = 0; i < r->fresh; i++) {
		struct relay *y = &r->relays[i];

		if (!y->used || !y->judged)
			continue;
		if (y->waiting)
			y->stale = true;
		else
			heed(r, y, judge(r, y));
	}
}

static void accept_one(struct relays *r, const struct forward *f, int fd,
		       const struct sockaddr_any *client)
{
	struct endpoint from = { .port = 0 };
	struct relay *y = relay_alloc(r);
	const int one = 1;

	if (!y) {
		reset_socket(fd);
		close(fd);
		return;
	}
	y->fd[CLIENT] = fd;
	(void)!setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	y->to = f->to;
	y->to_host = f->way == RELAY_TO_HOST;
	y->by_agent = f->way == RELAY_BY_AGENT || f->handed;
	y->guest = f->guest;
	y->begun_s = now_s();
	if (client)
		(void)!sockaddr_to(client, &from);
	y->client_port = from.port;
	if (y->to_host)
		tell_agents(r, y, false);
	heed(r, y, judge(r, y));
}

/*
 * No descriptor is left, and the client would make its listener ready for
 * ever: reset it by the spare one. false: nothing could be done.
 */
static bool refuse_one(struct relays *r, const struct forward *f)
{
	int fd;

	if (errno != EMFILE && errno != ENFILE)
		return false;
	close(r->spare);
	fd = accept4(f->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd >= 0) {
		reset_socket(fd);
		close(fd);
	}
	r->spare = dup(r->setup.epoll_fd);
	return fd >= 0;
}

/* Those that somebody else has accepted. */
static void take_handed(struct relays *r, const struct forward *f)
{
	int fds[CHANNEL_MAX_FDS];
	size_t n_fds;
	uint8_t byte;

	for (unsigned i = 0; i < ACCEPT_BATCH; i++) {
		/* One that there was no descriptor for has been closed. */
		const ssize_t n = channel_recv(f->fd, &byte, sizeof(byte),
					       fds, &n_fds);

		if (n == -EMFILE)
			continue;
		if (n <= 0)
			return;
		while (n_fds)
			accept_one(r, f, fds[--n_fds], NULL);
	}
}

static void accept_all(struct relays *r, const struct forward *f)
{
	if (f->handed) {
		take_handed(r, f);
		return;
	}
	for (unsigned i = 0; i < ACCEPT_BATCH; i++) {
		struct sockaddr_any client;
		socklen_t len = sizeof(client);
		const int fd = accept4(f->fd, &client.sa, &len,
				       SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0 && refuse_one(r, f))
			continue;
		if (fd < 0)
			return;
		if (f->way == RELAY_BY_FRAMES ||
		    (f->way == RELAY_TO_GUEST && r->setup.inside_ch < 0))
			r->setup.offer(r->setup.ctx, fd, &f->to,
				       f->way == RELAY_BY_FRAMES);
		else
			accept_one(r, f, fd, &client);
	}
}

/* Two sockets with two buffers each: none more than its part. */
static void bound_buffers(const struct relays *r, const struct relay *y)
{
	uint64_t part = r->setup.bytes / (4 * r->count);
	int bytes;

	if (r->count <= RELAY_FREE)
		return;
	if (part < BUFFER_LEAST)
		part = BUFFER_LEAST;
	if (part > BUFFER_MOST)
		part = BUFFER_MOST;
	bytes = (int)part / 2;		/* the kernel doubles it */
	for (int side = CLIENT; side <= SERVER; side++) {
		(void)!setsockopt(y->fd[side], SOL_SOCKET, SO_RCVBUF, &bytes,
				  sizeof(bytes));
		(void)!setsockopt(y->fd[side], SOL_SOCKET, SO_SNDBUF, &bytes,
				  sizeof(bytes));
	}
}

/* In its place, where it is told apart by its mark. */
static void read_urgent_inline(const struct relay *y)
{
	const int one = 1;

	for (int side = CLIENT; side <= SERVER; side++)
		(void)!setsockopt(y->fd[side], SOL_SOCKET, SO_OOBINLINE, &one,
				  sizeof(one));
}

void relays_connected(struct relays *r, uint32_t id, int fd, int error)
{
	const uint32_t events = EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLRDHUP |
				EPOLLET;
	struct relay *y = id < r->fresh ? &r->relays[id] : NULL;
	uint32_t slot;

	if (!y || !y->used || !y->waiting || error || fd < 0) {
		if (fd >= 0)
			close(fd);
		if (y && y->used && y->waiting)
			relay_free(r, y, true);	/* refused: so is the client */
		return;
	}
	y->waiting = false;
	y->fd[SERVER] = fd;
	if (!y->to_host)
		tell_agents(r, y, false);
	bound_buffers(r, y);
	read_urgent_inline(y);
	slot = RELAY_SLOT_BASE + 2 * id;
	if (watch(r, y->fd[CLIENT], slot + CLIENT, y->gen, events) < 0 ||
	    watch(r, y->fd[SERVER], slot + SERVER, y->gen, events) < 0)
		relay_free(r, y, true);
	else if (y->stale)
		heed(r, y, judge(r, y));
}

void relays_reset(struct relays *r, struct handle h)
{
	struct relay *y = h.slot < r->fresh ? &r->relays[h.slot] : NULL;

	if (y && y->used && y->gen == h.gen)
		y->from[y->to_host ? CLIENT : SERVER].torn = true;
}

static void socket_event(struct relays *r, struct handle h, uint32_t events)
{
	const uint32_t at = h.slot - RELAY_SLOT_BASE;
	struct relay *y = at / 2 < r->fresh ? &r->relays[at / 2] : NULL;
	const enum side side = at % 2 ? SERVER : CLIENT;

	if (!y || !y->used || y->gen != h.gen)
		return;
	/* Of one that is not read any more nothing else would tell. */
	if (events & EPOLLERR && y->from[side].eof)
		y->from[side].torn = true;
	if (events & (EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		y->from[side].readable = true;
	if (events & EPOLLPRI)
		y->from[side].urgent = true;
	if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
		y->from[!side].writable = true;
	relay_run(r, y);
}

void relays_event(struct relays *r, struct handle h, uint32_t events)
{
	if (h.slot >= RELAY_FORWARD_BASE) {
		const uint32_t i = h.slot - RELAY_FORWARD_BASE;

		if (i < r->forwards_used && r->forwards[i].fd >= 0 &&
		    r->forwards[i].id == h.gen)
			accept_all(r, &r->forwards[i]);
		return;
	}
	socket_event(r, h, events);
}

static struct endpoint client_of(const struct relay *y)
{
	struct endpoint at = { .port = 0 };
	struct sockaddr_any sa;
	socklen_t len = sizeof(sa);

	if (getpeername(y->fd[CLIENT], &sa.sa, &len) == 0)
		(void)!sockaddr_to(&sa, &at);
	return at;
}

unsigned relays_flows(const struct relays *r, uint32_t *from,
		      struct network_flow *out, unsigned n)
{
	unsigned found = 0;

	for (; found < n && *from < r->fresh; ++*from) {
		const struct relay *y = &r->relays[*from];
		const struct endpoint client = y->used ? client_of(y) :
							 y->to;

		if (!y->used)
			continue;
		out[found++] = (struct network_flow){
			.protocol = FLOW_PROTOCOL_TCP,
			.state = FLOW_STATE_RELAYED,
			.guest = y->to_host ? client : y->to,
			.peer = y->to_host ? y->to : client,
			.by_peer = !y->to_host,
			.from_guest = y->from[y->to_host ? CLIENT :
							   SERVER].moved,
			.to_guest = y->from[y->to_host ? SERVER :
							 CLIENT].moved,
			.age_s = now_s() - y->begun_s,
		};
	}
	return found;
}

void relays_turn_end(struct relays *r)
{
	uint32_t next = r->first_busy;

	ask(r);
	r->first_busy = 0;
	while (next) {
		struct relay *y = &r->relays[next - 1];

		next = y->next;
		y->busy = false;
		if (y->used) {
			relay_run(r, y);
			continue;
		}
		y->next = r->first_free;
		r->first_free = slot_of(r, y) + 1;
	}
}

/* A listener gives it to whom it accepts. Headers: those of IPv6 and TCP. */
static void clamp(const struct relays *r, const struct forward *f)
{
	const int mss = r->mtu ? r->mtu - 60 : 0;

	if (f->way == RELAY_BY_FRAMES)
		(void)!setsockopt(f->fd, IPPROTO_TCP, TCP_MAXSEG, &mss,
				  sizeof(mss));
}

static bool listens(int fd)
{
	int yes = 0;
	socklen_t len = sizeof(yes);

	(void)!getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &yes, &len);
	return yes;
}

void relays_forward_add(struct relays *r, uint32_t id, int fd,
			const struct endpoint *to, enum relay_way way,
			uint8_t guest)
{
	uint32_t i = 0;

	while (i < r->forwards_used && r->forwards[i].fd >= 0)
		i++;
	if (i == RELAY_FORWARDS_MAX ||
	    watch(r, fd, RELAY_FORWARD_BASE + i, id, EPOLLIN) < 0) {
		close(fd);
		return;
	}
	if (i == r->forwards_used)
		r->forwards_used++;
	r->forwards[i] = (struct forward){ .id = id, .fd = fd, .to = *to,
					   .handed = !listens(fd),
					   .way = way, .guest = guest };
	if (r->mtu)
		clamp(r, &r->forwards[i]);
}

void relays_clamp(struct relays *r, uint16_t mtu)
{
	if (r->mtu == mtu)
		return;
	r->mtu = mtu;
	for (uint32_t i = 0; i < r->forwards_used; i++)
		if (r->forwards[i].fd >= 0)
			clamp(r, &r->forwards[i]);
}

void relays_forward_del(struct relays *r, uint32_t id)
{
	for (uint32_t i = 0; i < r->forwards_used; i++) {
		struct forward *f = &r->forwards[i];

		if (f->fd < 0 || f->id != id)
			continue;
		/* The keeper may still have it, and give it again. */
		(void)!epoll_ctl(r->setup.epoll_fd, EPOLL_CTL_DEL, f->fd,
				 NULL);
		close(f->fd);
		f->fd = -1;
		return;
	}
}
