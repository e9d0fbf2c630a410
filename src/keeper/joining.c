/* SPDX-License-Identifier: MIT */
#include "keeper/joining.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "config/value.h"
#include "control/api.h"
#include "keeper/process.h"
#include "keeper/publishing.h"
#include "linux/channel.h"
#include "linux/tapopen.h"

#define WAIT_S		5
#define ANSWER_BYTES	4096

/* ---- the network ---- */

static struct client *client_of(struct keeper *k, const struct roster_guest *g)
{
	for (unsigned i = 0; i < CLIENTS_MAX; i++) {
		struct client *cl = &k->clients.at[i];

		if (cl->state != CLIENT_FREE && cl->serial == g->client)
			return cl;
	}
	return NULL;
}

/* The guest that is to be, by its name. -1, and the client was refused. */
static int take_guest(struct keeper *k, struct client *cl, const char *name,
		      int link)
{
	int at = roster_find(k, name);
	struct fail fail;
	char detail[160];

	if (at < 0) {
		at = roster_add(k, name, (uint8_t)link, false, &fail);
		if (at < 0)
			clients_refuse(cl, 409, fail.text, keeper_now_ns());
		return at;
	}
	/* A section's, which nobody has joined as: it is that one. */
	if (at > 0 && !k->roster.at[at].client &&
	    !k->roster.at[at].learn_mac)
		return at;
	snprintf(detail, sizeof(detail), "%.32s: the network has a guest of "
		 "that name; give another by --name", name);
	clients_refuse(cl, 409, detail, keeper_now_ns());
	return -1;
}

static const char *access_word(const struct config *c)
{
	return c->host_access == CONFIG_ACCESS_OFF ? "off" : "gateway";
}

static json_t *answer_of(const struct keeper *k, const struct roster_guest *g)
{
	const struct plan *p = &k->in.plan;
	char ip4[IP_TEXT_BYTES], ip6[IP_TEXT_BYTES], mac[MAC_TEXT_BYTES];
	char net4[IP_TEXT_BYTES], net6[IP_TEXT_BYTES];

	return json_pack("{s:s, s:s, s:s, s:s, s:i, s:s, s:s, s:b, s:i, s:s}",
			 "network", k->in.name,
			 "mac", mac_format(&g->mac, mac),
			 "ipv4", ip_format(&g->ip4, ip4),
			 "subnet", ip_format(&p->net4.ip, net4),
			 "bits", (int)p->net4.bits,
			 "ipv6", ip_format(&g->ip6, ip6),
			 "subnet6", ip_format(&p->net6.ip, net6),
			 "has_ipv6", k->in.config->ipv6,
			 "mtu", (int)k->in.mtu,
			 "host_access", access_word(k->in.config));
}

void joining_want(struct keeper *k, struct client *cl)
{
	const char *name = json_string_value(json_object_get(cl->body,
							     "name"));
	const uint64_t now = keeper_now_ns();
	const int link = roster_free_link(k);
	struct roster_guest *g;
	int at;

	if (!name || !value_is_name(name)) {
		clients_refuse(cl, 400, "give \"name\", that of the guest",
			       now);
		return;
	}
	if (k->phase != UP || k->join_fd >= 0) {
		clients_refuse(cl, 503, k->phase != UP ? "the network is "
			       "still starting; try again" :
			       "that guest has joined a network itself; join "
			       "that one", now);
		return;
	}
	if (link < 0 || clients_crowded(&k->clients)) {
		clients_refuse(cl, 503, "the network has as many links as it "
			       "may have; end one of them", now);
		return;
	}
	at = take_guest(k, cl, name, link);
	if (at < 0)
		return;
	g = &k->roster.at[at];
	g->client = cl->serial;
	g->joined_link = (uint8_t)link;
	g->until_ns = now + JOINING_NS;
	clients_switch(cl, answer_of(k, g), NULL, 0, now);
}

/* The tap that the client has sent, with a line about it. */
static void take_tap(struct keeper *k, struct roster_guest *g,
		     struct client *cl)
{
	json_t *line = json_loads(cl->text ? cl->text : "", 0, NULL);
	struct msg_link m = {
		.kind = MSG_LINK_ADD, .link = g->joined_link,
		.offloads = (uint32_t)json_integer_value(
			json_object_get(line, "offloads")),
	};

	json_decref(line);
	if (!tap_is_ours(cl->got_fd) ||
	    channel_send(k->engine_ch, &m, sizeof(m), &cl->got_fd, 1) < 0) {
		clients_drop(cl);
		return;
	}
	g->tap_fd = cl->got_fd;
	cl->got_fd = -1;
	g->here = true;
	g->until_ns = NEVER;
	log_print(&k->in.log, LOG_INFO, "guest %s has joined", g->name);
	publishing_guest(k, g->name, false);
}

