/* SPDX-License-Identifier: MIT */
/*
 * engine/engine.c - the process on the data path
 *
 * One epoll loop drives one network (network/network.h) over one link, the
 * host's sockets (linux/hostenv.h) and the relays of localhost forwards.
 * A turn: wait, read the clock, socket events, up to FRAMES_PER_TURN
 * frames or BYTES_PER_TURN, timers, then what the turn made owed.
 *
 * It ends when the keeper's channel reports end of file: the keeper, and
 * with it the command, is gone. Nothing is tidied up: the kernel closes
 * what was open, and a tap, being non-persistent, vanishes.
 */
#include "engine/engine.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "engine/budget.h"
#include "engine/links.h"
#include "engine/state.h"
#include "linux/channel.h"
#include "linux/framesocket.h"
#include "linux/hostenv.h"
#include "linux/hostroutes.h"
#include "linux/listeners.h"
#include "linux/messages.h"
#include "linux/netlink.h"
#include "linux/sandbox.h"
#include "linux/sockaddr.h"
#include "linux/tapopen.h"
#include "linux/unread.h"
#include "linux/vhost.h"
#include "network/flows.h"
#include "network/network.h"

#define PACKETS_PER_TURN	64	/* of the host's own stack */
#define BYTES_PER_TURN	(512u << 10)
#define EVENTS_PER_TURN	128
#define SLEPT_LOOK_NS	UINT64_C(100000000)
#define QUIET_NS	UINT64_C(1000000000)	/* then spare memory goes back */
#define STORE_LIMIT	((size_t)512 << 20)	/* of all flows together */

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint64_t engine_now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

void engine_log(void *ctx, enum log_level level, const char *text)
{
	const struct engine *e = ctx;
	struct msg_log m = { .kind = MSG_LOG, .level = level };

	strncpy(m.text, text, sizeof(m.text) - 1);
	/* A keeper that does not listen loses log lines, not packets. */
	(void)!channel_send(e->setup.keeper_ch, &m, sizeof(m), NULL, 0);
}

void *engine_reserve(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		_exit(1);
	return p;
}

bool engine_watch(const struct engine *e, int fd, uint32_t slot,
		  uint32_t events)
{
	struct epoll_event ev = {
		.events = events,
		.data.u64 = hostenv_datum((struct handle){ .slot = slot }),
	};

	return epoll_ctl(e->host.epoll_fd, EPOLL_CTL_ADD, fd, &ev) == 0;
}

static struct network_setup network_setup_of(const struct engine_setup *s,
					     uint32_t max_flows)
{
	struct network_setup n = {
		.gateway_mac = s->gateway_mac, .guest_mac = s->guest_mac,
		.learn_mac = s->learn_mac,
		.net4 = s->net4, .net6 = s->net6,
		.gateway4 = s->gateway4, .guest4 = s->guest4,
		.v6 = s->v6,
		.gateway6 = s->gateway6, .guest6 = s->guest6,
		.own_ip6 = s->own_ip6,
		.mtu = s->mtu,
		.agent = s->agent,
		.host_access = s->host_access, .host_ports = s->host_ports,
		.host_port = s->host_fd >= 0,
		.link_local = s->link_local, .keep_flows = s->keep_flows,
		.isolate = s->isolate,
		.max_flows = s->max_flows ? s->max_flows : max_flows,
	};

	memcpy(n.guest_name, s->guest_name, sizeof(n.guest_name));
	memcpy(n.search, s->search, sizeof(n.search));
	return n;
}

/* Who that is: all zero where it cannot be told. */
static struct endpoint client_of(int fd)
{
	struct endpoint from = { 0 };
	struct sockaddr_any sa;
	socklen_t len = sizeof(sa);

	if (getpeername(fd, &sa.sa, &len) == 0)
		(void)!sockaddr_to(&sa, &from);
	return from;
}

/* A guest without a helper is connected to as by any other machine. */
static void offer(void *ctx, int fd, const struct endpoint *to,
		  bool by_frames)
{
	struct engine *e = ctx;
	struct endpoint from = { 0 };

	if (by_frames)
		from = client_of(fd);
	network_offer(e->net, fd, &from, to, engine_now_ns());
}

static enum network_judgement judge(void *ctx,
				    const struct network_relay *relay,
				    uint32_t ticket)
{
	const struct engine *e = ctx;
	struct network_relay what = *relay;

	what.guest = e->guest_id[relay->guest % NETWORK_GUESTS_MAX];
	return network_judge(e->net, &what, ticket, engine_now_ns());
}

/*
 * Linux lets TCP have a sixteenth of the memory before it begins to save
 * (tcp_mem, which is not shown in a network namespace). A quarter of that:
 * others want some, too.
 */
