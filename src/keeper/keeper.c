/* SPDX-License-Identifier: MIT */
#include "keeper/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "engine/engine.h"
#include "keeper/answers.h"
#include "keeper/ending.h"
#include "keeper/flows.h"
#include "keeper/joining.h"
#include "keeper/nsfds.h"
#include "keeper/process.h"
#include "keeper/publishing.h"
#include "keeper/tell.h"
#include "linux/channel.h"
#include "linux/guestns.h"
#include "linux/messages.h"
#include "linux/netlink.h"

#define STOP_NS		(2500 * MS_NS)
#define FDS_OWN		(CLIENTS_MAX + 64u)	/* not for ports of guests */

enum polled { P_FRONT, P_INSIDE, P_ENGINE, P_SIGNAL, P_RESOLVERS,
	      P_HOSTS, P_ROUTE, P_CONFLICT, P_WHOSE, P_JOIN, P_AGENT,
	      P_CLIENTS };

uint64_t keeper_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* The first failure counts: others follow from it. */
static void fatal(struct keeper *k, int status, const char *text)
{
	if (k->phase == OVER)
		return;
	log_write(&k->in.log, LOG_ERROR, text);
	k->failed.kind = FRONT_FAILED;
	k->failed.status = status;
	fail_set(&k->failed.fail, "%s", text);
	k->phase = OVER;
}

static void fatal_errno(struct keeper *k, const char *what, int error)
{
	char text[256];

	snprintf(text, sizeof(text), "%s: %s; try again", what,
		 strerror(error));
	fatal(k, 125, text);
}

static void fatal_end(struct keeper *k, const char *who)
{
	char text[NAMES_PATH_BYTES + 128];

	snprintf(text, sizeof(text), "%s has ended unexpectedly: killed, or "
		 "a bug; see %s", who, k->in.log_path);
	fatal(k, 125, text);
}

/* ---- start ---- */