static void leave(struct keeper *k, unsigned at)
{
	struct roster_guest *g = &k->roster.at[at];
	const struct msg_link m = { .kind = MSG_LINK_DEL,
				    .link = g->joined_link };

	if (g->here) {
		publishing_guest(k, g->name, true);
		if (channel_send(k->engine_ch, &m, sizeof(m), NULL, 0) < 0)
			log_write(&k->in.log, LOG_ERROR, "the engine does not "
				  "hear that a link has gone");
		close(g->tap_fd);
		log_print(&k->in.log, LOG_INFO, "guest %s has left", g->name);
	}
	g->here = false;
	g->client = 0;
	g->tap_fd = -1;
	g->until_ns = NEVER;
	/* One of a section stays what it is, wherever it comes up. */
	if (g->link != NETWORK_LINK_ANY)
		roster_remove(k, at);
}

void joining_tell_mtu(struct keeper *k)
{
	char line[32];
	const int n = snprintf(line, sizeof(line), "{\"mtu\": %u}\n",
			       k->in.mtu);

	for (unsigned i = 1; i < NETWORK_GUESTS_MAX; i++) {
		const struct roster_guest *g = &k->roster.at[i];
		struct client *cl = g->used && g->here ? client_of(k, g) :
							 NULL;

		/* Who does not read what is said so seldom is not well. */
		if (cl && send(cl->fd, line, (size_t)n, MSG_DONTWAIT |
			       MSG_NOSIGNAL) != n)
			clients_drop(cl);
	}
}

uint64_t joining_turn(struct keeper *k, uint64_t now_ns)
{
	uint64_t next = NEVER;

	for (unsigned i = 1; i < NETWORK_GUESTS_MAX; i++) {
		struct roster_guest *g = &k->roster.at[i];
		struct client *cl;

		if (!g->used || !g->client)
			continue;
		cl = client_of(k, g);
		if (cl && !g->here && cl->got_fd >= 0)
			take_tap(k, g, cl);
		else if (cl && g->until_ns <= now_ns)
			clients_drop(cl);
		if (!client_of(k, g))
			leave(k, i);
		else if (g->until_ns < next)
			next = g->until_ns;
	}
	return next;
}

/* ---- the joiner ---- */

static int connect_to(const struct keeper *k, struct fail *fail)
{
	const char *name = k->in.config->join;
	const struct timeval wait = { .tv_sec = WAIT_S };
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	char path[NAMES_PATH_BYTES];
	struct ucred peer = { 0 };
	socklen_t len = sizeof(peer);
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	names_path(path, k->in.dir, name, ".sock");
	if (fd >= 0 && strlen(path) < sizeof(sa.sun_path)) {
		strcpy(sa.sun_path, path);
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
		if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0 &&
		    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer,
			       &len) == 0 &&
		    (peer.uid == geteuid() || peer.uid == 0))
			return fd;
	}
	if (fd >= 0)
		close(fd);
	return fail_set(fail, "--join %s: no network of that name runs; see "
			"slipway status", name);
}

/* Head and, of 101, the line behind it, or the body. NULL: it is none. */
static json_t *read_answer(int fd, char *buf, size_t cap, int *status)
{
	struct http_response h;
	size_t len = 0;

	while (len < cap - 1) {
		const ssize_t n = recv(fd, buf + len, cap - 1 - len, 0);
		int rc;

		if (n <= 0)
			return NULL;
		len += (size_t)n;
		buf[len] = '\0';
		rc = http_response_parse(buf, len, cap, &h);
		if (rc == HTTP_MORE)
			continue;
		if (rc)
			return NULL;
		*status = h.status;
		if (h.status != 101)
			return json_loadb(h.body.p, h.body.len, 0, NULL);
		if (strchr(buf + h.bytes, '\n'))
			return json_loads(buf + h.bytes, JSON_DISABLE_EOF_CHECK,
					  NULL);
	}
	return NULL;
}