static uint64_t crowd_bytes(void)
{
	return (uint64_t)sysconf(_SC_PHYS_PAGES) *
	       (uint64_t)sysconf(_SC_PAGESIZE) / 64;
}

static bool open_links(struct engine *e)
{
	const struct engine_setup *s = &e->setup;

	for (unsigned i = 0; i < s->n_links; i++)
		if (!links_open(e, i, s->links[i].kind, s->links[i].fd,
				s->links[i].offloads))
			return false;
	return true;
}

static int prepare(struct engine *e, struct fail *fail)
{
	const struct budget budget = budget_find();
	const struct network_setup ns = network_setup_of(&e->setup,
							 budget.flows);
	struct env env = {
		.ops = &e->ops, .ctx = &e->host,
		.log = { .write = engine_log, .ctx = e },
	};

	rules_ops(&e->ops, &hostenv_ops);
	agents_ops(&e->ops);
	e->host.pool.limit = STORE_LIMIT;
	e->host.tcp_bytes = crowd_bytes();
	e->host.no_unread = !unread_is_sound();
	e->host.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (e->host.epoll_fd < 0)
		return fail_set(fail, "the engine cannot start: epoll: %s",
				strerror(errno));
	e->host.host_fd = e->setup.host_fd;
	e->host.host_index = e->setup.host_index;
	e->host.diag_fd = e->setup.host_fd < 0 ? -1 : listeners_open();
	if (e->setup.host_fd >= 0 && e->host.diag_fd < 0)
		return fail_set(fail, "the engine cannot start: sock_diag: %s",
				strerror(-e->host.diag_fd));
	e->host.netlink = netlink_open();
	if (!e->host.netlink)
		return fail_set(fail, "the engine cannot start: netlink: %s",
				strerror(errno));
	e->addresses = netlink_watch();
	if (!e->addresses)
		return fail_set(fail, "the engine cannot start: netlink: %s",
				strerror(errno));
	e->timer_fd = timerfd_create(CLOCK_MONOTONIC,
				     TFD_NONBLOCK | TFD_CLOEXEC);
	e->timer_ns = UINT64_MAX;
	if (e->timer_fd < 0)
		return fail_set(fail, "the engine cannot start: a timer: %s",
				strerror(errno));
	if (!engine_watch(e, e->timer_fd, SLOT_TIMER, EPOLLIN | EPOLLET) ||
	    !engine_watch(e, e->setup.keeper_ch, SLOT_KEEPER, EPOLLIN) ||
	    !engine_watch(e, netlink_fd(e->addresses), SLOT_ADDRESSES,
			  EPOLLIN) ||
	    (e->setup.host_fd >= 0 &&
	     !engine_watch(e, e->setup.host_fd, SLOT_HOST, EPOLLIN)) ||
	    (e->setup.inside_ch >= 0 &&
	     !engine_watch(e, e->setup.inside_ch, SLOT_INSIDE, EPOLLIN)))
		return fail_set(fail, "the engine cannot start: epoll: %s",
				strerror(errno));
	rules_begin(e);
	e->net = network_init(engine_reserve(network_bytes(&ns)), &ns, &env,
			      engine_now_ns());
	e->relays = relays_init(engine_reserve(relays_bytes()),
				&(struct relays_setup){
		.epoll_fd = e->host.epoll_fd,
		.inside_ch = e->setup.inside_ch,
		.keeper_ch = e->setup.keeper_ch,
		.most = budget.relays, .pipes = budget.pipes,
		.bytes = e->host.tcp_bytes,
		.offer = offer, .judge = judge, .agent = agents_relay,
		.ctx = e,
	});
	if (!open_links(e))
		return fail_set(fail, "the engine cannot start: a link: %s",
				strerror(errno));
	e->exchanges = exchanges_init(engine_reserve(exchanges_bytes()), &env,
				      e->host.epoll_fd, e->setup.inside_ch,
				      e->setup.keeper_ch, budget.exchanges,
				      judge, e);
	return 0;
}