static void watch_signals(struct keeper *k, bool block)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	sigprocmask(block ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
	if (k->signal_fd < 0)
		k->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* To an engine without an inside helper. */
static int open_channel(struct keeper *k)
{
	int engine[2];
	const int rc = channel_pair(engine, false);

	if (rc < 0)
		return rc;
	k->engine_ch = engine[0];
	k->engine_end = engine[1];
	(void)!fcntl(k->engine_ch, F_SETFL, O_NONBLOCK);
	return 0;
}

/* helper: the inside helper's two ends, for the caller to close. */
static int open_channels(struct keeper *k, int helper[2])
{
	int inside[2], engine[2], between[2];
	int rc;

	if ((rc = channel_pair(inside, false)) < 0 ||
	    (rc = channel_pair(engine, false)) < 0 ||
	    (rc = channel_pair(between, false)) < 0)
		return rc;
	k->inside_ch = inside[0];
	k->engine_ch = engine[0];
	k->engine_end = engine[1];
	k->helper_end = between[0];
	helper[0] = inside[1];
	helper[1] = between[1];
	/* Nobody may hold us up; the others' ends stay as they are. */
	(void)!fcntl(k->engine_ch, F_SETFL, O_NONBLOCK);
	(void)!fcntl(k->inside_ch, F_SETFL, O_NONBLOCK);
	return 0;
}

/* A guest in namespaces, with a helper there. */
static int start_guest(struct keeper *k)
{
	const struct config *c = k->in.config;
	struct guest_setup setup = {
		.join = k->ns, .target = c->attach,
		.user_ns = geteuid() != 0,
		.mac = k->in.plan.guest_mac, .mtu = k->in.mtu,
		.net4 = k->in.plan.net4, .net6 = k->in.plan.net6,
		.ip4 = k->in.plan.guest4, .gateway4 = k->in.gateway4,
		.v6 = c->ipv6,
		.ip6 = k->in.plan.guest6, .gateway6 = k->in.gateway6,
		.hostname = c->hostname[0] ? c->hostname : NULL,
	};
	char *resolv_conf = NULL, *hosts = NULL;
	int helper[2];
	const int rc = open_channels(k, helper);

	if (rc < 0)
		return rc;
	if (k->ns.net < 0) {
		setup.resolv_conf = resolv_conf = instance_resolv_conf(&k->in);
		setup.hosts = hosts = instance_hosts(&k->in);
	}
	setup.keeper_ch = helper[0];
	setup.engine_ch = helper[1];
	k->inside = guest_start(&setup);
	free(resolv_conf);
	free(hosts);
	close(helper[0]);
	close(helper[1]);
	/* Root enters a network without becoming nobody in its users. */
	if (k->ns.user >= 0 && geteuid() == 0) {
		close(k->ns.user);
		k->ns.user = -1;
	}
	return k->inside < 0 ? (int)k->inside : 0;
}

static enum link_kind kind_of(const struct config_link *l)
{
	switch (l->kind) {
	case CONFIG_LINK_VHOST:
		return LINK_VHOST;
	case CONFIG_LINK_DATAGRAM:
		return LINK_DATAGRAM;
	case CONFIG_LINK_STREAM: case CONFIG_LINK_CONNECT:
	case CONFIG_LINK_FD:
		break;
	}
	return LINK_STREAM;
}

/* tap: of a guest in namespaces, taken; else -1: machines have the links. */
static void start_engine(struct keeper *k, int tap, uint32_t offloads)
{
	const struct config *c = k->in.config;
	struct engine_setup setup = {
		.gateway_mac = k->in.gateway_mac,
		.guest_mac = k->in.plan.guest_mac,
		.learn_mac = k->machine && !c->has_mac,
		.net4 = k->in.plan.net4, .net6 = k->in.plan.net6,
		.gateway4 = k->in.gateway4, .guest4 = k->in.plan.guest4,
		.v6 = c->ipv6,
		.gateway6 = k->in.gateway6, .guest6 = k->in.plan.guest6,
		.own_ip6 = k->machine,
		.mtu = k->in.mtu,
		.agent = k->agents.epoll_fd >= 0,
		.host_access = c->host_access != CONFIG_ACCESS_OFF,
		.link_local = c->link_local, .keep_flows = c->keep_flows,
		.isolate = c->isolate,
		.host_fd = k->hostif.fd,
		.host_index = k->hostif.index,
		.host_offloads = k->hostif.offloads,
		.keeper_ch = k->engine_end, .inside_ch = k->helper_end,
	};

	if (c->host_access == CONFIG_ACCESS_LIST)
		setup.host_ports = c->host_ports;
	if (tap >= 0)
		setup.links[setup.n_links++] = (struct engine_link_setup){
			.kind = LINK_TAP, .fd = tap, .offloads = offloads,
		};
	for (unsigned i = 0; i < k->n_links; i++)
		setup.links[setup.n_links++] = (struct engine_link_setup){
			.kind = kind_of(&c->links[i]), .fd = k->link_fds[i],
		};
	/* The host's own name, which `run' leaves it, is nobody else's. */
	snprintf(setup.guest_name, sizeof(setup.guest_name), "%.63s",
		 c->hostname[0] ? c->hostname : k->in.name);
	snprintf(setup.search, sizeof(setup.search), "%s",
		 instance_search(&k->in));
	watch_signals(k, false);	/* the engine shall not inherit that */
	k->engine = engine_start(&setup);
	watch_signals(k, true);
	for (unsigned i = 0; i < setup.n_links; i++)
		close(setup.links[i].fd);
	if (k->hostif.fd >= 0)
		close(k->hostif.fd);
	k->hostif.fd = -1;
	close(k->engine_end);
	if (k->helper_end >= 0)
		close(k->helper_end);
	k->engine_end = k->helper_end = -1;
	if (k->engine < 0)
		fatal_errno(k, "the engine cannot be started",
			    (int)-k->engine);
	else
		k->phase = ENGINE;
}

static void appear(struct keeper *k)
{
	char path[NAMES_PATH_BYTES];
	struct fail fail;
	int rc;

	names_path(path, k->in.dir, k->in.name, ".sock");
	rc = clients_init(&k->clients, path);
	if (rc == 0) {
		names_path(path, k->in.dir, k->in.name, ".pid");
		rc = instance_write_pid(&k->in);
	}
	if (rc == 0)
		return;
	instance_no_file(path, -rc, &fail);
	fatal(k, 125, fail.text);
}

/* ---- what the front says ---- */

void keeper_begin_stop(struct keeper *k)
{
	const struct front_head stop = { .kind = FRONT_STOP };

	if (k->stopping)
		return;
	k->stopping = true;
	k->stop_ns = keeper_now_ns() + STOP_NS;
	/* A front that its shell has stopped could not end anything. */
	kill(k->in.front, SIGCONT);
	if (channel_send(k->front_ch, &stop, sizeof(stop), NULL, 0) < 0)
		k->phase = OVER;
}

/* The command's process says this itself, once, before it is the guest's. */
static void watch_binds(struct keeper *k, int notifier)
{
	int rc;

	if (k->conflict.pid)
		return;
	rc = conflict_start(&k->conflict, k->in.config, notifier, k->ns.net);
	if (rc < 0)
		fatal_errno(k, "the watcher of bind cannot be started", -rc);
}

static void front_event(struct keeper *k)
{
	union {
		uint32_t kind;
		struct front_head head;
		struct front_boot boot;
	} m;
	int fds[CHANNEL_MAX_FDS];
	size_t n_fds = 0;
	const ssize_t n = channel_recv(k->front_ch, &m, sizeof(m), fds,
				       &n_fds);
	const bool watch = n == sizeof(m.head) && m.kind == FRONT_NOTIFIER;
	const bool boot = n == sizeof(m.boot) && m.kind == FRONT_BOOT;

	if (watch && n_fds == 1)
		watch_binds(k, fds[0]);
	while (n_fds)
		close(fds[--n_fds]);
	if (boot)
		tell_boot(k, &m.boot);
	if (n == -EAGAIN || watch || boot)
		return;
	k->bye = n == sizeof(m.head) && m.kind == FRONT_BYE;
	k->phase = OVER;
}

static void listener(struct keeper *k, const struct listener *l, bool gone)
{
	/* What goes over to the other goes there by its last word. */
	if (gone)
		forwards_listener(&k->forwards, l, gone);
	published_listener(&k->published, "", l, gone);
	if (!gone)
		forwards_listener(&k->forwards, l, gone);
	published_bind(&k->published);
}

/*
 * Of a machine nobody sees whether it listens: what is asked for is opened.
 * A port stands for TCP and UDP.
 */
static void forward_ports(struct keeper *k)
{
	const struct config *c = k->in.config;
	const struct port_list *list = &c->localhost_ports;
	struct listener l = { .at.ip = k->in.plan.guest4 };

	for (unsigned i = 0; c->localhost == LOCALHOST_LIST && i < list->n; i++)
		for (unsigned port = list->range[i].first;
		     port <= list->range[i].last; port++) {
			l.at.port = (uint16_t)port;
			l.udp = false;
			forwards_listener(&k->forwards, &l, false);
			l.udp = true;
			forwards_listener(&k->forwards, &l, false);
		}
}

static void tell_front(struct keeper *k)
{
	struct front_ready m = { .kind = FRONT_READY,
				 .guest4 = k->in.plan.guest4,
				 .gateway4 = k->in.gateway4 };
	int fds[NSFDS_MAX];
	unsigned mask;
	const size_t n = nsfds_pack(&k->ns, fds, &mask);

	strcpy(m.name, k->in.name);
	m.namespaces = mask;
	k->phase = UP;
	linkmtu_follow(k);	/* it may have changed meanwhile */
	publishing_machine(k);
	if (k->machine)
		forward_ports(k);
	published_bind(&k->published);
	if (channel_send(k->front_ch, &m, sizeof(m), fds, n) < 0)
		k->phase = OVER;
}

/* ---- what the inside helper says ---- */

union inside_msg {
	uint32_t kind;
	struct msg_guest_ready ready;
	struct msg_failed failed;
	struct msg_listener listener;
	struct msg_opened opened;
};

/* Takes the descriptors. */
static void guest_ready(struct keeper *k, const struct msg_guest_ready *m,
			int *fds, size_t *n_fds)
{
	int tap, rc;

	if (k->phase != GUEST ||
	    !guest_ready_take(m, fds, *n_fds, &tap, &k->ns)) {
		fatal(k, 125, "the guest's helper says nonsense; report it");
		return;
	}
	*n_fds = 0;
	whose_start(k);
	rc = k->join_fd < 0 ? 0 : joining_give(k, tap, m->offloads);
	if (rc < 0)
		fatal_errno(k, "the network does not take the guest", -rc);
	else
		start_engine(k, k->join_fd < 0 ? tap : -1, m->offloads);
}

/* What the host has is in the guest before its command begins. */
static void go_up(struct keeper *k)
{
	if (k->phase == ENGINE && k->engine_up &&
	    mirrors_settled(&k->mirrors))
		tell_front(k);
}

static void engine_is_up(struct keeper *k)
{
	/* A machine has no helper; cmd/serve.c refuses what needs one. */
	if (!k->machine && mirrors_wanted(k->in.config)) {
		const int rc = mirrored_start(&k->mirrored, &k->ports,
					      keeper_now_ns());

		if (rc < 0) {
			fatal_errno(k, "the host's listeners cannot be "
				    "watched", -rc);
			return;
		}
		mirrors_start(&k->mirrors, k->in.config, &k->mirrored,
			      k->inside_ch);
	}
	k->engine_up = true;
	go_up(k);
}

/* Takes the descriptor. */
static void mirror_bound(struct keeper *k, const struct msg_opened *m,
			 const int *fds, size_t *n_fds)
{
	const int fd = *n_fds == 1 ? fds[0] : -1;

	if (fd >= 0)
		*n_fds = 0;
	mirrors_bound(&k->mirrors, m->id, fd, fd < 0 && !m->error ? EMFILE :
								     m->error);
	go_up(k);
}

static void inside_event(struct keeper *k)
{
	int fds[CHANNEL_MAX_FDS];
	size_t n_fds = 0;
	union inside_msg m;
	const ssize_t n = channel_recv(k->inside_ch, &m, sizeof(m), fds,
				       &n_fds);

	if (n == -EAGAIN)
		return;
	if (n == sizeof(m.ready) && m.kind == MSG_GUEST_READY)
		guest_ready(k, &m.ready, fds, &n_fds);
	else if (n == sizeof(m.failed) && m.kind == MSG_GUEST_FAILED)
		fatal(k, 125, m.failed.fail.text);
	else if (n == sizeof(m.listener) && m.kind == MSG_LISTENER)
		listener(k, &m.listener.what, m.listener.gone);
	else if (m.kind == MSG_BOUND && (n == sizeof(m.opened) ||
					 n == -EMFILE))
		mirror_bound(k, &m.opened, fds, &n_fds);
	else if (n <= 0)
		fatal_end(k, "the guest's helper");
	while (n_fds)
		close(fds[--n_fds]);
}

/* ---- what the engine says ---- */

union engine_msg {
	uint32_t kind;
	struct msg_engine_ready ready;
	struct msg_failed failed;
	struct msg_log log;
	struct msg_stats stats;
	struct msg_flows flows;
	struct msg_blocked blocked;
	struct msg_hits hits;
	struct msg_guests guests;
	struct msg_agent agent;
	struct msg_open open;
};

static void engine_log(struct keeper *k, const struct msg_log *m)
{
	const enum log_level level = m->level <= LOG_DEBUG ?
		(enum log_level)m->level : LOG_ERROR;

	log_print(&k->in.log, level, "%.*s", (int)sizeof(m->text), m->text);
}

static void engine_event(struct keeper *k)
{
	int fds[CHANNEL_MAX_FDS];
	size_t n_fds = 0;
	union engine_msg m;
	const ssize_t n = channel_recv(k->engine_ch, &m, sizeof(m), fds,
				       &n_fds);

	if (n == sizeof(m.agent) && m.kind == MSG_AGENT && n_fds == 1)
		agents_called(k, &m.agent, fds[--n_fds]);
	while (n_fds)
		close(fds[--n_fds]);
	if (n == -EAGAIN)
		return;
	if (n == sizeof(m.ready) && m.kind == MSG_ENGINE_READY) {
		k->engine_ready = m.ready;
		if (k->phase == ENGINE && !k->engine_up)
			engine_is_up(k);
	} else if (n == sizeof(m.failed) && m.kind == MSG_ENGINE_FAILED) {
		fatal(k, 125, m.failed.fail.text);
	} else if (n == sizeof(m.log) && m.kind == MSG_LOG) {
		engine_log(k, &m.log);
	} else if (n == sizeof(m.stats) && m.kind == MSG_STATS) {
		answers_status(k, &m.stats);
	} else if (n == sizeof(m.guests) && m.kind == MSG_GUESTS) {
		roster_take(k, &m.guests);
	} else if (n == sizeof(m.flows) && m.kind == MSG_FLOWS) {
		flows_take(k, &m.flows);
	} else if (n == sizeof(m.blocked) && m.kind == MSG_BLOCKED) {
		firewalling_blocked(k, &m.blocked.what);
	} else if (n >= (ssize_t)offsetof(struct msg_hits, at) &&
		   m.kind == MSG_HITS) {
		hits_take(k, &m.hits, (uint32_t)n);
	} else if (n == sizeof(m.open) && m.kind == MSG_CONNECT) {
		agents_connect(k, &m.open);
	} else if (n <= 0) {
		fatal_end(k, "the engine");
	}
}

/* ---- the loop ---- */

static void signal_event(struct keeper *k)
{
	struct signalfd_siginfo si;

	while (read(k->signal_fd, &si, sizeof(si)) == sizeof(si))
		if (si.ssi_signo == SIGCHLD)
			linkmtu_child(k);
		else
			keeper_begin_stop(k);
}

static void host_changed(struct keeper *k)
{
	const unsigned what = hostroute_settled(&k->route);

	if (what & NETLINK_ADDRESS_CAME)
		published_address_came(&k->published);
	if (what)
		linkmtu_follow(k);
}

/* Do what is due; milliseconds until there is more to do. */
static int timers(struct keeper *k)
{
	const uint64_t now = keeper_now_ns();
	uint64_t next = clients_expire(&k->clients, now);

	if (k->stats_ns <= now)
		answers_status(k, NULL);
	if (k->flows_ns <= now)
		flows_expire(k);
	if (k->hits.ns <= now)
		hits_expire(k);
	if (k->route.due_ns <= now)
		host_changed(k);
	if (k->stop_ns <= now) {
		/* With the front, the command goes, too. */
		kill(k->in.front, SIGKILL);
		k->phase = OVER;
	}
	if (k->phase != OVER) {
		const uint64_t tick = joining_turn(k, now);

		next = tick < next ? tick : next;
	}
	if (k->phase != OVER) {
		const uint64_t tick = firewalling_tick(k, now);

		next = tick < next ? tick : next;
	}
	if (k->phase == ENGINE || k->phase == UP) {
		const uint64_t tick = agents_tick(k, now);

		next = tick < next ? tick : next;
	}
	if ((k->phase == ENGINE || k->phase == UP) && k->mirrored.diag >= 0) {
		if (mirrored_tick(&k->mirrored, now)) {
			mirrors_follow(&k->mirrors, &k->mirrored);
			agents_follow(k);
		}
		next = k->mirrored.next_ns < next ? k->mirrored.next_ns : next;
	}
	next = k->stats_ns < next ? k->stats_ns : next;
	next = k->flows_ns < next ? k->flows_ns : next;
	next = k->hits.ns < next ? k->hits.ns : next;
	next = k->route.due_ns < next ? k->route.due_ns : next;
	next = k->stop_ns < next ? k->stop_ns : next;
	return next == NEVER ? -1 : (int)((next - now) / MS_NS) + 1;
}

/* With it the guest's goes. */
static void network_ended(struct keeper *k)
{
	char text[CONFIG_NAME_BYTES + 64];

	snprintf(text, sizeof(text), "the network %.32s, which the guest has "
		 "joined, has ended", k->in.config->join);
	fatal(k, 125, text);
}

static void turn(struct keeper *k)
{
	struct pollfd p[P_CLIENTS + CLIENTS_MAX + 1] = {
		[P_FRONT] = { .fd = k->front_ch, .events = POLLIN },
		[P_INSIDE] = { .fd = k->inside_ch, .events = POLLIN },
		[P_ENGINE] = { .fd = k->engine_ch, .events = POLLIN },
		[P_SIGNAL] = { .fd = k->signal_fd, .events = POLLIN },
		[P_RESOLVERS] = { .fd = k->in.resolvers.fd,
				  .events = POLLIN },
		[P_HOSTS] = { .fd = k->in.hosts.fd, .events = POLLIN },
		[P_ROUTE] = { .fd = hostroute_fd(&k->route),
			      .events = POLLIN },
		[P_CONFLICT] = { .fd = k->conflict.ch, .events = POLLIN },
		[P_WHOSE] = { .fd = k->whose.ch, .events = POLLIN },
		[P_JOIN] = { .fd = k->join_fd, .events = POLLIN },
		[P_AGENT] = { .fd = k->agents.epoll_fd, .events = POLLIN },
	};
	const size_t n = clients_fill(&k->clients, p + P_CLIENTS);
	const int timeout = timers(k);

	if (k->phase == OVER || poll(p, P_CLIENTS + n, timeout) <= 0)
		return;
	if (p[P_FRONT].revents)
		front_event(k);
	/* The engine first: its reason, not the helper's that follows it. */
	if (k->phase != OVER && p[P_ENGINE].revents)
		engine_event(k);
	if (k->phase != OVER && p[P_INSIDE].revents)
		inside_event(k);
	if (k->phase != OVER && p[P_SIGNAL].revents)
		signal_event(k);
	if (k->phase != OVER && p[P_RESOLVERS].revents &&
	    resolvers_event(&k->in.resolvers))
		tell_resolvers(k);
	if (k->phase != OVER && p[P_HOSTS].revents &&
	    hostsfile_event(&k->in.hosts))
		tell_hosts(k);
	if (k->phase != OVER && p[P_ROUTE].revents)
		hostroute_event(&k->route, keeper_now_ns());
	if (k->phase != OVER && p[P_CONFLICT].revents &&
	    !conflict_event(&k->conflict, &k->ports, &k->forwards))
		fatal_end(k, "the watcher of bind");
	if (k->phase != OVER && p[P_WHOSE].revents)
		whose_event(k);
	if (k->phase != OVER && p[P_JOIN].revents && !joining_event(k))
		network_ended(k);
	if (k->phase != OVER && p[P_AGENT].revents)
		agents_event(k);
	if (k->phase != OVER)
		clients_turn(&k->clients, p + P_CLIENTS, n, keeper_now_ns(),
			     answers_want, k);
}

/* ---- the process ---- */

/* Nothing of the user's terminal, pipes or directory is held on to. */
static void let_go(struct keeper *k)
{
	int *kept[3 + CONFIG_LINKS_MAX] = { &k->front_ch, &k->ns.user,
					    &k->ns.net };
	const int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = 0; fd < 3; fd++)
		dup2(null, fd);
	for (unsigned i = 0; i < k->n_links; i++)
		kept[3 + i] = &k->link_fds[i];
	keeper_keep_only(kept, 3 + k->n_links);
	setsid();
	umask(077);
	prctl(PR_SET_NAME, "slipway-keeper");
	signal(SIGPIPE, SIG_IGN);
	(void)!chdir("/");
}