static const char *text_of(json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

/* What the answer says, if it makes sense. */
static bool take_answer(struct keeper *k, struct config *own, json_t *o)
{
	struct plan p = { .net6.bits = 64 };
	const json_int_t bits = json_integer_value(json_object_get(o, "bits"));
	const json_int_t mtu = json_integer_value(json_object_get(o, "mtu"));

	if (!mac_parse(text_of(o, "mac"), &p.guest_mac) ||
	    !ip_parse(text_of(o, "ipv4"), &p.guest4) ||
	    !ip_parse(text_of(o, "subnet"), &p.net4.ip) ||
	    !ip_parse(text_of(o, "ipv6"), &p.guest6) ||
	    !ip_parse(text_of(o, "subnet6"), &p.net6.ip) ||
	    bits < 8 || bits > 30 || mtu < CONFIG_MTU_MIN ||
	    mtu > CONFIG_MTU_MAX)
		return false;
	p.net4.bits = (uint8_t)bits;
	k->in.plan = p;
	k->in.gateway4 = plan_gateway4(&p);
	k->in.gateway6 = plan_gateway6(&p);
	k->in.gateway_mac = plan_gateway_mac(text_of(o, "network"));
	k->in.mtu = own->mtu = (unsigned)mtu;
	own->mtu_auto = false;
	own->ipv6 = json_is_true(json_object_get(o, "has_ipv6"));
	return true;
}

/* What the network decides for all of its guests cannot be asked for. */
static int check(const struct config *c, struct fail *fail)
{
	const char *what = NULL;

	if (c->n_publish)
		what = "ports to publish: `slipway publish NETWORK/NAME' "
		       "does that";
	else if (c->host_interface)
		what = "an interface on the host: the network has it";
	else if (c->allow.set.used.rules)
		what = "an allow list: the rules of the network hold";
	return what ? fail_set(fail, "--join %s: it goes without %s", c->join,
			       what) : 0;
}

static int check_access(const struct config *c, json_t *o, struct fail *fail)
{
	if ((c->host_access == CONFIG_ACCESS_GATEWAY ||
	     c->host_access == CONFIG_ACCESS_LOCALHOST) ||
	    !strcmp(text_of(o, "host_access"), "off"))
		return 0;
	return fail_set(fail, "--join %s: that network lets its guests reach "
			"the host; give --host-access gateway if this one "
			"may, too", c->join);
}

static int talk(struct keeper *k, struct config *own, struct fail *fail)
{
	const struct api_call *call = api_call(API_JOIN);
	json_t *body = json_pack("{s:s}", "name", k->in.name), *answer = NULL;
	char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	char buf[ANSWER_BYTES], *request = NULL;
	int status = 0, rc = 0;
	size_t len = 0;

	json_decref(body);
	if (text)
		request = http_request_make(call->method, call->path,
					    API_UPGRADE_JOIN, text, &len);
	if (request &&
	    send(k->join_fd, request, len, MSG_NOSIGNAL) == (ssize_t)len)
		answer = read_answer(k->join_fd, buf, sizeof(buf), &status);
	free(text);
	free(request);
	if (status >= 400)
		rc = fail_set(fail, "--join %s: %s", own->join,
			      api_detail(answer));
	else if (check_access(own, answer, fail) < 0)
		rc = -1;
	else if (status != 101 || !take_answer(k, own, answer))
		rc = fail_set(fail, "--join %s: it does not answer: it may be "
			      "ending, or of another version of slipway",
			      own->join);
	json_decref(answer);
	return rc;
}

int joining_ask(struct keeper *k, struct config *own, struct fail *fail)
{
	if (check(own, fail) < 0)
		return -1;
	k->join_fd = connect_to(k, fail);
	return k->join_fd < 0 ? -1 : talk(k, own, fail);
}

/* One line of the network's; one of a later version is passed over. */
static void take_line(struct keeper *k, const char *line)
{
	json_t *o = json_loads(line, 0, NULL);
	const json_int_t mtu = json_integer_value(json_object_get(o, "mtu"));

	json_decref(o);
	if (mtu < CONFIG_MTU_MIN || mtu > CONFIG_MTU_MAX)
		return;
	k->mtu.joined = (unsigned)mtu;
	linkmtu_follow(k);
}

bool joining_event(struct keeper *k)
{
	char buf[ANSWER_BYTES], *rest = buf, *line;
	const ssize_t n = recv(k->join_fd, buf, sizeof(buf) - 1, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n <= 0)
		return false;
	buf[n] = '\0';
	while ((line = strsep(&rest, "\n")))
		if (*line)
			take_line(k, line);
	return true;
}

int joining_give(struct keeper *k, int tap, uint32_t offloads)
{
	char line[64];
	const int n = snprintf(line, sizeof(line), "{\"offloads\": %u}\n",
			       offloads);
	const int rc = channel_send(k->join_fd, line, (size_t)n, &tap, 1);

	close(tap);
	return rc;
}