/* May we ping? Asked once, for `status`. */
static bool may_ping(bool v6)
{
	const int fd = socket(v6 ? AF_INET6 : AF_INET,
			      SOCK_DGRAM | SOCK_CLOEXEC,
			      v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static void host_changed(struct engine *e, uint64_t now)
{
	const unsigned what = netlink_changes(e->addresses);

	hostroutes_changed(&e->host);
	if (what & NETLINK_ADDRESS_GONE)
		network_address_gone(e->net, now);
	if (what)
		network_routes_changed(e->net, now);
}

/* false: the engine's life is over. */
static bool event(struct engine *e, const struct epoll_event *ev,
		  uint64_t now)
{
	const struct handle h = hostenv_handle(ev->data.u64);

	switch (h.slot) {
	case SLOT_LINK: case SLOT_MACHINE: case SLOT_LISTEN:
		links_event(e, h.gen, h.slot);
		return true;
	case SLOT_HOST:
		e->host_ready = true;
		return true;
	case SLOT_ADDRESSES:
		host_changed(e, now);
		return true;
	case SLOT_TIMER:
		e->timer_ns = UINT64_MAX;
		return true;
	case SLOT_KEEPER:
		return engine_keeper_message(e);
	case SLOT_INSIDE:
		return engine_inside_message(e);
	case SLOT_OWNERS:
		(void)!owners_event(&e->owners, now);	/* the keeper logs */
		return true;
	default:
		break;
	}
	if (h.slot >= EXCHANGE_SLOT_BASE)
		exchanges_event(e->exchanges, h, now);
	else if (h.slot >= RELAY_SLOT_BASE)
		relays_event(e->relays, h, ev->events);
	else
		network_sock_event(e->net, h, hostenv_events(ev->events), now);
	return true;
}

/*
 * An interface deleted under us, which its namespace's root may do, is ready
 * for ever after and gives nothing.
 */
static void let_go(struct engine *e, int fd, const char *text)
{
	(void)!epoll_ctl(e->host.epoll_fd, EPOLL_CTL_DEL, fd, NULL);
	engine_log(e, LOG_WARN, text);
}

/* Packets of the host's own stack. */
static void read_host(struct engine *e, uint64_t now)
{
	size_t bytes = 0;

	for (unsigned i = 0; i < PACKETS_PER_TURN && bytes < BYTES_PER_TURN;
	     i++) {
		struct frame_meta meta;
		const ssize_t n = tun_read(e->setup.host_fd, e->frame,
					   sizeof(e->frame), &meta);

		if (n == -EBADFD)
			let_go(e, e->setup.host_fd, "the host's interface has "
			       "been deleted: host and guest do not reach "
			       "each other by address any more; start the "
			       "guest again");
		if (n < 0)
			break;
		if (n > 0)
			network_host_packet(e->net, &meta,
					    e->frame + TAP_HEADER_BYTES,
					    (size_t)n, now);
		bytes += (size_t)n;
	}
	e->host_ready = false;		/* it tells again by itself */
}

/*
 * Milliseconds for epoll_wait(): none or any number. A timeout of its own
 * would set up the processor's timer at each wait, which costs more than the
 * rest of it (in a virtual machine: leaving that). So the time is kept by a
 * descriptor, which is set anew only for what is earlier: deadlines that are
 * put off again and again leave it alone until it has run out.
 */
static int set_alarm(struct engine *e, uint64_t now)
{
	const uint64_t idle = exchanges_next_timer(e->exchanges);
	uint64_t next = network_next_timer(e->net);
	struct itimerspec at = { .it_value = { 0 } };

	if (network_busy(e->net) || relays_busy(e->relays) ||
	    e->links_ready)
		return 0;
	if (idle < next)
		next = idle;
	if (owners_next_timer(&e->owners) < next)
		next = owners_next_timer(&e->owners);
	if (e->host.pool.cached && e->active_ns + QUIET_NS < next)
		next = e->active_ns + QUIET_NS;
	if (next <= now)
		return 0;
	if (next >= e->timer_ns)
		return -1;
	at.it_value.tv_sec = (time_t)(next / 1000000000u);
	at.it_value.tv_nsec = (long)(next % 1000000000u);
	ASSERT(timerfd_settime(e->timer_fd, TFD_TIMER_ABSTIME, &at,
			       NULL) == 0);
	e->timer_ns = next;
	return -1;
}

/* What was learned of the world is as old as if its routes had changed. */
static void look_for_sleep(struct engine *e, uint64_t now)
{
	if (now < e->slept_due_ns)
		return;
	e->slept_due_ns = now + SLEPT_LOOK_NS;
	if (!slept_since(&e->slept, now, clock_ns(CLOCK_BOOTTIME)))
		return;
	engine_log(e, LOG_INFO, "the machine was suspended: what was known "
		   "of names and paths is asked anew");
	hostroutes_changed(&e->host);
	network_routes_changed(e->net, now);
}

/* false: the engine's life is over. */
static bool turn(struct engine *e, const struct epoll_event *ev, int n,
		 uint64_t now)
{
	look_for_sleep(e, now);
	for (int i = 0; i < n; i++) {
		if (!event(e, &ev[i], now))
			return false;
		if (hostenv_handle(ev[i].data.u64).slot != SLOT_TIMER)
			e->active_ns = now;
	}
	links_read(e, now);
	if (e->host_ready)
		read_host(e, now);
	if (network_next_timer(e->net) <= now)
		network_timers(e->net, now);
	exchanges_expire(e->exchanges, now);
	owners_expire(&e->owners, now);
	network_turn_end(e->net, now);
	links_flush(e);
	relays_clamp(e->relays, network_narrowest(e->net));
	relays_turn_end(e->relays);
	if (e->host.pool.cached && now - e->active_ns >= QUIET_NS)
		pool_trim(&e->host.pool);
	return true;
}

/* Events that are there. */
static int look(const struct engine *e, struct epoll_event *ev)
{
	return epoll_wait(e->host.epoll_fd, ev, EVENTS_PER_TURN, 0);
}

/* The same, or such that come soon (engine/patience.h); *now: since when. */
static int look_again(const struct engine *e, struct epoll_event *ev,
		      uint64_t *now)
{
	const uint64_t until = *now + PATIENCE_NS;
	int n = look(e, ev);

	while (!n && *now < until) {
		sched_yield();
		n = look(e, ev);
		*now = engine_now_ns();
	}
	return n;
}

/* As epoll_wait(). now: of the turn that is over, then of the next one. */
static int await(struct engine *e, struct epoll_event *ev, uint64_t *now)
{
	const int timeout = set_alarm(e, *now);
	uint64_t begin, awake = 0;
	int n = 0;

	if (!timeout) {
		n = look(e, ev);
		*now = engine_now_ns();
		return n;
	}
	begin = *now = engine_now_ns();
	if (patience_has(&e->patience)) {
		n = look_again(e, ev, now);
		awake = *now;
	}
	if (!n) {
		n = epoll_wait(e->host.epoll_fd, ev, EVENTS_PER_TURN, timeout);
		*now = engine_now_ns();
	}
	patience_note(&e->patience, begin, awake, *now);
	return n;
}

static void loop(struct engine *e)
{
	struct epoll_event ev[EVENTS_PER_TURN];
	uint64_t now = engine_now_ns();
	int n;

	do {
		n = await(e, ev, &now);
		if (n < 0 && errno != EINTR)
			return;
	} while (turn(e, ev, n, now));
}

static void keep_only(const struct engine_setup *s)
{
	int kept[4 + LINKS_MAX] = { 2, s->host_fd, s->keeper_ch,
				    s->inside_ch };
	size_t n = 4;
	int max = 0;

	for (unsigned i = 0; i < s->n_links; i++)
		kept[n++] = s->links[i].fd;
	for (size_t i = 0; i < n; i++)
		max = kept[i] > max ? kept[i] : max;
	for (int fd = 0; fd < max; fd++) {
		bool keep = false;

		for (size_t i = 0; i < n; i++)
			keep |= fd == kept[i];
		if (!keep)
			close(fd);
	}
	close_range((unsigned)max + 1, ~0u, 0);
}

/*
 * What the keeper has said so far: whoever hears that we are ready may ask at
 * once for a name, and is not to be told that there is no server. false: the
 * keeper is gone.
 */
static bool hear_all(struct engine *e)
{
	struct pollfd p = { .fd = e->setup.keeper_ch, .events = POLLIN };

	while (poll(&p, 1, 0) > 0)
		if (!engine_keeper_message(e))
			return false;
	return true;
}

_Noreturn static void run(const struct engine_setup *setup)
{
	struct engine *e = engine_reserve(sizeof(*e));
	struct msg_engine_ready ready = { .kind = MSG_ENGINE_READY };
	struct msg_failed failed = { .kind = MSG_ENGINE_FAILED };

	e->setup = *setup;
	prctl(PR_SET_NAME, "slipway-engine");
	keep_only(setup);
	signal(SIGPIPE, SIG_IGN);
	(void)!fcntl(setup->keeper_ch, F_SETFL, O_NONBLOCK);
	if (setup->inside_ch >= 0)
		(void)!fcntl(setup->inside_ch, F_SETFL, O_NONBLOCK);
	ready.ping4 = may_ping(false);
	ready.ping6 = may_ping(true);
	if (prepare(e, &failed.fail) < 0 ||
	    sandbox_enter(SANDBOX_ENGINE, &failed.fail) < 0) {
		(void)!channel_send(setup->keeper_ch, &failed, sizeof(failed),
				    NULL, 0);
		_exit(1);
	}
	if (!hear_all(e) ||
	    channel_send(setup->keeper_ch, &ready, sizeof(ready), NULL, 0) < 0)
		_exit(1);
	loop(e);
	_exit(0);
}

pid_t engine_start(const struct engine_setup *setup)
{
	const pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (pid == 0)
		run(setup);
	return pid;
}