static int open_hostif(struct keeper *k, struct fail *fail)
{
	const struct hostif_setup s = {
		.gateway4 = k->in.gateway4, .gateway6 = k->in.gateway6,
		.bits4 = k->in.plan.net4.bits, .bits6 = k->in.plan.net6.bits,
		.v6 = k->in.config->ipv6, .mtu = k->in.mtu,
	};

	return hostif_open(&s, &k->hostif, fail);
}

static void begin(struct keeper *k, struct config *config, pid_t front,
		  char *const *command)
{
	struct fail fail = { 0 };
	int status, rc;

	if (instance_open(&k->in, config, front, command, &fail,
			  &status) < 0) {
		fatal(k, status, fail.text);
		return;
	}
	dup2(k->in.log.fd, 2);
	if (config->join && joining_ask(k, config, &fail) < 0) {
		fatal(k, 125, fail.text);
		return;
	}
	hostroute_open(&k->route);
	linkmtu_begin(k);
	if (config->host_interface && open_hostif(k, &fail) < 0) {
		fatal(k, 125, fail.text);
		return;
	}
	rc = k->machine ? open_channel(k) : start_guest(k);
	if (rc < 0) {
		fatal_errno(k, "the guest cannot be started", -rc);
		return;
	}
	watch_signals(k, true);
	k->ports = (struct hostports){
		.dir = k->in.dir, .log = &k->in.log,
		.engine_ch = k->engine_ch,
		.fd_max = k->fds > FDS_OWN ? k->fds - FDS_OWN : 0,
		.next_id = &k->next_port,
	};
	k->forwards = (struct forwards){
		.config = config, .ports = &k->ports,
		.published = &k->published,
		.wanted = forwards_wants,
	};
	k->published.ports = &k->ports;
	k->published.forwards = &k->forwards;
	k->published.guest[0] = k->in.plan.guest4;
	k->published.guest[1] = k->in.plan.guest6;
	if (roster_begin(k, &fail) < 0) {
		fatal(k, 2, fail.text);
		return;
	}
	publishing_begin(k);
	agents_begin(k);
	/* The first that the engine hears: nothing passes before. */
	if (firewalling_begin(k, &fail) < 0) {
		fatal(k, 125, fail.text);
		return;
	}
	tell_resolvers(k);
	tell_zones(k);
	tell_hosts(k);
	/* It is ready once it has done all that. */
	if (k->machine)
		start_engine(k, -1, 0);
	appear(k);
}

_Noreturn static void run(const struct config *config, char *const *command,
			  pid_t front, int ch,
			  const struct keeper_guest *guest)
{
	/* Static: the clients would be large for a stack. */
	static struct config own;
	static struct keeper k = {
		.phase = GUEST, .inside = -1, .engine = -1,
		.inside_ch = -1, .engine_ch = -1,
		.helper_end = -1, .engine_end = -1, .signal_fd = -1,
		.hostif.fd = -1, .conflict.ch = -1, .join_fd = -1,
		.whose = { .end = -1, .ch = -1 }, .mirrored.diag = -1,
		.agents.epoll_fd = -1,
		.stop_ns = NEVER, .stats_ns = NEVER, .flows_ns = NEVER,
		.hits.ns = NEVER,
		.route.due_ns = NEVER,
	};

	k.clients.listen_fd = -1;
	k.front_ch = ch;
	k.n_links = guest->n_links;
	memcpy(k.link_fds, guest->link_fds, sizeof(k.link_fds));
	k.machine = k.n_links > 0;
	k.ns = guest->ns;
	let_go(&k);
	k.fds = keeper_raise_limit();
	own = *config;		/* a network that is joined changes it */
	begin(&k, &own, front, command);
	while (k.phase != OVER)
		turn(&k);
	ending(&k);
	_exit(0);
}

pid_t keeper_start(const struct config *config, char *const *command, int ch,
		   const struct keeper_guest *guest)
{
	const pid_t front = getpid();
	const pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (pid == 0)
		run(config, command, front, ch, guest);
	return pid;
}
